"""What is asked of a store and what it answers: plain frozen values.

There is one class for each kind of limit: ``Bucket`` (token bucket), ``Window`` and ``Slots`` (concurrency). A store
takes from any mix of them in one step, all or nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    from limitkit.config.declared import Feedback, Resets

Outcome = Literal["started", "held", "parked", "dropped", "failed", "shadowed", "failed_open"]


@dataclass(frozen=True, slots=True)
class Bucket:
    """A token bucket as a store needs it: which one, how fast and how deep it is."""

    key: str
    interval_us: int
    """Microseconds between two tokens."""
    burst: int
    """The most tokens that it holds; 0 is a paused bucket: it admits nothing, keeps its tokens, and is asked again
    after ``interval_us``."""
    divides: bool = field(default=False, compare=False)
    """Whether each worker uses its share of the rate while the store is gone."""
    feedback: Feedback | None = None
    """Set for a bucket whose rate backs off when the other side refuses."""
    metered: bool = False
    """Whether starts may cost other numbers of tokens than one: then what was spent beyond its tokens is *debt*, which
    the next starts wait off, and which a change of rate does not erase."""
    varies: bool = field(default=False, compare=False)
    """Whether its rate follows a schedule: then few slots are reserved ahead, since a change must be felt soon."""


@dataclass(frozen=True, slots=True)
class Window(Bucket):
    """A window: at most ``burst`` starts (or tokens) in any stretch of its time, or from one reset to the next.

    ``interval_us`` is the mean time between two starts, for estimates; while the window is paused (``burst`` 0), the
    time until it is asked again.
    """

    period_us: int = 0
    """The time of a sliding window. A window with ``resets`` has its borders from there."""
    resets: Resets | None = None
    """When it begins anew; None for a sliding window."""
    exact: bool = False
    """Whether a sliding window keeps the time of each start (the declared number is up to 200), not 60 counters."""
    late_us: int = 0
    """How late a start may be: nothing is admitted in the last moments of a window with ``resets``, so that each start
    is in the window that counts it. A sliding window's ``period_us`` is longer by it already."""


@dataclass(frozen=True, slots=True)
class Slots(Bucket):
    """The slots of a concurrency limit: at most ``burst`` of its tasks run at once.

    ``interval_us`` is a guess of the time between two starts, for estimates of how long others wait.
    """

    lease_us: int = 15_000_000
    """For how long a slot outlives a worker that does not renew its lease."""


@dataclass(frozen=True, slots=True)
class Take:
    """Take tokens for up to ``count`` starts; each start takes its cost from every bucket, or nothing at all.

    At most ``ready`` of the starts may be now. With a ``horizon`` (seconds), slots that come due within it are reserved
    too (below zero counts as zero); the starts of one take never skip a slot. A ``count`` of 0 is a peek. All takes
    from one bucket must have horizons of up to a second, or all longer ones: a take cuts off what is further ahead than
    its own horizon.

    A start costs one token of each bucket, unless ``costs`` says otherwise. A cost above the burst waits until the
    bucket is full, and leaves debt. Slots are taken under the name ``member``, which is this start's own: taking again
    under a name that has a slot already succeeds, and renews its lease. Takes with a ``Window`` or ``Slots``, and those
    of metered buckets, have a ``count`` of 0 or 1 and no horizon.
    """

    buckets: tuple[Bucket, ...]
    count: int = 1
    ready: int = 1
    horizon: float = 0.0
    costs: tuple[int, ...] = ()
    """For each bucket, tokens that one start takes; empty when each takes one. Slots always take one."""
    member: str = ""
    """The start's own name, under which it has its slots; see ``buckets.slots.new_member``."""
    waiter: str = ""
    """Who is to be woken when a slot is free, if this take is refused for want of one; see ``Store.listen``."""


@dataclass(frozen=True, slots=True)
class GiveBack:
    """Give back the last ``count`` reserved slots of a bucket, if there was no other take since.

    ``mark`` is from the decision that reserved them. To give back after another take would move that one's slots, and
    two starts would come at the same time: so the token is lost instead.
    """

    bucket: Bucket
    mark: int
    count: int = 1
    """Tokens. For ``Window`` the last take need not be the bucket's last: counting back moves nobody's slot."""
    member: str = ""
    """For ``Slots``: under this name the start has its slot, which becomes free, whoever took since; ``mark`` and
    ``count`` do not matter then."""


@dataclass(frozen=True, slots=True)
class Settlement:
    """Correct what a start has taken, now that its true cost is known: the difference is taken or given back.

    ``mark`` is from the decision that took the estimate; only a ``Window`` needs it.
    """

    bucket: Bucket
    estimate: int
    cost: int
    mark: int = 0


class Once(NamedTuple):
    """Names a call of a store, so that it can be repeated where its answer was lost, and still counts once."""

    sender: str
    """Who calls, one call at a time."""
    number: int
    """From 1 on; each new call of a sender has a higher one."""


@dataclass(frozen=True, slots=True)
class Lease:
    """A slot that a start holds, to be renewed."""

    bucket: Slots
    member: str


class Decision(NamedTuple):
    """A store's answer to one take. A tuple: each start makes one, and a frozen dataclass takes three times as long.

    ``slots`` are seconds from now until each start that was taken, in order; 0.0 is now. ``waits`` are, for each
    bucket, seconds until one more token can be taken; for one that takes costs, until this start can; for full slots,
    until it is worth asking again. ``marks`` are the buckets' states, for a give-back; where nothing was taken, a
    ``Window`` has the number that is counted in it, and ``Slots`` the number that run.
    """

    slots: tuple[float, ...]
    waits: tuple[float, ...]
    marks: tuple[int, ...]
    intervals: tuple[int, ...] = ()
    """For each bucket, the microseconds between two tokens now; empty when no bucket has feedback."""

    @property
    def retry_after(self) -> float:
        """Seconds until a take of one start can succeed; 0.0 is now."""
        return max(self.waits, default=0.0)


@dataclass(frozen=True, slots=True)
class Refusal:
    """The other side has refused the call of a task that took from this bucket; the bucket has feedback."""

    bucket: Bucket
    age: float
    """Seconds since that task's start."""
    retry_after: float | None = None
    """Seconds that the other side asks to wait; None when it names no time."""


@dataclass(frozen=True, slots=True)
class BackedOff:
    """The state of a bucket after a refusal."""

    changed: bool
    """Whether this refusal has slowed it down or paused it; later ones of the same round change nothing."""
    pause: float
    """Seconds until a token can be taken again; 0.0 when it is not paused."""
    interval_us: int
    """Microseconds between two tokens from then on."""
