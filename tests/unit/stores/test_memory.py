"""A static limit counts starts that came late as of when they were."""

import time

import pytest

from limitkit.buckets.decision import Bucket, Take
from limitkit.stores.memory import MemoryStore


@pytest.mark.parametrize("burst", [1, 5])
def test_a_burst_that_starts_late_leaves_nothing_for_that_moment(burst):
    store, bucket = MemoryStore(), Bucket("a", 10_000_000, burst)
    let_go = time.monotonic()
    store.take([Take((bucket,), burst, burst)])
    ahead = store.ahead(bucket)
    assert ahead == pytest.approx(10 * burst, abs=5)
    late = let_go + 30
    store.postpone(bucket, late, ahead)
    # A token comes an interval after the late start; counted as of their slots, some would be there already.
    peek = store.take([Take((bucket,), 0)], now_us=round(late * 1e6))[0]
    assert peek.waits[0] == pytest.approx(10, abs=5)


def test_what_is_postponed_never_comes_sooner():
    store, bucket = MemoryStore(), Bucket("a", 10_000_000, 1)
    store.take([Take((bucket,))])
    before = store.ahead(bucket)
    store.postpone(bucket, time.monotonic() - 100, 10)
    assert store.ahead(bucket) == pytest.approx(before, abs=5)


def test_a_bucket_that_nobody_took_from_is_not_ahead():
    assert MemoryStore().ahead(Bucket("a", 1000, 1)) == 0
