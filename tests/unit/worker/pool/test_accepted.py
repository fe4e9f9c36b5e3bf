"""What a pool process has accepted stays known to the pool when a lost connection empties it, in each Celery."""

from types import SimpleNamespace

import pytest

from limitkit.worker.pool.accepted import keep_accepted


def job(*, accepted, ready=False):
    return SimpleNamespace(_accepted=accepted, ready=lambda: ready)


@pytest.mark.parametrize("fails", [False, True])
def test_what_runs_is_kept_and_the_rest_goes(fails):
    cache = {1: job(accepted=True), 2: job(accepted=False), 3: job(accepted=True, ready=True)}
    runs, flushed = cache[1], []

    def flush():  # as Celery 5.5 and 5.6
        flushed.append(True)
        cache.clear()
        if fails:
            raise OSError

    pool = SimpleNamespace(_pool=SimpleNamespace(_cache=cache), flush=flush)
    keep_accepted(pool)
    keep_accepted(pool)  # with each connection
    try:
        pool.flush()
    except OSError:
        assert fails
    assert (cache, flushed) == ({1: runs}, [True])


def test_a_pool_that_is_not_emptied_is_left_alone():
    pool = SimpleNamespace(flush=None)
    keep_accepted(pool)
    assert pool.flush is None
