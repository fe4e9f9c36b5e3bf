"""What a recorder knows of the workers that it hears: when each came and went, its clock, and what it took unrecorded.

Times are seconds from the beginning of the recording.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, TypedDict

from limitkit.config.wording import count, span

if TYPE_CHECKING:
    from collections.abc import Mapping

_APART: Final = 1.0
"""Seconds by which the clocks of two machines may differ before it is said."""
_UNSEEN: Final = 3.0
"""Seconds for which a worker may not be recorded before it is said, where nothing is known to have started in them."""
_PROMPT: Final = 0.01
"""Seconds that were waited for an event which came as soon as it could: nothing else was before it."""
_FACTS: Final = ("processes", "prefetch_multiplier", "running")
_DIGITS: Final = 3
_NAMED: Final = 3


class Unrecorded(TypedDict):
    """What a worker took while it was not recorded."""

    seconds: float
    """For how long it was not."""
    started: int
    """Messages that started in these, as far as that is known."""


@dataclass
class _Worker:
    facts: dict[str, int]
    first: float
    last: float


@dataclass
class HeardWorkers:
    """The workers of a recording, by name."""

    _workers: dict[str, _Worker] = field(default_factory=dict)
    _unrecorded: dict[str, Unrecorded] = field(default_factory=dict)
    _clocks: dict[str, float] = field(default_factory=dict)

    def __len__(self) -> int:
        """Count them."""
        return len(self._workers)

    def __contains__(self, name: str) -> bool:
        """Whether one of this name was heard."""
        return name in self._workers

    def names(self) -> set[str]:
        """Return their names; in no order."""
        return set(self._workers)

    def answered(self, name: str, facts: Mapping[str, Any]) -> None:
        """Note one that has answered at the beginning; what it says by itself (``hello``) is more."""
        self._workers.setdefault(name, _Worker(_known(facts), 0.0, 0.0))

    def hello(self, name: str, facts: Mapping[str, Any], now: float) -> None:
        """Note one that begins to record now."""
        up, started = facts.get("up"), facts.get("started")
        known = self._workers.get(name)
        came = max(0.0, now - up) if isinstance(up, (int, float)) and math.isfinite(up) else now
        since = max(came, known.last if known is not None else 0.0)
        is_new = came > 0.0 and since == came
        if is_new or now - since > _UNSEEN:
            before = self._unrecorded.get(name, Unrecorded(seconds=0.0, started=0))
            self._unrecorded[name] = Unrecorded(
                seconds=round(before["seconds"] + now - since, _DIGITS),
                started=before["started"] + (max(0, started) if is_new and isinstance(started, int) else 0),
            )
        first = known.first if known is not None else came
        self._workers[name] = _Worker(_known(facts), first, max(now, since))

    def heard(self, name: str, now: float, behind: float | None, *, waited: float) -> None:
        """Note that something came of one; its clock is so many seconds ``behind`` by it, None where that is not known.

        What took time on its way makes a clock seem more behind than it is, so the least counts, and nothing that was
        there already, so that it was not ``waited`` for.
        """
        worker = self._workers.get(name)
        if worker is not None:
            worker.last = max(worker.last, now)
        if behind is not None and waited > _PROMPT:
            self._clocks[name] = min(self._clocks.get(name, math.inf), behind)

    @property
    def facts(self) -> dict[str, dict[str, int]]:
        """Their processes, how far they fetch ahead, and how many tasks ran as they began to record."""
        return {name: each.facts for name, each in sorted(self._workers.items())}

    @property
    def stays(self) -> dict[str, dict[str, float]]:
        """The same, and from when to when each was there."""
        return {
            name: {**each.facts, "first": round(each.first, _DIGITS), "last": round(each.last, _DIGITS)}
            for name, each in sorted(self._workers.items())
        }

    @property
    def unrecorded(self) -> dict[str, Unrecorded]:
        """Those that came meanwhile, up to when they were told, and those that did not record for long."""
        return dict(sorted(self._unrecorded.items()))

    @property
    def lacks(self) -> list[str]:
        """Say who took messages while it was not recorded, or was not for so long that it may have."""
        lack = [(name, each) for name, each in self.unrecorded.items() if each["started"] or each["seconds"] > _UNSEEN]
        said = [
            f"{name} was not recorded for {span(each['seconds'])}, in which it "
            + (f"started {count(each['started'], 'message')}" if each["started"] else "may have taken messages")
            for name, each in lack[:_NAMED]
        ]
        more = len(lack) - len(said)
        return [*said, *([f"nor were {count(more, 'other worker')} all the time"] if more else [])]

    @property
    def clocks_apart(self) -> dict[str, float]:
        """Seconds by which clocks are behind this machine's: those that make waits seem longer or shorter."""
        return {name: round(behind, 1) for name, behind in sorted(self._clocks.items()) if abs(behind) > _APART}


def _known(facts: Mapping[str, Any]) -> dict[str, int]:
    return {name: facts[name] for name in _FACTS if isinstance(facts.get(name), int)}
