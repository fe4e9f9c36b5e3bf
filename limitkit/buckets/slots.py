"""The slots of a concurrency limit: who has one, and until when unless his lease is renewed.

``stores/slots.lua`` does the same arithmetic inside Redis.
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

    from limitkit.buckets.decision import Slots, Take

POLL_US: Final = 1_000_000
"""After this time one who waits asks again, woken or not."""
PATIENCE_US: Final = 2_000_000
"""For how long one who waits is woken, unless he asks again."""
MOST_WOKEN: Final = 8


def random_hex() -> str:
    """Return 16 hexadecimal digits that nobody else has."""
    return secrets.token_hex(8)


def new_member(now: float, new_name: Callable[[], str] = random_hex) -> str:
    """Name a start that begins now (seconds since 1970), so that its slots are its own: ``<ms>-<random hex>``."""
    return f"{int(now * 1000)}-{new_name()}"


def since(member: str) -> float:
    """Return when the start of this name began, in seconds since 1970; 0.0 if the name does not say."""
    digits = member.partition("-")[0]
    return int(digits) / 1000 if digits.isascii() and digits.isdigit() and len(digits) < 16 else 0.0  # noqa: PLR2004 (no clock shows more)


class Leases:
    """The slots of one limit in a store in memory, and who waits for one."""

    def __init__(self) -> None:
        self.ends: dict[str, int] = {}
        """By member: when its lease ends, in microseconds."""
        self.waiters: dict[str, int] = {}
        """Who is to be woken, and until when."""

    def running(self, now: int) -> int:
        """Forget the leases that are over, and return how many are not."""
        if any(end <= now for end in self.ends.values()):
            self.ends = {member: end for member, end in self.ends.items() if end > now}
        return len(self.ends)

    def renew(self, member: str, lease_us: int, now: int) -> bool:
        """Renew a lease, if it is still there; returns whether it is."""
        if member not in self.ends:
            return False
        self.ends[member] = now + lease_us
        return True

    def woken(self, burst: int, now: int) -> list[str]:
        """Return whom to wake, first come first: one more than there are free slots, and they wait no longer."""
        free = burst - self.running(now) if self.waiters else 0
        if free <= 0:
            return []
        known = sorted((until, waiter) for waiter, until in self.waiters.items() if until > now)
        first = [waiter for _, waiter in known[: min(free, MOST_WOKEN) + 1]]
        self.waiters = {waiter: until for until, waiter in known[len(first) :]}
        return first


class Place:
    """One look at the slots of a limit, for one start."""

    def __init__(self, leases: Leases, slots: Slots, ask: Take, now: int) -> None:
        self._leases, self._slots, self._ask, self._now = leases, slots, ask, now
        self._running = leases.running(now)
        self._has = ask.member in leases.ends
        self._poll = POLL_US if slots.burst else slots.interval_us
        self._full = not self._has and self._running >= slots.burst
        self.wait = self._poll if self._full else 0

    def finish(self, *, taken: bool, asked: bool) -> int:
        """Take the slot, or wait for one; returns the number that run."""
        if taken:
            self._leases.ends[self._ask.member] = self._now + self._slots.lease_us
            self._running = len(self._leases.ends)
            self.wait = 0 if self._running < self._slots.burst else self._poll
        elif self._full and asked and self._ask.waiter:
            self._leases.waiters[self._ask.waiter] = self._now + PATIENCE_US
        return self._running
