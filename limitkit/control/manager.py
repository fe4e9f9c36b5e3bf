"""The manager: sets rates while workers run, for scripts, consoles, and the command line."""

from __future__ import annotations

import getpass
import time
from typing import TYPE_CHECKING, Any, Final

from limitkit.buckets.override import Override, OverrideError, Target, name_of
from limitkit.buckets.partition import Partition, bucket_key, canonical
from limitkit.config.wording import listed, quote
from limitkit.control import inputs
from limitkit.control.app_config import config_of, must_be_config, real_app
from limitkit.control.in_force import InForce, current, read_declarations
from limitkit.control.targets import all_of, find
from limitkit.control.workers import NoRemoteControlError, ask, tell
from limitkit.stores.choice import open_store, store_url
from limitkit.stores.overrides import OverrideStore

if TYPE_CHECKING:
    import datetime as dt
    import os
    from collections.abc import Collection, Iterable, Sequence

    from limitkit.buckets.override import Kind
    from limitkit.config.declared import Limit, StoreSettings
    from limitkit.config.load import Config
    from limitkit.config.model.units import Rate
    from limitkit.control.in_force import Current
    from limitkit.stores.store import Store

    Span = float | dt.timedelta | str | None
    """Seconds, a timedelta, or a duration as TOML writes it; None has no end."""

_KINDS: Final[tuple[Kind, ...]] = ("rate", "pause")


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

    # -- rates ----------------------------------------------------------------------------------------------------

    def adjust_rate(
        self,
        task_name: str,
        new_rate: str,
        workers: Sequence[str] | None = None,
        *,
        burst: int | None = None,
        for_: Span = None,
        reason: str | None = None,
        by: str | None = None,
    ) -> Override:
        """Set the rate of a limit, or of the one limit that a task has.

        ``new_rate`` is written as in TOML (``"20/m"``). The declared burst stays unless ``burst`` is given. After
        ``for_`` (seconds, a timedelta, or ``"2h"``) the declared rate returns by itself. ``workers`` are names of
        workers, only for static limits; they forget the override when they stop. ``by`` is who sets it, by default
        this process's user.

        Returns the override without its end, which the store's clock decides: ``current()`` has it.
        """
        target, limit = self._find(task_name)
        made = self._made((target, limit), inputs.rate(new_rate), inputs.burst(burst), reason, by)
        self._set([(limit, made)], inputs.seconds(for_), workers)
        return made

    def reduce_for_high_load(
        self, factor: float = 0.5, *, for_: Span = None, reason: str | None = None, by: str | None = None
    ) -> tuple[Override, ...]:
        """Set each limit to its *declared* rate times ``factor`` (above 0, at most 1): a second call changes nothing.

        Bursts stay as declared. No limit is switched off: half of "1/m" is one every two minutes, and no rate gets
        slower than "1/366d".
        """
        part = inputs.factor(factor)
        pairs = [
            (limit, self._made((target, limit), limit.rate.times(part), None, reason, by))
            for target, limit in all_of(self.config.rules)
            if limit.rate is not None
        ]
        self._set(pairs, inputs.seconds(for_))
        return tuple(made for _, made in pairs)

    def restore_defaults(self) -> None:
        """Put the declared rates of all limits in force again: no override, and no pause."""
        self._remove([override.name for override in self._posted() if self._is_ours(override.target)])
        self._forget(target for target, limit in all_of(self.config.rules) if limit.strategy == "static")

    def restore(self, name: str) -> None:
        """Put the declared rate of one limit in force again: no override, and no pause. It may have left the file."""
        target = self._target(name)
        self._remove([name_of(kind, target) for kind in _KINDS])
        if self._is_static(target):
            self._forget([target])

    # -- pauses ---------------------------------------------------------------------------------------------------

    def pause(self, name: str, *, for_: Span = None, reason: str | None = None, by: str | None = None) -> Override:
        """Let no task of a limit start until it is resumed, or ``for_`` is over; the tasks wait."""
        target, limit = self._find(name)
        made = self._made((target, limit), None, None, reason, by)
        self._set([(limit, made)], inputs.seconds(for_))
        return made

    def resume(self, name: str) -> None:
        """End a pause; a rate that was set before the pause holds again."""
        target = self._target(name)
        self._remove([name_of("pause", target)])
        if self._is_static(target):
            self._forget([target], kinds=("pause",))

    # -- buckets --------------------------------------------------------------------------------------------------

    def reset(self, limit: str, partition: object = None) -> int:
        """Make the bucket of a limit full again, or that of one partition; returns how many were not full.

        Without a partition, all buckets of a ``per_user`` limit are filled; of a static limit, that of each worker.
        """
        target, found = self._find(limit)
        if partition is not None and found.key is None:
            raise OverrideError(f"{target} has one bucket for all, and no partitions; leave the partition out")
        where = Partition(canonical(partition)) if partition is not None else None
        names = self._names_of(target, found)
        buckets = [bucket_key(self.config.rules.store.prefix, each, where) for each in names]
        if found.strategy == "static":
            return sum(len(self._command("limitkit_refill", key=key)) for key in buckets)
        assert self.store is not None  # noqa: S101 (_find refuses a shared limit without one)
        whole = found.key is not None and where is None
        return sum(self.store.refill(key, partitions=whole) for key in buckets)

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

    def _find(self, name: str) -> tuple[Target, Limit]:
        target, limit = find(self.config.rules, name, self._tasks())
        if limit.mode == "off":
            raise OverrideError(f"{target} is off, so it has no rate; set its mode, or LIMITKIT_MODE, to enforce first")
        if limit.strategy != "static" and self.store is None:
            raise OverrideError(f"{target} needs a store that all can reach, and there is none; name one: [store] url")
        return target, limit

    def _target(self, name: str) -> Target:
        """Return the target of a name: in the file, or of an override from when it was in the file."""
        try:
            return find(self.config.rules, name, self._tasks())[0]
        except OverrideError:
            posted = next((each.target for each in self._posted() if each.target.name == name), None)
            if posted is None:
                raise
            return posted

    def _tasks(self) -> Collection[str]:
        return self.app.tasks.keys() if self.app is not None else ()

    def _is_ours(self, target: Target) -> bool:
        rules = self.config.rules
        if target.section == "limits":
            return target.name in rules.named
        patterns = {entry.pattern for entry in rules.patterns}
        return target.name in patterns or rules.for_task(target.name) is not None

    def _is_static(self, target: Target) -> bool:
        found = dict(all_of(self.config.rules)).get(target)
        return found is not None and found.strategy == "static"

    def _names_of(self, target: Target, limit: Limit) -> list[Limit]:
        """Return the limit once for each task that has its own bucket by it."""
        if not limit.own or "*" not in target.name:
            return [limit]
        if self.app is None:
            raise OverrideError(f"only the app knows which tasks {quote(target.name)} matches; name the app")
        rules = ((name, self.config.rules.for_task(name)) for name in sorted(self.app.tasks))
        return [each for _, rule in rules if rule and rule.pattern == target.name for each in rule.limits]

    def _made(
        self, over: tuple[Target, Limit], rate: Rate | None, burst: int | None, reason: str | None, by: str | None
    ) -> Override:
        """Make an override; one without a rate is a pause."""
        target, limit = over
        return Override(
            target=target,
            kind="pause" if rate is None else "rate",
            rate=rate,
            burst=burst,
            by=inputs.words("by", by if by is not None else _user()),
            reason=inputs.words("reason", reason or ""),
            declared_rate=limit.rate_text,
            declared_burst=limit.burst,
            at=time.time(),
        )

    def _set(
        self, pairs: Sequence[tuple[Limit, Override]], seconds: float | None, workers: Sequence[str] | None = None
    ) -> None:
        for limit, made in pairs if workers is not None else ():
            if limit.strategy != "static":
                raise OverrideError(
                    f"{made.target} is one bucket for all workers, so a rate of some of them would change nothing for "
                    "the others, and the bucket would have two; leave workers out"
                )
        if self.override_store is not None and workers is None:
            self.override_store.post([(made, seconds) for _, made in pairs])
            return
        for _, made in pairs:
            self._command("limitkit_override", workers, name=made.name, text=made.text(), seconds=seconds)

    def _posted(self) -> tuple[Override, ...]:
        return self.override_store.look().overrides or () if self.override_store is not None else ()

    def _remove(self, names: Sequence[str]) -> None:
        if self.override_store is not None and names:
            self.override_store.post([], names)

    def _forget(self, targets: Iterable[Target], kinds: Sequence[Kind] = _KINDS) -> None:
        """Let each running worker forget the overrides of its own static limits."""
        names = [name_of(kind, target) for target in targets for kind in kinds]
        if names and self.app is not None:
            try:
                tell(self.app, "limitkit_forget", names=names)
            except NoRemoteControlError:  # then no worker has any, and all are in the store, if there is one
                if self.override_store is None:
                    raise

    def _command(self, command: str, workers: Sequence[str] | None = None, **words: Any) -> list[str]:
        """Send workers a command; returns the names of those that did it. Raises OverrideError when one did not."""
        if self.app is None:
            raise OverrideError("only the app's workers can do that, and they are reached by its broker; name the app")
        answers = ask(self.app, command, to=workers, **words)
        refused = next((answer["error"] for answer in answers.values() if "error" in answer), None)
        missing = sorted(set(workers or ()) - answers.keys())
        if refused is not None:
            raise OverrideError(f"a worker did not do it: {refused}")
        if missing:
            raise OverrideError(f"{listed(missing, 'and')} did not answer; start them, or see celery status for names")
        if not answers:
            raise OverrideError("no worker answered, and static limits are in workers alone; start one")
        return sorted(answers)


def _shared_store(app: Any, settings: StoreSettings) -> Store | None:
    """Open the store that is shared with the workers; None without one, or if it is each worker's own memory."""
    url = settings.url if app is None else store_url(app, settings)
    return None if url is None or url.startswith("memory://") else open_store(app, settings)


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):  # a container's user may have no name
        return ""
