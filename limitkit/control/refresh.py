"""The refresh: keeps a running worker up to date with overrides and with changes of the file."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Final, Protocol

from limitkit.buckets.partition import parts_of
from limitkit.control.config_reload import Reload
from limitkit.control.in_force import Terms
from limitkit.control.limit_changes import emit_changes
from limitkit.control.override_watch import EVERY, OverrideWatch
from limitkit.events.repeated import Repeated
from limitkit.stores.overrides import OverrideStore

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from limitkit.buckets.override import Override
    from limitkit.config.load import Config
    from limitkit.control.task_limits import TaskLimits
    from limitkit.errors import Problem

logger = logging.getLogger("limitkit")

_TICK: Final = 0.5
"""Seconds between two looks at the file: a change is put in force at the second look that sees it."""
_JUST_AFTER: Final = 0.001
"""Seconds after a schedule's minute at which it is looked at."""
_AT_ONCE: Final = 0.001
"""Seconds between two requests that were parked for a limit that is gone: they come back at once."""


class Bypass(Protocol):
    """Something in this worker that may let tasks bypass their limits, as a fact and a hint."""

    @property
    def fact(self) -> str:
        """What it is, and which tasks it concerns."""

    @property
    def hint(self) -> str:
        """What to do about it."""


class Follower(Protocol):
    """Holds requests in this worker, and follows the rates in force."""

    def retime(self, terms: Mapping[str, Terms], weights: Mapping[str, Mapping[str, float]]) -> None:
        """Let parked requests come back at the new rates, given by tags, or by the whole keys of partitions.

        ``weights`` are those that are new, by tags and the digests of values of ``fair_by``.
        """

    def reconsider(self) -> None:
        """Take again for held requests whose limit has changed."""


class Refresh:
    """The regular checks of a worker, on its event loop; they never raise.

    ``judge`` finds the problems of a config in this worker; ``use`` puts it in force.
    """

    def __init__(
        self,
        config: Config,
        task_limits: TaskLimits,
        tasks: Callable[[], Iterable[Any]],
        judge: Callable[[Config], Iterable[Problem]],
        use: Callable[[Config], None],
    ) -> None:
        self.reload = Reload(config, judge, self._use_config)
        self.override_watch: OverrideWatch | None = None
        """None in a worker without a store."""
        self.bypasses: Callable[[], Iterable[Bypass]] = tuple
        """Returns what may bypass the limits in this worker."""
        self._task_limits = task_limits
        self._tasks = tasks
        self._use = use
        self._pacer: Follower | None = None
        self._timer: Any = None
        self._call_after: Callable[[float, Callable[[], None]], Any] = lambda *_: None
        self._pool: Any = None
        self._ticks = 0
        self._newly: set[str] = set()
        self._processes: set[int] = set()
        self._terms: Mapping[str, Terms] = {}
        self._weights: Mapping[str, Mapping[str, float]] = {}
        if task_limits.store is not None:
            self.override_watch = OverrideWatch(
                task_limits, OverrideStore(task_limits.store, task_limits.rules.store.prefix), config.digest
            )
            task_limits.freshen = self.override_watch.freshen
            self.override_watch.look()

    def start(self, consumer: Any, pacer: Follower | None) -> None:
        """Begin to look regularly; the timer ends with the connection."""
        self.stop()
        self._pacer, self._pool = pacer, consumer.pool
        if self.override_watch is not None and not self._ticks:
            self.override_watch.log_all()
        self._follow()
        self._call_after = consumer.timer.call_after
        self._timer = Repeated(consumer.timer, _TICK, self.tick)

    def stop(self) -> None:
        """Stop looking."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def tick(self) -> None:
        """Look at the file, and every second time at the overrides in the store."""
        self._ticks += 1
        try:
            changed = self.reload.look()
            if self.override_watch is not None and (changed or self._ticks % round(EVERY / _TICK) == 0):
                changed |= self.override_watch.look()
            if changed:
                self._follow()
        except Exception:
            logger.exception("What is set at run time can't be taken up; it is tried again in a second.")
        self.turn()

    def turn(self) -> None:
        """Put in force what schedules say now; what they say before the next tick is put in force at its moment."""
        in_force = self._task_limits.in_force
        try:
            if in_force.turned():
                self._task_limits.changed()
                self._follow()
            left = in_force.turns_in()
            if self._timer is not None and left < _TICK:
                self._call_after(max(0.0, left) + _JUST_AFTER, self.turn)
        except Exception:
            logger.exception("What a schedule says can't be put in force; it is tried again within a second.")

    def reload_now(self) -> str:
        """Load the file as it is, at once; returns what is wrong with it, or an empty text."""
        if self.reload.now():
            if self.override_watch is not None:
                self.override_watch.look()
            self._follow()
        return self.reload.refused

    def look_now(self) -> None:
        """Look at the overrides in the store now, without waiting for the next time."""
        if self.override_watch is not None and self.override_watch.look():
            self._follow()

    def override_here(self, override: Override, seconds: float | None) -> None:
        """Use an override in this worker only, for so many seconds (None: until ``forget_here``)."""
        self._task_limits.in_force.here(override, seconds)
        self._task_limits.changed()
        self._follow()

    def forget_here(self, names: Sequence[str]) -> None:
        """Drop overrides that are in force in this worker only."""
        if self._task_limits.in_force.forget(names):
            self._task_limits.changed()
            self._follow()

    @property
    def store_gone(self) -> str:
        """Why the store could not be asked at the last look; empty if it could, or if there is no store."""
        return self.override_watch.gone if self.override_watch is not None else ""

    def unguarded(self) -> list[str]:
        """Name the tasks that got limits with a changed file while older pool processes are still running.

        Their starts are paced, but those processes do not guard them: they do not see when a start is late.
        """
        if not self._processes.intersection(_processes_of(self._pool)):
            self._newly.clear()
        return sorted(self._newly)

    def _use_config(self, config: Config) -> None:
        before = {task.name for task in self._tasks() if self._task_limits.may_limit(task)}
        self._use(config)
        new = {task.name for task in self._tasks() if self._task_limits.may_limit(task)} - before
        if new:
            self._newly |= new
            self._processes = _processes_of(self._pool)
        if self.override_watch is not None:
            self.override_watch.use_file(config.digest)

    def _follow(self) -> None:
        """Let waiting requests follow the rates that are in force now."""
        terms = self._task_limits.terms(self._tasks())
        changed = _changed(self._terms, terms)
        weights = self._task_limits.weights(self._tasks())
        if self._terms:
            emit_changes(self._task_limits, self._tasks(), changed, self._terms)
        if self._pacer is not None:
            reweighed = {tag: of for tag, of in weights.items() if self._weights.get(tag) != of}
            if changed or reweighed:
                self._pacer.retime(changed, reweighed)
            self._pacer.reconsider()
        self._terms, self._weights = terms, weights


def _changed(before: Mapping[str, Terms], terms: Mapping[str, Terms]) -> dict[str, Terms]:
    """Return the terms that are new, by tags and the keys of partitions with terms of their own.

    A limit that is gone lets all go at once. A partition that has no terms of its own any more has those of its limit;
    one that has keeps them when its limit's change.
    """
    changed = {key: of for key, of in terms.items() if before.get(key) != of}
    changed |= {key: of for key, of in terms.items() if _tag(key) in changed}
    for key in before:  # in their order, which is the same each time
        if key not in terms:
            changed[key] = terms.get(_tag(key), Terms(round(_AT_ONCE * 1_000_000), 1))
    return changed


def _tag(key: str) -> str:
    parts = parts_of(key)
    return parts[0] if parts is not None else key


def _processes_of(pool: Any) -> set[int]:
    """Return the pids of a prefork pool's processes; none for other pools, whose tasks run in this process."""
    return {process.pid for process in getattr(getattr(pool, "_pool", None), "_pool", None) or ()}
