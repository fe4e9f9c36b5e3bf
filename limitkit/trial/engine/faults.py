"""What goes wrong in a play: workers that are killed, stopped or disconnected, and a store that is away."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from celery.worker import state

from limitkit.errors import StoreError
from limitkit.stores.overrides import OverrideStore
from limitkit.trial.scenario import Disconnect, Kill, Revoke, SetOverride, Stop, StoreAway
from limitkit.waiting.deliveries import SILENCE, WATCH

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from limitkit.trial.engine.played_parts import Surroundings
    from limitkit.trial.engine.shared_store import SharedStore
    from limitkit.trial.engine.worker import Worker
    from limitkit.trial.outcome import Outcome
    from limitkit.trial.scenario import Fault

_RESCUED_AFTER: Final = SILENCE + WATCH + 0.5
"""Seconds after a worker's death at which others return its messages."""
_VISIBILITY_TIMEOUT: Final = 3600.0
_LOOKS_AGAIN: Final = 1.5
"""Seconds after which a worker has looked again: just after an outage it does not ask the store for a second."""
_NOTED_EVERY: Final = 5.0
"""Seconds between two counts of the workers; see ``stores.worker_count``."""


class Faults:
    """Lets faults happen to the workers and the store of one play."""

    def __init__(
        self, around: Surroundings, workers: Mapping[str, Worker], store: SharedStore, outcome: Outcome
    ) -> None:
        self._around, self._workers, self._store, self._outcome = around, workers, store, outcome
        self._timeline, self._clock = around.timeline, around.clock
        self._outages = 0

    def happen(self, fault: Fault) -> None:
        """Let one happen now."""
        if isinstance(fault, StoreAway):
            self._outages += 1
            self._store.gone = True
            self._after(fault.seconds, self._store_is_back)
        elif isinstance(fault, SetOverride):
            self._override(fault)
        elif isinstance(fault, Revoke):
            state.revoked.add(str(fault.number))
        else:
            worker = self._workers[fault.worker]
            if not worker.gone:
                self._strike(fault, worker)

    def left(self) -> None:
        """Have the other workers count how many there are, as they do now and then."""
        for each in self._alive():
            note = each.task_limits.worker_count.note
            self._timeline.at(self._clock.now + self._around.jitter(_NOTED_EVERY), note, actor=each)

    def _strike(self, fault: Kill | Stop | Disconnect, worker: Worker) -> None:
        if isinstance(fault, Disconnect):
            self._timeline.at(self._clock.now, worker.disconnect, actor=worker)
        elif isinstance(fault, Stop):
            self._timeline.at(self._clock.now, worker.stop, actor=worker)
        else:
            for request in worker.pool.given:
                self._around.ended(request)  # what it ran will not end
            worker.kill()
            rescues = self._around.config.rules.waiting.rescue
            self._after(_RESCUED_AFTER if rescues else _VISIBILITY_TIMEOUT, self._rescue, worker)
            self.left()

    def _rescue(self, dead: Worker) -> None:
        if self._alive():
            dead.give_back_all()
        else:
            self._after(1.0, self._rescue, dead)

    def _store_is_back(self) -> None:
        self._outages -= 1
        self._store.gone = self._outages > 0

    def _override(self, fault: SetOverride) -> None:
        given = fault.override
        seconds = None if given.until is None else given.until - fault.at
        try:
            OverrideStore(self._store, self._around.config.rules.store.prefix).post([(given, seconds)])
        except StoreError as error:
            self._outcome.warnings.append(f"{given.target} could not be set: {error}")
            return
        for each in self._alive():
            moments = (0.0, _LOOKS_AGAIN) if seconds is None else (0.0, _LOOKS_AGAIN, seconds)
            for moment in moments:
                after = moment + self._around.jitter(0.5)  # each looks once a second
                self._timeline.at(self._clock.now + after, each.look_at_overrides, actor=each)

    def _after(self, seconds: float, call: Callable[..., None], *args: object) -> None:
        self._timeline.at(self._clock.now + seconds, call, *args)

    def _alive(self) -> list[Worker]:
        return [each for each in self._workers.values() if not each.gone]
