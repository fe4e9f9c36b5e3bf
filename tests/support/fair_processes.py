"""Watches a played worker for who is passed over: another has a better right to a process, and could start as well."""

from celery.worker import state

from limitkit.buckets.decision import Take
from limitkit.stores.memory import MemoryStore
from limitkit.trial.engine.messages import Request
from limitkit.trial.scenario import StoreAway

A_MOMENT = 0.002


class FairProcesses:
    def __init__(self, world, worker):
        self.passed_over = []
        self._world, self._pacer = world, worker.pacer
        self._semaphore = worker._semaphore
        self._was_gone = any(isinstance(fault, StoreAway) for fault in world._scenario.faults)
        admission = self._pacer._admission
        start = admission.on_start
        admission.on_start = lambda admitted: (self._judge(admitted), start(admitted))

    def _judge(self, admitted):
        order, now = admitted.held.order, self._world.clock.now
        if self._world._shared.gone or self._pacer._task_limits.outage.recent:
            return
        better = [held for held in self._pacer._lanes.held if held.order < order and self._may_start(held, now)]
        rivals = [args[0] for _, args, _ in self._semaphore._waiting if isinstance(args[0], Request)]
        unlimited = self._pacer._processes.unlimited
        rivals = [each for each in rivals if unlimited.order(each) < order and each.id not in state.revoked]
        self._world.timeline.at(now, self._look_after, order, better, rivals)

    def _look_after(self, order, better, rivals):
        if self._semaphore.value:
            return  # there is one for everybody
        waiting = {args[0] for _, args, _ in self._semaphore._waiting if isinstance(args[0], Request)}
        self.passed_over += [(order, held.order) for held in better if held in self._pacer._lanes.held]
        self.passed_over += [(order, each.id) for each in rivals if each in waiting]

    def _may_start(self, held, now):
        return held.request.id not in state.revoked and all(self._has_token(lane, held, now) for lane in held.lanes)

    def _has_token(self, lane, held, now):
        """Whether a bucket has had a token for a moment, on which nobody has a better claim."""
        now -= A_MOMENT
        if lane.mover is not None and lane.mover < held:
            return False
        if (lane.bucket.feedback is not None or self._was_gone) and lane.next_token(now):
            return False  # as was heard last: its rate is on its way back, or it was this worker's share
        if lane.slots:
            return lane.slots[0].at <= now <= lane.slots[0].until - lane.margin
        store = self._pacer._tokens.own if lane.local else self._world._shared
        return not MemoryStore.take(store, [Take((lane.bucket,), 0)], now_us=int(now * 1e6))[0].retry_after
