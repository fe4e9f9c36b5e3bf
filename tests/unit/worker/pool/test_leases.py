"""The leases of what runs here: renewed while it runs, whatever the store does, and given back at its end."""

import logging
import threading
from dataclasses import replace

from support.given_clock import GivenClock

from limitkit.buckets.decision import GiveBack, Slots, Take
from limitkit.clock import SYSTEM
from limitkit.errors import StoreError
from limitkit.events.emitter import listen, unlisten
from limitkit.events.event_types import LeaseLost
from limitkit.stores.memory import MemoryStore
from limitkit.worker.pool.leases import Leases, limit_of

REPORTS = Slots("limitkit:{reports}:r1", 1_000_000, 2, lease_us=60_000)


class Store(MemoryStore):
    """Counts renewals, and may be away."""

    def __init__(self, clock=SYSTEM):
        super().__init__(clock)
        self.away = False
        self.renewed = threading.Semaphore(0)

    def renew(self, leases, **options):
        self.renewed.release()
        if self.away:
            raise StoreError("away")
        return super().renew(leases, **options)


def taken(store, member):
    return bool(store.take([Take((REPORTS,), member=member)])[0].slots)


def test_a_slot_stays_taken_for_many_lease_times_and_is_free_at_the_end():
    store = Store()
    leases = Leases(lambda: store, str)
    assert taken(store, "mine")
    leases.hold([REPORTS], "mine")
    for _ in range(12):
        assert store.renewed.acquire(timeout=30)
    assert [member for member, _ in store.running([REPORTS])[0]] == ["mine"]
    gifts = leases.end("mine")
    assert gifts == [GiveBack(REPORTS, 0, 0, "mine")]
    store.take([], gifts)
    assert store.running([REPORTS]) == [[]]
    assert leases.end("mine") == []


class Heard:
    def __init__(self):
        self.events, self.came = [], threading.Event()

    def wants(self, kind):
        return kind is LeaseLost

    def __call__(self, event):
        self.events.append(event)
        self.came.set()


def test_a_lease_that_could_not_be_renewed_in_time_is_counted_and_logged_once(caplog):
    store, heard = Store(), Heard()
    leases = Leases(lambda: store, lambda _: "reports")
    assert taken(store, "mine")
    store.take([], [GiveBack(REPORTS, 0, 0, "mine")])  # as if it had ended
    listen(heard)
    try:
        with caplog.at_level(logging.WARNING, "limitkit"):
            leases.hold([REPORTS], "mine")
            assert heard.came.wait(30)
            for _ in range(3):
                assert store.renewed.acquire(timeout=30)
    finally:
        unlisten(heard)
        leases.end("mine")
    assert heard.events == [LeaseLost(limit="reports")]
    (record,) = caplog.records
    assert record.getMessage().startswith("A task of limit reports lost its slot while it ran")


def test_leases_are_renewed_by_the_clock_that_is_given_when_they_are_due():
    clock, near = GivenClock(), []
    store = Store(clock)
    leases = Leases(lambda: store, str, clock)
    leases.on_sooner = lambda: near.append(leases.due)
    slots = replace(REPORTS, lease_us=90_000_000)
    store.take([Take((slots,), member="mine")])
    leases.hold([slots], "mine")
    leases.hold([slots], "another that needs it as often")
    leases.hold([replace(slots, key="other", lease_us=9_000_000)], "one that needs it more often")
    assert near == [1020.0, 1003.0]
    clock.now = leases.due
    leases.renew()
    assert leases.due == 1006.0
    store.away, clock.now = True, leases.due
    leases.renew()
    assert leases.due == 1007.0, "a store that is away is asked again in a second"
    store.away, clock.now = False, leases.due
    leases.renew()
    assert leases.due == 1010.0
    clock.now = 1096.9
    assert [member for member, _ in store.running([slots])[0]] == ["mine"]
    clock.now = 1097.1
    assert store.running([slots]) == [[]]


def test_a_store_that_is_away_is_asked_again():
    store = Store()
    leases = Leases(lambda: store, str)
    store.away = True
    leases.hold([REPORTS], "mine")
    for _ in range(4):
        assert store.renewed.acquire(timeout=30)
    assert leases.end_all()


def test_what_runs_is_counted_by_limit_and_partition():
    leases = Leases(Store, limit_of)
    acme = replace(REPORTS, key=f"{REPORTS.key}:=acme")
    leases.hold([REPORTS, acme], "mine")
    leases.hold([acme], "other")
    assert leases.running() == {REPORTS.key: 1, acme.key: 2}
    leases.end("other")
    assert leases.running() == {REPORTS.key: 1, acme.key: 1}
    leases.end_all()
    assert not leases.running()


def test_a_limit_is_named_without_partition_and_one_in_shadow_not_at_all():
    assert limit_of("limitkit:{reports}:r1:=acme") == "reports"
    assert limit_of("limitkit:{task=shop.report}:r1") == "shop.report"
    assert limit_of("limitkit:{reports}:sr:=acme") == ""
    store, heard = Store(), Heard()
    shadow = replace(REPORTS, key="limitkit:{reports}:sr:=acme")
    leases = Leases(lambda: store, limit_of)
    listen(heard)
    try:
        leases.hold([shadow], "mine")  # it has no slot in the store
        for _ in range(3):
            assert store.renewed.acquire(timeout=30)
    finally:
        unlisten(heard)
        leases.end("mine")
    assert heard.events == []
