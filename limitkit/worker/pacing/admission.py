"""Admits requests: the lanes in line get pool processes first and tokens second, many in one call of the store."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from limitkit.errors import StoreError
from limitkit.worker.pacing import taking
from limitkit.worker.pacing.process_shares import ProcessShares
from limitkit.worker.pacing.without_store import WithoutStore
from limitkit.worker.pool.autoscaler import scale

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from limitkit.worker.pacing.lane import Held, Lane
    from limitkit.worker.pacing.lane_timer import LaneTimer
    from limitkit.worker.pacing.lanes import Lanes
    from limitkit.worker.pacing.tokens import Tokens
    from limitkit.worker.pool.processes import Processes


class Admission:
    """Plans what lanes take, takes all of it in one call, and carries out the result."""

    def __init__(
        self, controller: Any, lane_timer: LaneTimer, processes: Processes, tokens: Tokens, lanes: Lanes
    ) -> None:
        self._controller, self._clock = controller, tokens.clock
        self._lane_timer = lane_timer
        self._processes = processes
        self._tokens = tokens
        self._lanes = lanes
        self._without_store_starts = WithoutStore(tokens, lanes, lambda admitted: self.on_start(admitted))  # noqa: PLW0108 (set later)
        self.on_start: Callable[[taking.Admitted], None] = lambda _: None
        """Is called with each request that may start; a pool process is held for it."""
        self.on_refused: Callable[[Held, Lane, float], None] = lambda *_: None
        """Is called with each request that now waits for another of its buckets, and for how many seconds."""

    @property
    def can_wait(self) -> bool:
        """Whether nothing starts before a process is free; without an autoscaler, which must see what waits."""
        return self._processes.are_claimed and getattr(self._controller, "autoscaler", None) is None

    def take(self, now: float) -> None:
        """Let requests of the lanes in line start, as far as there are processes and tokens."""
        plans = self._plans(now)
        if plans:
            self._carry_out(plans, now)
        else:
            self._tokens.flush()

    def _plans(self, now: float) -> list[taking.Plan]:
        """Share the free processes out among the lanes in line, and queue for more."""
        self._lanes.unkeep_ready()
        shares = ProcessShares(self._lane_timer.line, self._lanes, self._processes, now)
        shares.deal()
        self._lane_timer.pressing |= shares.unfinished
        self._processes.claim(shares.wanting)
        if shares.wanting:
            self._lane_timer.pressing |= scale(self._controller, self._lanes.wanting(now))
        named = self._tokens.new_member
        return [taking.Plan(share.lane, share.processes, named, ahead=share.ahead) for share in shares.dealt]

    def _carry_out(self, plans: list[taking.Plan], begun: float) -> None:
        waiter = (
            self._tokens.waiter if any(plan.lane.waiting and plan.lane.waiting[0].has_slots for plan in plans) else ""
        )
        takes = [take for plan in plans for take in plan.takes(begun, self._tokens.own, self._processes, waiter)]
        try:
            decisions = iter(self._tokens.take(takes) if takes else ())
        except StoreError:
            self._tokens.give_back_later(gift for plan in plans for gift in plan.unanswered)
            self._without_store([plan for plan in plans if not plan.lane.local])
            plans, decisions = [plan for plan in plans if plan.lane.local], iter(())
        now = self._clock.monotonic()
        self._lane_timer.pressing |= self._lane_timer.call_up(now)
        for plan in plans:
            plan.settle(decisions, now, self._tokens.own)
            self._tokens.give_back_later(plan.returns)
            for lane, due in plan.frees:
                self._lanes.let_come(lane, due)
            self._start_and_move(plan)
            wait = plan.lane.next_token(now)
            if plan.lane.waiting and wait > 0.0:
                plan.lane.dry_at = now
                self._lanes.let_others_come(plan.lane.waiting[0], wait)
            self._lanes.rest(plan.lane, plan.due)
            plan.lane.early = plan.early
        for plan in plans:  # only now is it known which processes were not used
            if plan.keeps:
                self._lanes.keep_process(plan.lane, plan.keeps)

    def _start_and_move(self, plan: taking.Plan) -> None:
        for admitted in plan.starts:
            self.on_start(admitted)
        for held, lane, due in plan.moves:
            self.on_refused(held, lane, max(0.0, due - self._clock.monotonic()))
            self._lanes.move(held, lane, due)

    def _without_store(self, plans: Iterable[taking.Plan]) -> None:
        """Let requests start without the store, as ``on_error`` of their shared limits says."""
        now = self._clock.monotonic()
        for plan in plans:
            plan.keep_slots()
            self._start_and_move(plan)
            due = self._without_store_starts.start(plan.lane, plan.processes - len(plan.starts), now)
            self._lanes.rest(plan.lane, due)
