"""A pool process that Celery is told about before it can be found dead is looked for again."""

from types import SimpleNamespace

import pytest

from limitkit.worker.pool.process_exit import _PAUSES, look_again


class Pool:
    """Finds a process dead when it has looked for it so often; ``_event_process_exit`` is Celery's way to be told."""

    def __init__(self, looks):
        self._pool = ["process"]
        self.looks = looks

    def _event_process_exit(self, hub, process):  # noqa: ARG002 (as Celery calls it)
        self.maintain_pool()

    def maintain_pool(self):
        self.looks -= 1
        if self.looks == 0:
            self._pool.remove("process")


class Hub:
    """Calls back at once; keeps after how long that was to be."""

    def __init__(self):
        self.pauses = []

    def call_later(self, seconds, callback, *args):
        self.pauses.append(seconds)
        callback(*args)


@pytest.mark.parametrize("looks", [1, 2, 4, 1 + len(_PAUSES)])
def test_it_is_looked_for_until_it_is_found(looks):
    pool, hub = Pool(looks), Hub()
    look_again(SimpleNamespace(_pool=pool))
    look_again(SimpleNamespace(_pool=pool))  # with each connection
    pool._event_process_exit(hub, "process")
    assert pool._pool == []
    assert hub.pauses == list(_PAUSES[: looks - 1])


def test_it_is_not_looked_for_for_ever():
    pool, hub = Pool(1000), Hub()
    look_again(SimpleNamespace(_pool=pool))
    pool._event_process_exit(hub, "process")
    assert hub.pauses == list(_PAUSES)


def test_a_pool_without_an_event_loop_is_left_alone():
    pool = SimpleNamespace(_pool=SimpleNamespace())
    look_again(pool)
    assert vars(pool._pool) == {}
    look_again(SimpleNamespace())
