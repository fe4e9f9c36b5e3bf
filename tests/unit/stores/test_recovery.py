"""While others may not have seen that the store is back, a take needs tokens of the store and of the own share."""

from dataclasses import replace

import pytest

from limitkit.buckets.decision import Bucket, Slots, Take, Window
from limitkit.errors import StoreError
from limitkit.stores.memory import MemoryStore
from limitkit.stores.recovery import take_both

HOUR = 3_600_000_000
DIVIDED, OTHER = Bucket("divided", HOUR, 6, divides=True), Bucket("other", HOUR, 6)


class Gone:
    """A store that can't be asked."""

    def take(self, *_):
        raise StoreError("gone")


def halves(bucket):
    return Bucket(bucket.key, 2 * bucket.interval_us, bucket.burst // 2)


def left(store, bucket):
    return len(store.take([Take((bucket,), 99, 99)])[0].slots)


@pytest.fixture
def stores():
    return MemoryStore(), MemoryStore()


def test_a_start_takes_from_both(stores):
    store, own = stores
    both, plain = take_both(store, own, halves, [Take((OTHER, DIVIDED), 5, 5), Take((OTHER,), 2, 2)], [])
    assert (len(both.slots), len(plain.slots)) == (3, 2)
    assert both.waits[0] == 0.0
    assert both.waits[1] == pytest.approx(7200, abs=1)  # the share's token comes later than the store's
    assert (left(store, OTHER), left(store, DIVIDED), left(own, halves(DIVIDED))) == (1, 3, 0)


def test_what_the_store_refuses_goes_back_to_the_share(stores):
    store, own = stores
    store.take([Take((DIVIDED,), 5, 5)])
    first, second = take_both(store, own, halves, [Take((DIVIDED,), 2, 2), Take((DIVIDED,))], [])
    assert (len(first.slots), len(second.slots)) == (1, 0)
    assert left(own, halves(DIVIDED)) == 2


def test_nothing_is_taken_where_the_store_is_gone_after_all(stores):
    _, own = stores
    with pytest.raises(StoreError):
        take_both(Gone(), own, halves, [Take((DIVIDED,)), Take((DIVIDED, OTHER))], [])
    assert left(own, halves(DIVIDED)) == 3


def test_the_later_of_two_slots_counts(stores):
    store, own = stores
    quick = Bucket("quick", 100_000, 1, divides=True)
    (decision,) = take_both(store, own, lambda each: Bucket(each.key, 200_000, 1), [Take((quick,), 3, 1, 1.0)], [])
    assert decision.slots == pytest.approx((0.0, 0.2, 0.4), abs=0.01)
    assert decision.marks == store.take([Take((quick,), 0)])[0].marks


def test_shares_of_all_kinds_go_back_as_far_as_the_store_refuses(stores):
    store, own = stores
    bucket = Bucket("m", HOUR, 60, divides=True, metered=True)
    window = Window("w", HOUR, 60, divides=True, period_us=60 * HOUR, exact=True)
    slots = Slots("s", 1, 2, divides=True)
    ask = Take((OTHER, bucket, window, slots), 1, 1, 0.0, (1, 7, 5, 1), "a")
    store.take([Take((OTHER,), 6, 6)])
    assert take_both(store, own, lambda each: replace(each, divides=False), [ask], [])[0].slots == ()
    left = own.take([Take((bucket, window, slots), 0, costs=(60, 1, 1))])[0]
    assert (left.waits, left.marks[1:]) == ((0.0, 0.0, 0.0), (0, 0))
    store.refill("other", partitions=False)
    assert take_both(store, own, lambda each: replace(each, divides=False), [ask], [])[0].slots == (0.0,)
    assert own.take([Take((bucket, window, slots), 0, costs=(54, 1, 1))])[0].marks[1:] == (5, 1)
