"""Settlements reach the store: many in one call, and later where the store is away."""

import logging
import threading

import pytest
from support.given_clock import GivenClock
from support.workers import wait_until

from limitkit.buckets.decision import Bucket, Settlement, Take
from limitkit.errors import StoreError
from limitkit.stores.memory import MemoryStore
from limitkit.worker import settler
from limitkit.worker.settler import Settler

TOKENS = Bucket("limitkit:{tokens}:g1", 1_000_000, 10, metered=True)


class Store(MemoryStore):
    """A store that may be away, and is slow when it is told so."""

    def __init__(self):
        super().__init__()
        self.away, self.calls = False, []
        self.loses_answers = False
        self.came, self.goes_on = threading.Event(), threading.Event()
        self.goes_on.set()

    def settle(self, settlements, *once, **options):
        self.came.set()
        self.goes_on.wait()
        if self.away:
            raise StoreError("away")
        self.calls.append(len(settlements))
        super().settle(settlements, *once, **options)
        if self.loses_answers:
            raise StoreError("no answer in time")


def spent(store):
    return -store.take([Take((TOKENS,), 0, costs=(10,))])[0].waits[0]


@pytest.fixture
def store(monkeypatch):
    monkeypatch.setattr(settler, "_PAUSE", 0.01)
    return Store()


def test_what_ends_while_a_call_is_under_way_goes_with_the_next_one(store):
    settles = Settler(lambda: store)
    store.goes_on.clear()
    first = threading.Thread(target=settles, args=([Settlement(TOKENS, 1, 2)],))
    first.start()
    store.came.wait()
    for _ in range(5):
        settles([Settlement(TOKENS, 1, 2)])
    store.goes_on.set()
    first.join()
    assert store.calls == [1, 5]
    assert round(-spent(store)) == 6


def test_what_the_store_has_missed_is_settled_once_it_is_back(store):
    settles, failed = Settler(lambda: store), []
    settles.on_failed = lambda: failed.append("once")
    store.away = True
    settles([Settlement(TOKENS, 1, 4)])
    settles([Settlement(TOKENS, 1, 3)])
    assert not settles.try_again()
    assert failed == ["once"]
    store.away = False
    assert settles.try_again()
    assert round(-spent(store)) == 5
    settles([Settlement(TOKENS, 1, 2)])
    assert round(-spent(store)) == 6


def test_what_was_settled_counts_once_although_the_answer_was_lost(store):
    settles = Settler(lambda: store)
    store.loses_answers = True
    settles([Settlement(TOKENS, 1, 4)])
    settles([Settlement(TOKENS, 1, 3)])
    while len(store.calls) < 4:
        store.came.wait()
    store.loses_answers = False
    wait_until(lambda: not settles._is_trying, 30)
    assert round(-spent(store)) == 5


def test_after_a_minute_the_estimate_stays_and_the_log_says_so(store, caplog):
    clock = GivenClock()
    settles = Settler(lambda: store, clock)
    settles.on_failed = lambda: None
    store.away = True
    with caplog.at_level(logging.WARNING, "limitkit"):
        settles([Settlement(TOKENS, 1, 4), Settlement(TOKENS, 1, 4)])
        clock.sleep(60.0)
        assert not settles.try_again()
        assert not caplog.records
        clock.sleep(0.1)
        assert not settles.try_again()
        assert settles.try_again()
    assert caplog.records[0].getMessage() == (
        "2 true costs could not be settled, since the store can't be asked (away); their estimates stay."
    )
    store.away = False
    settles([])
    assert store.calls == []
