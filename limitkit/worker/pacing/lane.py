"""Lanes: the pacer's queues of requests, each waiting for one bucket."""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from limitkit.buckets.decision import Bucket, GiveBack, Slots, Take
from limitkit.buckets.lateness import lateness
from limitkit.buckets.partition import parts_of
from limitkit.buckets.token_bucket import MICROSECONDS
from limitkit.buckets.turns import NOBODY, ArrivalOrder, TurnOrder, Turns

if TYPE_CHECKING:
    from collections.abc import Sequence

    from limitkit.buckets.turns import TurnTaker
    from limitkit.control.task_limits import Ask
    from limitkit.worker.pool.request_order import RequestOrder

NEVER: Final = float("inf")

_HORIZON: Final = (1.0, 0.5)
_SHORT_HORIZON: Final = (0.2, 0.1)
"""Seconds; see ``Lane.horizon``. What is reserved still starts when the other side refuses, or a schedule ends."""
_SOON: Final = 1.0  # seconds
_STALE: Final = 0.1
"""A token that is not taken so many seconds after its time waits for a process; until then it is only a little late."""


class Slot(NamedTuple):
    """A moment for which a token was taken ahead, and until when the start may be late for it."""

    at: float
    until: float


class Lane:
    """Requests that wait for one bucket, the slots reserved for them, and when to look again.

    All times are seconds of monotonic time.
    """

    __slots__ = (
        "batch", "blocked", "bucket", "cost", "dry_at", "dry_until", "due", "early", "elsewhere", "horizon",
        "interval_us", "keeps", "lead", "local", "margin", "mark", "mover", "plenty", "ready", "refs",
        "reserve", "reserves", "slack", "slots", "tag", "tolerance", "turns", "waiting",
    )  # fmt: skip

    def __init__(self, bucket: Bucket, *, local: bool) -> None:
        self.waiting: ArrivalOrder[Held] | TurnOrder[Held] = ArrivalOrder()
        """By the message's priority, then by arrival; with ``fair_by`` within each value, and the values take turns."""
        self.turns: Turns | None = None
        """Whose turn it was, if any limit of the bucket has ``fair_by``."""
        self.slots: deque[Slot] = deque()
        self.mark = 0
        """The bucket's state after the last of these slots, for giving them back."""
        self.batch = 0
        """How many of these slots came in the last take: only they are sure to be the bucket's last."""
        self.dry_until = 0.0
        """Until then the bucket has no token, by the last answer of the store; afterwards it may have many."""
        self.plenty = False
        """Whether it had more, by that answer."""
        self.dry_at = 0.0
        """When a request was last seen to wait here for a token, and not only for a process."""
        self.due = NEVER
        self.early = False
        """Due before its token is, to get a process in time from a busy pool."""
        self.keeps = False
        """Whether a process is kept for its first slot."""
        self.ready = False
        """Whether it is in the pacer's line for a pool process."""
        self.mover: Held | None = None
        """The request that is next for this bucket's token, and now waits for one of another bucket."""
        self.reserve = False
        """Whether the head needs only a slot of this bucket to start: then it is reserved."""
        self.refs = 0
        self.blocked = 0
        """How many of these wait for another bucket that is out of tokens, and leave this one's to others."""
        self.elsewhere: Counter[Lane] = Counter()
        """How many of these wait for a token of their anchor, by that anchor: until it has one, they take none here."""
        self.local = local
        """Static: the bucket is this worker's own."""
        self.tag = (parts_of(bucket.key) or ("",))[0]
        """The name of its limit, as buckets' keys have it; empty for an extra cap."""
        self.cost = 1.0
        """Tokens that a start usually takes."""
        self.use(bucket)

    def use(self, bucket: Bucket) -> None:
        """Use this rate and burst from now on, until the store says another rate.

        Slots that are reserved ahead are a token's time apart, a burst starts at once: so starts may be late for such
        slots by a burst less one, which is the *slack* (docs/decisions/003-late-slots.md has the proof).
        """
        self.bucket = bucket
        self.reserves = type(bucket) is Bucket and not bucket.metered
        """Whether slots of it can be reserved ahead, and given to any request: each costs one token."""
        self.horizon, self.lead = _SHORT_HORIZON if bucket.feedback or bucket.varies else _HORIZON
        """Seconds within which a slot may be reserved, and seconds before its time at which it is."""
        self.follow(bucket.interval_us)

    def follow(self, interval_us: int) -> None:
        """Use this rate from now on: feedback may make it slower than the declared rate."""
        self.interval_us = interval_us
        """Microseconds between two tokens."""
        self.tolerance, self.margin, self.slack = lateness(self.bucket, interval_us)

    def reserve_slots(self, slots: tuple[float, ...], mark: int, now: float) -> None:
        """Keep what was taken, in seconds from ``now``."""
        if slots:
            self.mark, self.batch = mark, len(slots)
        for slot in slots:
            self.slots.append(Slot(now + slot, now + slot + (self.slack if slot > 0.0 else self.tolerance)))

    def note_wait(self, wait: float, now: float) -> None:
        """Note in how many seconds the bucket has its next token. If no worker takes that for a while, it has more."""
        if isinstance(self.bucket, Slots):  # it says when to ask again; a slot comes sooner where tasks are short
            wait = min(wait, self.interval_us / MICROSECONDS)
        self.dry_until = now + wait + _STALE if wait > 0.0 else 0.0
        self.plenty = wait <= 0.0

    def soonest(self, wait: float) -> float:
        """Return in how many seconds to ask again after a refusal: others may settle for less than they have taken."""
        return min(wait, _SOON) if self.bucket.metered else wait

    def next_token(self, now: float) -> float:
        """Return in how many seconds there is a token: of a reserved slot, else by the store's last answer."""
        return max(0.0, (self.slots[0].at if self.slots else self.dry_until - _STALE) - now)

    def wait(self, now: float, more: int = 0) -> float:
        """Return in how many seconds all of this worker's requests may have started, and so many more; an estimate."""
        if 0 < (wanted := self.count + more) <= len(self.slots):
            return max(0.0, self.slots[wanted - 1].at - now)
        if self.dry_until <= now:
            return max(0, wanted - self.at_once) / self.rate
        return self.dry_until - now + max(0, wanted - len(self.slots) - 1) / self.rate

    def patience(self, anchor: Lane) -> float:
        """Return for how many seconds a token here is left to a request that waits for one of its anchor."""
        # Until others have the next one; none that lies idle, nor for a window, which may have none for long.
        return self.interval_us * self.cost / MICROSECONDS if anchor.reserves and not self.plenty else 0.0

    def push(self, held: Held) -> None:
        """Let a request wait here."""
        held.wait_for(self)
        if held.takers and isinstance(self.waiting, ArrivalOrder) and held.taker(self) is not NOBODY:
            self.turns, before = self.turns or Turns(), self.waiting
            self.waiting = TurnOrder(self.turns, lambda each: each.taker(self))
            for each in before:
                self.waiting.add(each)
        self.waiting.add(held)

    @property
    def count(self) -> int:
        """How many requests of this worker could have this bucket's tokens."""
        return self.refs - self.blocked

    def count_soon(self, now: float) -> int:
        """Count those whose anchor has a token within a second: the others take none here until then."""
        return self.count - sum(max(0, count - anchor.starts_soon(now)) for anchor, count in self.elsewhere.items())

    def starts_soon(self, now: float) -> int:
        """Return how many the bucket could let start within a second."""
        left = _SOON - self.next_token(now)
        return (self.at_once if self.dry_until <= now else 1) + int(left * self.rate) if left >= 0.0 else 0

    def pop(self) -> Held:
        """Take the first one out."""
        return self.waiting.take_first()

    def is_ahead_of(self, held: Held) -> bool:
        """Whether a request that comes before this one waits for this bucket, or is its mover."""
        return any(self.waiting.is_before(rival, held) for rival in (*self.waiting[:1], self.mover) if rival)

    def take_out(self, asked: Held) -> Held:
        """Take out the request that tokens were taken for; another may have come before it meanwhile."""
        if self.waiting[0] is asked:
            return self.pop()
        self.waiting.take_out(asked)
        return asked

    @property
    def rate(self) -> float:
        """Starts a second, as they usually are."""
        return MICROSECONDS / (self.interval_us * self.cost)

    @property
    def at_once(self) -> int:
        """How many may start at once after a quiet time."""
        return max(1, int(self.bucket.burst / self.cost))

    @property
    def paced(self) -> Bucket:
        """The bucket with the rate that is in force, as its tokens are taken and given back."""
        if self.interval_us == self.bucket.interval_us:
            return self.bucket
        return replace(self.bucket, interval_us=self.interval_us)

    @property
    def spaced(self) -> Bucket:
        """The same with the time between two usual starts, for those who wait elsewhere."""
        return replace(self.bucket, interval_us=round(self.interval_us * self.cost)) if self.cost != 1.0 else self.paced


@dataclass(slots=True, eq=False)
class Held:
    """A request that waits in this worker, unacknowledged."""

    order: RequestOrder
    request: Any
    lanes: tuple[Lane, ...]
    since: float
    anchor: Lane = field(init=False)
    """Of its buckets, the shared one fastest at its cost: most others want it too, so slots are reserved only there."""
    at: Lane | None = None
    window: bool = False
    """Whether the prefetch window grew by one for it."""
    squeezed: bool = False
    """Whether it takes a place in a prefetch window that can't grow."""
    throttled: bool = False
    """Whether ``TaskThrottled`` was emitted for it."""
    asks: tuple[Ask, ...] = ()
    """What it takes of each lane's bucket, in the order of the lanes; empty for one token of each."""
    member: str = ""
    """The name under which it has its slots of concurrency limits, from the take on; empty without such limits."""
    takers: tuple[TurnTaker, ...] = field(init=False)
    """For whom it waits in each of the lanes; empty when none of its limits has ``fair_by``."""

    def __post_init__(self) -> None:
        self.takers = tuple(ask.taker for ask in self.asks) if any(ask.turn for ask in self.asks) else ()
        self.anchor = max(self.lanes, key=lambda lane: (not lane.local, -lane.bucket.interval_us * self.cost(lane)))

    def __lt__(self, other: Held) -> bool:
        return self.order < other.order

    def wait_for(self, at: Lane | None) -> None:
        """Wait for a bucket: when it is not the anchor's, those of the other lanes are left to others."""
        for place, one in ((self.at, -1), (at, 1)):
            for lane in self.lanes if place is not None else ():
                if place not in (lane, self.anchor):
                    lane.blocked += one
                elif place is not lane:
                    lane.elsewhere[place] += one
                    if not lane.elsewhere[place]:
                        del lane.elsewhere[place]
        self.at = at

    def taker(self, lane: Lane) -> TurnTaker:
        """Return for whom it waits in a lane."""
        return self.takers[self.lanes.index(lane)] if self.takers else NOBODY

    def starting(self) -> Held:
        """Note that it starts, and waits in no lane any more: the turn of its values is over."""
        for lane in self.lanes:
            lane.waiting.starts(self)
        return self

    @property
    def is_plain(self) -> bool:
        """Whether all it needs is one token of one bucket, so that any slot that is reserved there will do."""
        return len(self.lanes) == 1 and self.lanes[0].reserves

    def cost(self, lane: Lane) -> int:
        """Return how many tokens it takes of a lane's bucket."""
        return self.asks[self.lanes.index(lane)].cost if self.asks else 1

    @property
    def has_slots(self) -> bool:
        """Whether one of its limits is a concurrency limit."""
        return any(isinstance(lane.bucket, Slots) for lane in self.lanes)

    def take(self, lanes: Sequence[Lane], waiter: str = "", *, count: int = 1) -> Take:
        """Return the take of its start from some of its buckets, now; with a ``count`` of 0, a peek.

        ``waiter`` is who is to be woken when a slot of a concurrency limit is free.
        """
        buckets = tuple(lane.bucket for lane in lanes)
        costs = tuple(self.cost(lane) for lane in lanes) if any(bucket.metered for bucket in buckets) else ()
        if not any(isinstance(bucket, Slots) for bucket in buckets):
            return Take(buckets, count, costs=costs)
        return Take(buckets, count, costs=costs, member=self.member, waiter=waiter if count else "")

    def undo(self, lane: Lane, mark: int) -> GiveBack:
        """Return what gives back its token, its tokens, or its slot."""
        return GiveBack(lane.paced, mark, self.cost(lane), self.member if isinstance(lane.bucket, Slots) else "")

    def slots(self, *, local: bool) -> tuple[Slots, ...]:
        """Return the concurrency limits of which it has slots: this worker's own, or those of the store."""
        return tuple(lane.bucket for lane in self.lanes if lane.local == local and isinstance(lane.bucket, Slots))

    def slowest(self, now: float) -> Lane:
        """Return the lane in which this worker's requests need longest to start."""
        return max(self.lanes, key=lambda lane: lane.wait(now))

    def others(self) -> list[Lane]:
        """Return the lanes of its buckets, without the anchor."""
        return [lane for lane in self.lanes if lane is not self.anchor]
