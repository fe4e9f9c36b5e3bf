"""The manager: sets rates while workers run, for scripts, consoles, and the command line."""

from __future__ import annotations

import getpass
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from limitkit.buckets.override import Override, OverrideError, Target, name_of
from limitkit.config.wording import quote
from limitkit.control import inputs
from limitkit.control.app_config import config_of, must_be_config, real_app
from limitkit.control.current import current
from limitkit.control.declarations import declared_for, read_declarations
from limitkit.control.in_force import InForce
from limitkit.control.override_posting import KINDS, OverridePosting
from limitkit.control.reduced import reduced
from limitkit.control.targets import all_of, find, keys_of
from limitkit.stores.choice import open_store, store_url
from limitkit.stores.overrides import OverrideStore

if TYPE_CHECKING:
    import datetime as dt
    import os
    from collections.abc import Collection, Mapping, Sequence

    from limitkit.config.declared import Limit, StoreSettings
    from limitkit.config.load import Config
    from limitkit.control.current import Current
    from limitkit.stores.store import Store

    Span = float | dt.timedelta | str | None
    """Seconds, a timedelta, or a duration as TOML writes it; None has no end."""


class RateLimitManager:
    """Sets rates at run time, over those of the file, on all workers at once.

    ``app`` is the Celery app with limitkit installed. If it is not installed, ``config`` is a path or what
    ``limitkit.load(path)`` returned. Names are those of limits, of tasks, or of patterns in the file. Without an app
    (None) the file must name the store, and what needs workers, or the names of all tasks, can't be done.

    Overrides are kept in the limits' store: all workers follow within a second, also those that start later, until the
    override ends or is restored. Static limits of a config without a store are set by Celery's remote control, in the
    workers that run now.

    All methods raise ``OverrideError``, a ``ValueError``, for what can't be done, ``StoreError`` when the store can't
    be asked, and ``UnreachableError`` when the broker can't, or when workers take no remote control. Making one raises
    ``ConfigError`` when the file can't be used.
    """

    def __init__(self, app: Any, config: str | os.PathLike[str] | Config | None = None) -> None:
        must_be_config(config, "RateLimitManager")
        self.app: Any = real_app(app, "RateLimitManager") if app is not None else None
        self.config = config_of(self.app, config)
        store = _shared_store(self.app, self.config.rules.store)
        self.store = store
        self.override_store = OverrideStore(store, self.config.rules.store.prefix) if store is not None else None
        self._posting = OverridePosting(self.app, self.override_store)

    # -- rates ----------------------------------------------------------------------------------------------------

    def adjust_rate(
        self,
        task_name: str,
        new_rate: str | int,
        workers: Sequence[str] | None = None,
        *,
        burst: int | None = None,
        partition: object = None,
        for_: Span = None,
        reason: str | None = None,
        by: str | None = None,
    ) -> Override:
        """Set the rate of a limit, or of the one limit that a task has; of a concurrency limit, how many may run.

        ``new_rate`` is written as in TOML (``"20/m"``); for a concurrency limit it is a whole number. The declared
        burst stays unless ``burst`` is given. With a ``partition`` it holds for that one alone: a value of the limit's
        key, or its digest. After ``for_`` (seconds, a timedelta, or ``"2h"``) the declared rate returns by itself.
        ``workers`` are names of workers, only for limits that each worker has for itself; they forget the override when
        they stop. ``by`` is who sets it, by default this process's user.

        Returns the override without its end, which the store's clock decides: ``current()`` has it.
        """
        target, limit = self._find(task_name, partition)
        rate, running = inputs.terms(target, limit, new_rate)
        deep = inputs.burst_of(target, limit, burst)
        made = self._made((target, limit), reason, by, kind="rate", rate=rate, burst=deep, max_running=running)
        self._set([(limit, made)], inputs.seconds(for_), workers)
        return made

    def set_weights(
        self,
        name: str,
        weights: Mapping[Any, float],
        *,
        for_: Span = None,
        reason: str | None = None,
        by: str | None = None,
    ) -> tuple[Override, ...]:
        """Set weights of values of a limit's ``fair_by``, also for what waits already; other values keep theirs."""
        target, limit = self._find(name)
        pairs = [
            (limit, self._made((each, limit), reason, by, kind="weight", weight=weight))
            for each, weight in inputs.weights(target, limit, weights).items()
        ]
        self._set(pairs, inputs.seconds(for_))
        return tuple(made for _, made in pairs)

    def reduce_for_high_load(
        self, factor: float = 0.5, *, for_: Span = None, reason: str | None = None, by: str | None = None
    ) -> tuple[Override, ...]:
        """Set each limit to its *declared* rate times ``factor`` (above 0, at most 1): a second call changes nothing.

        Bursts stay as declared. No limit is switched off: half of "1/m" is one every two minutes, and no rate gets
        slower than "1/366d". Windows and concurrency limits are rounded down, to at least 1. Of a limit with a schedule
        it is a part of the lowest that the file declares; a partition with terms of its own has a part of these.
        """
        part = inputs.factor(factor)
        pairs = [
            (limit, self._made((each, limit), reason, by, kind="rate", rate=rate, max_running=running))
            for target, limit in all_of(self.config.rules)
            for each, rate, running in reduced(target, limit, part)
        ]
        self._set(pairs, inputs.seconds(for_))
        return tuple(made for _, made in pairs)

    def restore_defaults(self) -> None:
        """Put the declared rates of all limits in force again: no override, and no pause."""
        self._posting.remove([each.name for each in self._posting.posted() if self._is_ours(each.target)])
        self._posting.forget(target for target, limit in all_of(self.config.rules) if limit.local)

    def restore(self, name: str, partition: object = None) -> None:
        """Put the declared rate of one limit in force again: no override, and no pause. It may have left the file.

        Without a ``partition``, also of all its partitions, and their weights.
        """
        target = self._target(name, partition)
        named = [name_of(kind, target) for kind in KINDS]
        if partition is None:
            named += [each.name for each in self._posting.posted() if each.target.whole == target]
        self._posting.remove(list(dict.fromkeys(named)))
        if self._is_local(target):
            self._posting.forget([target])

    # -- pauses ---------------------------------------------------------------------------------------------------

    def pause(
        self,
        name: str,
        *,
        partition: object = None,
        for_: Span = None,
        reason: str | None = None,
        by: str | None = None,
    ) -> Override:
        """Let no task of a limit, or of one partition, start until it is resumed or ``for_`` is over; they wait."""
        target, limit = self._find(name, partition)
        made = self._made((target, limit), reason, by, kind="pause")
        self._set([(limit, made)], inputs.seconds(for_))
        return made

    def resume(self, name: str, *, partition: object = None) -> None:
        """End a pause of a limit, or of one partition; a rate that was set before the pause holds again."""
        target = self._target(name, partition)
        self._posting.remove([name_of("pause", target)])
        if self._is_local(target):
            self._posting.forget([target], kinds=("pause",))

    # -- buckets --------------------------------------------------------------------------------------------------

    def reset(self, limit: str, partition: object = None) -> int:
        """Make the bucket of a limit full again, or that of one partition; returns how many were not full.

        A window is empty again. Without a partition, all buckets of a limit with a key are filled; of a static limit,
        that of each worker. What is parked comes back at once, where the broker lets workers be told of it.
        """
        target, found = self._find(limit, partition)
        if found.strategy == "concurrency":
            why = "its slots are those of tasks that run, and free when they end"
            raise OverrideError(f"{target} can't be reset: {why}; to let more start, set another number")
        names = self._names_of(target, found)
        buckets = [key for each in names for key in keys_of(self.config.rules.store.prefix, each, target)]
        if found.local:
            return sum(len(self._posting.command("limitkit_refill", key=key)) for key in buckets)
        assert self.store is not None  # noqa: S101 (_find refuses a shared limit without one)
        whole = found.key is not None and not target.partition
        filled = sum(self.store.refill(key, partitions=whole) for key in buckets)
        self._posting.refilled(buckets, partitions=whole)
        return filled

    # -- what there is --------------------------------------------------------------------------------------------

    def current(self) -> tuple[Current, ...]:
        """Return what is in force for each limit of the file."""
        return current(self.config.rules, self.in_force())

    def in_force(self) -> InForce:
        """Return what the store knows now: overrides, and the declarations of other files."""
        in_force = InForce()
        if self.override_store is not None:
            files = [digest for digest in self.override_store.look().files if digest != self.config.digest]
            look = self.override_store.look(wanted=files)
            in_force.use(look.overrides or (), look.now)
            in_force.others(map(read_declarations, look.declared.values()))
        return in_force

    # -- how ------------------------------------------------------------------------------------------------------

    def _find(self, name: str, partition: object = None) -> tuple[Target, Limit]:
        target, limit = find(self.config.rules, name, self._tasks())
        if limit.mode == "off":
            raise OverrideError(f"{target} is off, so it has no rate; set its mode, or LIMITKIT_MODE, to enforce first")
        if not limit.local and self.store is None:
            raise OverrideError(f"{target} needs a store that all can reach, and there is none; name one: [store] url")
        return (target if partition is None else inputs.partition(target, limit, partition)), limit

    def _target(self, name: str, partition: object = None) -> Target:
        """Return the target of a name: in the file, or of an override from when it was in the file."""
        try:
            target, limit = find(self.config.rules, name, self._tasks())
        except OverrideError:
            posted = next((each.target.whole for each in self._posting.posted() if each.target.name == name), None)
            if posted is None:
                raise
            return posted if partition is None else inputs.partition_of(posted, partition)
        return target if partition is None else inputs.partition(target, limit, partition)

    def _tasks(self) -> Collection[str]:
        return self.app.tasks.keys() if self.app is not None else ()

    def _is_ours(self, target: Target) -> bool:
        rules = self.config.rules
        if target.section == "limits":
            return target.name in rules.named
        patterns = {entry.pattern for entry in rules.patterns}
        return target.name in patterns or rules.for_task(target.name) is not None

    def _is_local(self, target: Target) -> bool:
        found = dict(all_of(self.config.rules)).get(target.whole)
        return found is not None and found.local

    def _names_of(self, target: Target, limit: Limit) -> list[Limit]:
        """Return the limit once for each task that has its own bucket by it."""
        if not limit.own or "*" not in target.name:
            return [limit]
        if self.app is None:
            raise OverrideError(f"only the app knows which tasks {quote(target.name)} matches; name the app")
        rules = ((name, self.config.rules.for_task(name)) for name in sorted(self.app.tasks))
        return [each for _, rule in rules if rule and rule.pattern == target.name for each in rule.limits]

    def _made(self, over: tuple[Target, Limit], reason: str | None, by: str | None, **what: Any) -> Override:
        target, limit = over[0], declared_for(over[1], over[0].partition)
        return Override(
            target=target,
            by=inputs.words("by", by if by is not None else _user()),
            reason=inputs.words("reason", reason or ""),
            declared_rate=limit.rate_text,
            declared_burst=limit.most,
            at=time.time(),
            **what,
        )

    def _set(
        self, pairs: Sequence[tuple[Limit, Override]], seconds: float | None, workers: Sequence[str] | None = None
    ) -> None:
        """Set these; what the store keeps shows no partition that may not be shown."""
        kept = [
            (limit, made if limit.show_key else replace(made, target=replace(made.target, shown="")))
            for limit, made in pairs
        ]
        self._posting.set(kept, seconds, workers)


def _shared_store(app: Any, settings: StoreSettings) -> Store | None:
    """Open the store that is shared with the workers; None without one, or if it is each worker's own memory."""
    url = settings.url if app is None else store_url(app, settings)
    return None if url is None or url.startswith("memory://") else open_store(app, settings)


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):  # a container's user may have no name
        return ""
