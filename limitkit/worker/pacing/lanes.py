"""All lanes of a worker and the requests in them: where each waits, when it changes its lane, and when it leaves."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from limitkit.buckets.partition import buckets_of, parts_of
from limitkit.worker.pacing.lane import NEVER, Lane
from limitkit.worker.pacing.taking import wanted
from limitkit.worker.pool.revoked import is_revoked

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from limitkit.buckets.decision import Bucket
    from limitkit.buckets.turns import Turns
    from limitkit.worker.pacing.lane import Held
    from limitkit.worker.pacing.lane_timer import LaneTimer
    from limitkit.worker.pacing.prefetch_window import PrefetchWindow
    from limitkit.worker.pacing.tokens import Tokens
    from limitkit.worker.pool.processes import Processes
    from limitkit.worker.pool.request_order import RequestOrder
    from limitkit.worker.pool.usual_starts import UsualStarts

_FARTHEST: Final = 32  # movers that are followed to find a circle, which is no longer than the limits of a few tasks
_MOST_TURNS: Final = 256


class Lanes:
    """The requests that are held, each in one lane at a time.

    A request with several limits waits first in the lane of its slowest bucket for which others wait, too. At that
    lane's head it *moves* on to its anchor, and is the lane's mover until it starts or is refused: only then may the
    next come forward.
    """

    def __init__(
        self, lane_timer: LaneTimer, processes: Processes, tokens: Tokens, window: PrefetchWindow, usual: UsualStarts
    ) -> None:
        self.usual = usual
        self.held: dict[Held, None] = {}  # in the order of arrival
        self._lane_timer, self._processes = lane_timer, processes
        self._tokens, self._window = tokens, window
        self.by_key: dict[str, Lane] = {}
        self.on_leave: Callable[[Held], None] = lambda _: None
        """Is called with each request that is not held any more."""
        self._keeping: list[Lane] = []  # for which a process is kept
        self._turns: dict[str, Turns] = {}  # of lanes that have no request now: the oldest are forgotten

    def __len__(self) -> int:
        return len(self.by_key)

    def lane(self, bucket: Bucket, *, local: bool) -> Lane:
        """Return the lane of a bucket; its rate is the one that is given."""
        lane = self.by_key.get(bucket.key)
        if lane is None:
            lane = self.by_key[bucket.key] = Lane(bucket, local=local)
            lane.turns = self._turns.pop(bucket.key, None)
        elif lane.bucket != bucket:
            self.return_slots(lane)
            lane.use(bucket)
        else:
            return lane
        lane.cost = self.usual.cost(lane.tag)
        if (interval_us := self.usual.interval_us(bucket)) != lane.interval_us:
            lane.follow(interval_us)
        return lane

    def counts(self) -> dict[str, int]:
        """Count the requests in each lane, by the bucket's key. May be called in any thread."""
        return {key: len(lane.waiting) for key, lane in list(self.by_key.items()) if lane.waiting}

    # -- requests -------------------------------------------------------------------------------------------------

    def add(self, held: Held) -> None:
        """Hold a request, in no lane yet."""
        for lane in held.lanes:
            lane.refs += 1
            if lane.bucket.metered:
                lane.cost = self.usual.costs(lane.tag, held.cost(lane))
        self.held[held] = None

    def enter(self, held: Held) -> None:
        """Let a request wait: behind those before it for a narrower bucket if there are any, else for its anchor."""
        busy = [lane for lane in held.others() if lane.is_ahead_of(held)]
        self.join(held, busy[0] if busy else held.anchor)

    def leave(self, held: Held) -> None:
        """Forget a request that waits in no lane, and lanes that have no request any more."""
        del self.held[held]
        held.wait_for(None)
        self.on_leave(held)
        self._window.narrow(held)
        for lane in held.lanes:
            lane.refs -= 1
            if lane.mover is held:
                self.let_come(lane, 0.0)
            if not lane.refs:
                self.return_slots(lane)
                self._lane_timer.schedule(lane, NEVER)
                self.by_key.pop(lane.bucket.key, None)
                self._keep_turns(lane)

    def drop(self, held: Held) -> None:
        """Forget a request wherever it waits."""
        if held.at is not None and held in held.at.waiting:
            held.at.waiting.take_out(held)
            self._lane_timer.line.advance(held.at)  # with turns, the next may come before the one that has left
        self.leave(held)

    def _keep_turns(self, lane: Lane) -> None:
        if lane.turns is not None:
            self._turns[lane.bucket.key] = lane.turns
            if len(self._turns) > _MOST_TURNS:
                del self._turns[next(iter(self._turns))]

    # -- from lane to lane ----------------------------------------------------------------------------------------

    def join(self, held: Held, lane: Lane) -> None:
        """Let a request wait in a lane, which is looked at at once if no other waited there."""
        self._push(held, lane)
        if lane.due == NEVER and not lane.ready and not lane.mover:
            self._lane_timer.schedule(lane, 0.0)

    def advance(self, lane: Lane) -> None:
        """Let the head of a lane move on to its anchor; it holds up nobody where that has no token for some time."""
        held = lane.pop()
        if held.anchor.next_token(self._lane_timer.now) <= lane.patience(held.anchor):
            lane.mover = held
        self.join(held, held.anchor)

    def let_others_come(self, held: Held, wait: float = NEVER) -> None:
        """Let a request hold up nobody in the lanes of its other buckets, if it waits for so many seconds."""
        for lane in held.lanes:
            if lane.mover is held and wait > lane.patience(held.anchor):
                self.let_come(lane, 0.0)

    def move(self, held: Held, lane: Lane, due: float) -> None:
        """Let a request wait for another of its buckets, which has no token before ``due``; it holds up nobody else."""
        if lane.mover is held:
            lane.mover = None
        self.let_others_come(held)
        self._push(held, lane)
        self._lane_timer.withdraw(lane, due)
        if not lane.ready and not lane.mover and (lane.waiting[0] is held or lane.due == NEVER):
            ahead = [slot.at for slot in lane.slots if slot.at > self._lane_timer.now]
            self._lane_timer.schedule(lane, min([due, *ahead[:1]]))

    def _push(self, held: Held, lane: Lane) -> None:
        if lane.mover is not None and lane.waiting.is_before(held, lane.mover):
            lane.mover = None  # a request that comes before the mover need not wait for it
        lane.push(held)
        if lane.ready and lane.waiting[0] is held:
            self._lane_timer.line.advance(lane)
        self._untangle(held)

    def let_come(self, lane: Lane, due: float) -> None:
        """Let the next request of a lane come forward at ``due``: the one before has started, or waits elsewhere."""
        lane.mover = None
        if lane.waiting and not lane.ready:
            self._lane_timer.schedule(lane, due)

    def rest(self, lane: Lane, due: float) -> None:
        """Look at a lane again when it is due; at once if it is due already."""
        if not lane.refs or lane.ready:
            return
        if lane.waiting:
            self._lane_timer.schedule(lane, due)
        else:
            self.return_slots(lane)
            self._lane_timer.schedule(lane, NEVER)

    def _untangle(self, held: Held) -> None:
        """Break a circle: a request that waits behind one that waits for it is the mover of its lanes no more."""
        lane = held.at
        for _ in range(_FARTHEST):
            if lane is None or lane.mover is None:
                return
            if lane.mover is held:
                break
            lane = lane.mover.at
        self.let_others_come(held)

    def settle(self, lane: Lane, now: float) -> bool:
        """Drop requests that will never start, and move those that wait for another bucket; whether others are left."""
        while lane.slots and lane.slots[0].until < now + lane.margin:
            # Missed: no process came in time. Only the last ones can be given back: later slots build on the others.
            if lane.slots[-1].until < now + lane.margin:
                self.return_slots(lane)
            else:
                lane.slots.popleft()
        while lane.waiting and not lane.mover:
            held = lane.waiting[0]
            if is_revoked(held.request):
                self.drop(held)
            elif held.anchor is not lane:
                self.advance(lane)
            else:
                return True
        if not lane.waiting:
            self.return_slots(lane)
        return False

    # -- slots and processes --------------------------------------------------------------------------------------

    def return_slots(self, lane: Lane) -> None:
        """Give back what a lane has reserved, and the process that is kept for it."""
        self._unkeep(lane)
        self._tokens.give_back(lane)

    def keep_process(self, lane: Lane, seconds: float) -> None:
        """Keep a process for a lane's first slot, if one is spare."""
        if lane.slots and not lane.keeps and self._processes.spare:
            lane.keeps = True
            self._keeping.append(lane)
            self._processes.keep(seconds)

    def unkeep_ready(self) -> None:
        """Free the kept processes whose slot has come: their lanes are in line now, and get processes there."""
        for lane in [lane for lane in self._keeping if lane.ready]:
            self._unkeep(lane)

    def unkeep_behind(self, order: RequestOrder) -> bool:
        """Free a process that is kept for a request after this place; returns whether there was any.

        That request's lane joins the line for another process, so that its slot need not be lost.
        """
        last = max((lane for lane in self._keeping if lane.waiting), key=lambda lane: lane.waiting[0], default=None)
        if last is None or last.waiting[0].order < order:
            return False
        self._processes.refund(last.next_token(self._lane_timer.now))
        self._unkeep(last)
        last.early = True
        self._lane_timer.schedule(last, 0.0)
        return True

    def wanting(self, now: float) -> Iterator[Any]:
        """Go through the requests that would start now if there were processes, as far as is known."""
        for lane in self._lane_timer.line:
            if lane.waiting:
                yield from (held.request for held in islice(lane.waiting, wanted(lane, now)))

    def _unkeep(self, lane: Lane) -> None:
        if lane.keeps:
            lane.keeps = False
            self._keeping.remove(lane)
            self._processes.unkeep()

    def postpone(self, used: list[tuple[Lane, float]], started: float) -> None:
        """Count a start with tokens of this worker's own at the time when it was, each given as ``HandOver`` saw it."""
        for lane, ahead in used:
            self.return_slots(lane)
            self._tokens.postpone(lane, started - lane.tolerance, ahead)
            if lane.waiting and not lane.ready and not lane.mover:
                self._lane_timer.schedule(lane, started)

    def note_run(self, key: str, seconds: float) -> None:
        """Note for how long a task has had a slot of a concurrency limit: so long others wait."""
        tag = (parts_of(key) or ("",))[0]
        self.usual.ran(tag, seconds)
        lane = self.by_key.get(key)
        if lane is not None:
            lane.follow(self.usual.interval_us(lane.bucket))

    def wake(self, key: str) -> None:
        """Look at a lane at once, since a slot of its concurrency limit may be free."""
        lane = self.by_key.get(key)
        if lane is not None and lane.waiting and not lane.ready and not lane.mover:
            lane.dry_until = 0.0
            self._lane_timer.schedule(lane, 0.0)

    def refill(self, key: str, *, partitions: bool) -> None:
        """Fill a bucket of this worker's own, or all partitions; look at lanes whose bucket is full again."""
        self._tokens.own.refill(key, partitions=partitions)
        for each in buckets_of(key, self.by_key, partitions=partitions):
            self.wake(each)

    # -- all of them ----------------------------------------------------------------------------------------------

    def start_over(self, due: float) -> None:
        """Put all that is held into its lanes again, to be looked at when they are due."""
        self._lane_timer.clear()
        for lane in self.by_key.values():
            self.return_slots(lane)
            lane.waiting.clear()
            lane.mover = None
            self._lane_timer.schedule(lane, due)
        for held in self.held:
            held.anchor.push(held)

    def forget(self) -> None:
        """Forget all requests and lanes; what was reserved goes back."""
        self.held.clear()
        for lane in self.by_key.values():
            self.return_slots(lane)
            lane.waiting.clear()
            lane.mover, lane.refs, lane.blocked, lane.due = None, 0, 0, NEVER
        self.by_key.clear()
        self._lane_timer.clear()
