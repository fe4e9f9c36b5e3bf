"""Watches the overrides: once a second, a worker looks at those in the store."""

from __future__ import annotations

import logging
import os
from typing import TYPE_CHECKING, Final

from limitkit.control.declarations import declarations, declarations_text, read_declarations
from limitkit.errors import StoreError, StoreRefusedError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from limitkit.buckets.override import Override, Target
    from limitkit.control.declarations import Declared
    from limitkit.control.task_limits import TaskLimits
    from limitkit.stores.overrides import Look, OverrideStore

logger = logging.getLogger("limitkit")

EVERY: Final = 1.0
"""Seconds between two looks."""


class OverrideWatch:
    """Puts the overrides in the store in force in this process; it does not fail when the store is gone."""

    def __init__(self, task_limits: TaskLimits, override_store: OverrideStore, digest: str) -> None:
        self._task_limits = task_limits
        self._override_store = override_store
        self._known = ""
        self._others: dict[str, dict[Target, Declared]] = {}
        self._at = float("-inf")
        self._pid = os.getpid()
        self._refused = False
        self._has_log = False
        self._digest = digest
        self._left = ""
        self._store_knows_file = False
        self.gone = ""
        """Why the store could not be asked at the last look; empty if it could."""

    def use_file(self, digest: str) -> None:
        """Note in the store, with the next look, that this worker uses another file now."""
        self._left, self._digest = self._digest, digest
        self._store_knows_file = False

    def look(self) -> bool:
        """Look once; returns whether something else is in force than before. Overrides end also without the store."""
        self._at = self._task_limits.clock.monotonic()
        in_force = self._task_limits.in_force
        before = in_force.overrides
        try:
            changed = self._use(self._ask())
            self.gone = ""
            self._task_limits.outage.in_sight()
        except StoreError as error:
            refused = isinstance(error, StoreRefusedError)
            self.gone = "" if refused else str(error)
            if self._has_log and self._task_limits.on_errors and not refused:
                self._task_limits.outage.out_of_sight(error, self._task_limits.on_errors)
            if refused and self._has_log and not self._refused:
                self._refused = True
                logger.warning(
                    "What is set at run time can't be seen (%s), so limits hold as they are declared; %s.",
                    str(error).rstrip("."),
                    error.remedy or "fix that in the store",
                    extra={"action": "overrides_refused"},
                )
            changed = in_force.end()
        if changed:
            _log_changes(before, in_force.overrides)
            self._task_limits.changed()
        return changed

    def log_all(self) -> None:
        """Log all overrides in force: a worker's first look is before it has a log."""
        self._refused, self._has_log = False, True
        _log_changes((), self._task_limits.in_force.overrides)

    def freshen(self) -> None:
        """Look if the last look is too old: in a pool process of a worker without a pacer."""
        if self._task_limits.clock.monotonic() - self._at >= EVERY and (os.getpid() != self._pid or self._at < 0):
            self.look()

    def _ask(self) -> Look:
        declares = "" if self._store_knows_file else declarations_text(declarations(self._task_limits.rules))
        wanted = [digest for digest, declared in self._others.items() if not declared]
        look = self._override_store.look(
            self._known, digest=self._digest, declares=declares, left=self._left, wanted=wanted
        )
        self._store_knows_file, self._left = look.knows_own, ""
        # A file without shared limits is asked about each time: the answer is small.
        self._others = {digest: self._others.get(digest, {}) for digest in look.files if digest != self._digest}
        self._others |= {
            digest: read_declarations(text) for digest, text in look.declared.items() if digest in self._others
        }
        return look

    def _use(self, look: Look) -> bool:
        in_force = self._task_limits.in_force
        changed = in_force.others(self._others.values())
        if look.overrides is None:
            in_force.clock(look.now)
            return in_force.end() or changed
        if not look.version:  # its data is lost
            in_force.clock(look.now)
            ended = in_force.end()
            kept = self._override_store.put_back(self._known, in_force.overrides)
            if kept != self._known:  # another worker was first, or an operator has set something new
                self._known = ""
            logger.warning(
                "The store has lost the overrides; %d that this worker knew of are there again.",
                len(in_force.overrides),
                extra={"action": "overrides_put_back"},
            )
            return ended or changed
        self._known = look.version
        return in_force.use(look.overrides, look.now) or changed


def _log_changes(before: Iterable[Override], now: Iterable[Override]) -> None:
    """Log each override that is new, and each that has ended."""
    old, new = ({each.name: each for each in those} for those in (before, now))
    for name, each in new.items():
        if old.get(name) != each:
            logger.info("%s", _described(each), extra={"action": "override", "limit": str(each.target)})
    for name in old.keys() - new.keys():
        gone = old[name]
        what = "may start again" if gone.kind == "pause" else "is back at its declared rate"
        if gone.rate is None and gone.kind != "pause":
            what = f"is back at its declared {'weight' if gone.kind == 'weight' else 'number'}"
        logger.info("%s %s.", gone.target, what, extra={"action": "override_ended", "limit": str(gone.target)})


def _described(override: Override) -> str:
    kinds = {"pause": "is paused", "weight": f"has the {override.terms}"}
    rate = f"has the rate {override.terms}" if override.rate is not None else f"may run {override.terms}"
    burst = f" and burst {override.burst}" if override.burst else ""
    by = f", {override.who_and_why()}" if override.who_and_why() else ""
    return f"{override.target} {kinds.get(override.kind, rate)}{burst} now{by}."
