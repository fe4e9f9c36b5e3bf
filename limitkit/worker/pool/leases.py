"""The leases of the slots that this worker's running tasks hold: renewed while they run, given back when they end."""

from __future__ import annotations

import logging
import threading
from collections import Counter
from typing import TYPE_CHECKING, Final, NamedTuple

from limitkit.buckets.decision import GiveBack, Lease
from limitkit.buckets.partition import OWN, parts_of
from limitkit.buckets.token_bucket import MICROSECONDS
from limitkit.clock import SYSTEM
from limitkit.errors import StoreError
from limitkit.events.emitter import emit
from limitkit.events.event_types import LeaseLost

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from limitkit.buckets.decision import Slots
    from limitkit.clock import Clock
    from limitkit.stores.store import Store

logger = logging.getLogger("limitkit")

_RENEWALS: Final = 3
"""How often a lease is renewed in its time: two calls may fail before it is lost."""
_PAUSE: Final = 1.0
"""Seconds until a store that failed is asked again."""
_LONGEST: Final = 20.0
_QUIET: Final = 60.0
"""Seconds for which the log says no more of one limit: a store that has lost its data has lost all of its leases."""
_MOST: Final = 1000
"""Leases that are renewed in one call at most."""


class _Running(NamedTuple):
    """A start that holds slots of the shared store."""

    slots: tuple[Slots, ...]
    member: str


class Leases:
    """Renews the leases of all that runs here: in a thread of its own, unless ``on_sooner`` is set to something else.

    A thread, since the worker's loop may be busy, or may be the thread that runs the tasks.
    """

    def __init__(self, store: Callable[[], Store | None], name_of: Callable[[str], str], clock: Clock = SYSTEM) -> None:
        """``name_of`` names the limit of a bucket's key, for the log."""
        self._store, self._clock = store, clock
        self._name_of = name_of
        self._running: dict[str, _Running] = {}
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._lost: set[str] = set()
        self._logged: dict[str, float] = {}
        """When the log has last said that a lease was lost, by limit."""
        self._every = _LONGEST
        """Seconds between two renewals: as the shortest lease that was ever held here needs."""
        self._last = self._pause = 0.0
        self._began = False
        self.on_sooner: Callable[[], None] = self._wake_thread
        """Is called when ``due`` comes nearer, and with the first lease: has ``renew`` called then."""

    def __len__(self) -> int:
        return len(self._running)

    def running(self) -> Counter[str]:
        """Count the slots that are held here, by the keys of their limits. May be called in any thread."""
        return Counter(slots.key for each in list(self._running.values()) for slots in each.slots)

    def hold(self, slots: Iterable[Slots], member: str) -> None:
        """Renew these slots of a start from now on."""
        held = tuple(slots)
        every = min(each.lease_us for each in held) / MICROSECONDS / _RENEWALS
        with self._changed:
            self._running[member] = _Running(held, member)
            if not self._began:
                self._last = self._clock.monotonic()
            sooner = every < self._every or not self._began
            self._began, self._every = True, min(every, self._every)
        if sooner:
            self.on_sooner()

    def end(self, member: str) -> list[GiveBack]:
        """Renew them no more; returns what gives them back to the store."""
        with self._changed:
            running = self._running.pop(member, None)
            self._lost.discard(member)
        return [] if running is None else give_backs(running.slots, member)

    def end_all(self) -> list[GiveBack]:
        """Renew none any more; returns what gives all back."""
        return [gift for member in list(self._running) for gift in self.end(member)]

    @property
    def due(self) -> float:
        """When to renew next, as monotonic time."""
        return self._last + (self._pause or self._every)

    def renew(self) -> None:
        """Renew all that is held now. Never raises: a store that can't be asked is asked again soon."""
        with self._changed:
            running = list(self._running.values())
        self._last = self._clock.monotonic()
        self._pause = 0.0 if not running or self._renew(running) else min(_PAUSE, self._every)

    def _wake_thread(self) -> None:
        with self._changed:
            if self._thread is None:
                self._thread = threading.Thread(target=self._renew_all, name="limitkit-leases", daemon=True)
                self._thread.start()
            self._changed.notify()

    def _renew_all(self) -> None:
        while True:
            with self._changed:
                while (rest := self.due - self._clock.monotonic()) > 0.0:
                    self._changed.wait(rest)
            self.renew()

    def _renew(self, running: list[_Running]) -> bool:
        """Renew these; returns whether the store could be asked."""
        leases = [Lease(slots, each.member) for each in running for slots in each.slots]
        store = self._store()
        if store is None:
            return True
        try:
            for first in range(0, len(leases), _MOST):
                some = leases[first : first + _MOST]
                for lease, kept in zip(some, store.renew(some), strict=True):
                    if not kept:
                        self._note_lost(lease)
        except StoreError as error:
            logger.debug("Leases could not be renewed: %s", error)
            return False
        except Exception:
            logger.exception("Leases could not be renewed; it is tried again.")
            return False
        return True

    def _note_lost(self, lease: Lease) -> None:
        """Count, once, a task that runs on without its slot: another may run in its place."""
        with self._changed:
            if lease.member not in self._running or lease.member in self._lost:
                return
            self._lost.add(lease.member)
        name, now = self._name_of(lease.bucket.key), self._clock.monotonic()
        if not name:
            return
        emit(LeaseLost(limit=name))
        if now - self._logged.get(name, -_QUIET) < _QUIET:
            return
        self._logged[name] = now
        logger.warning(
            "A task of limit %s lost its slot while it ran, since its lease of %gs could not be renewed in time; until "
            "it ends, one more may run at once than the limit says. Was this worker frozen, or the store away?",
            name,
            lease.bucket.lease_us / MICROSECONDS,
            extra={"action": "lease_lost", "limit": name},
        )


def give_backs(slots: Iterable[Slots], member: str) -> list[GiveBack]:
    """Return what frees the slots of a start."""
    return [GiveBack(each, 0, 0, member) for each in slots]


def limit_of(key: str) -> str:
    """Name the limit of a bucket's key, without its partition; empty for a limit in shadow, which delays nobody."""
    return (parts_of(key) or ("",))[0].removeprefix(OWN)
