"""Tries each script of the store beyond a start's own, on made-up keys, and names the commands that are missing."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from limitkit.buckets.decision import Bucket, Once, Refusal, Settlement, Slots
from limitkit.buckets.override import Override, Target
from limitkit.config.declared import Feedback
from limitkit.config.model.units import parse_rate
from limitkit.control.task_limits import declared
from limitkit.doctor.finding import found
from limitkit.errors import StoreError
from limitkit.stores.overrides import OverrideStore
from limitkit.worker.startup_store_check import kind_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from limitkit.config.load import Config
    from limitkit.doctor.finding import Finding, Sheet
    from limitkit.errors import Severity
    from limitkit.stores.store import Store

MISSING_RIGHT: Final = "LK151"
_SECOND: Final = 1_000_000
_MADE: Final = (
    *("{overrides}", "{overrides}:files", "{overrides}:declared", "workers"),
    *("{settle}:g1", "{settle}:s:doctor", "{slow}:g1"),
    *("{start}:g1", "{start}:w1", "{start}:e1", "{start}:c1"),
)
"""What is made, under the made-up prefix; each has a time to live besides, or is deleted as soon as it was made."""
_FEEDBACK: Final = Feedback("doctor", ("limitkit.Doctor",))


class _Trial(NamedTuple):
    """One thing that the store is used for."""

    name: str
    run: Callable[[], Any]
    commands: tuple[str, ...]
    """The commands of its own, beside those of its scripts."""
    scripts: tuple[str, ...]
    severity: Severity
    """An error if the file asks for it."""
    without: str
    """What does not work without it."""


def try_scripts(sheet: Sheet, config: Config, store: Any, prefix: str) -> None:
    """Note for each use of the store whether it works with this user; what was made is deleted again.

    Raises StoreError when the store can't be asked any more.
    """
    plain = getattr(store, "store", store)  # past the circuit breaker: a refusal must not close it
    try:
        for trial in _trials(config, plain, prefix):
            error = _error_of(trial)
            noted = [_missing(plain, trial, error, prefix)] if error is not None else []
            sheet.add("store", trial.name, "tried with made-up keys", *noted)
        if any(limit.strategy == "concurrency" and not limit.local for limit in declared(config.rules)):
            own = f"{config.rules.store.prefix}:wake:{prefix.rpartition(':')[2]}"
            sheet.add("store", "wakes", "tried on a made-up channel", *_unheard(plain, own))
    finally:
        for name in _MADE:
            with suppress(StoreError):  # then there is nothing to delete, or no right to
                plain.refill(f"{prefix}:{name}", partitions=False)


def _error_of(trial: _Trial) -> StoreError | None:
    try:
        trial.run()
    except StoreError as error:
        return error
    return None


def _trials(config: Config, store: Store, prefix: str) -> Iterator[_Trial]:
    limits = [limit for limit in declared(config.rules) if limit.mode != "off" and not limit.local]
    without = "overrides (set, reduce, pause) reach no worker, and files that differ are not noticed"
    yield _Trial("overrides", lambda: _override(store, prefix), (), ("look", "post"), "warning", without)
    if any(limit.metered for limit in limits):
        without = "true costs are never settled, so each start keeps its estimate"
        yield _Trial("settle", lambda: _settle(store, prefix), (), ("settle",), "error", without)
    if any(limit.feedback is not None for limit in limits):
        without = "no limit backs off when the other side rejects requests"
        yield _Trial("feedback", lambda: _slow(store, prefix), ("GET",), ("slow",), "error", without)
    divides = any(limit.on_error == "divide" for limit in limits)
    without = 'on_error = "divide" does not know by how many workers it divides, and the exporter does not count them'
    severity: Severity = "error" if divides else "warning"
    yield _Trial("workers' count", lambda: store.note(f"{prefix}:workers", "doctor"), (), ("note",), severity, without)
    if any(limit.strategy == "concurrency" for limit in limits):
        slots = Slots(f"{prefix}:{{start}}:r1", _SECOND, 1, lease_us=_SECOND)
        without = "limitkit status does not know what runs"
        yield _Trial("running", lambda: store.running([slots]), (), ("running",), "warning", without)
    without = "limitkit reset does not work"
    reset = f"{prefix}:{{start}}:g1"
    yield _Trial("reset", lambda: store.refill(reset, partitions=True), ("SCAN", "DEL"), (), "warning", without)


def _override(store: Store, prefix: str) -> None:
    overrides = OverrideStore(store, prefix)
    override = Override(target=Target("limits", "doctor"), kind="rate", rate=parse_rate("1/s"))
    overrides.look(digest="doctor", declares="{}")
    try:
        overrides.post([(override, 1.0)])
        overrides.post([], [override.name])
        overrides.look()
    finally:
        store.refill(f"{prefix}:{{overrides}}", partitions=False)


def _settle(store: Store, prefix: str) -> None:
    bucket = Bucket(f"{prefix}:{{settle}}:g1", 1, 2, metered=True)
    store.settle([Settlement(bucket, 1, 2)], Once("doctor", 1))


def _slow(store: Store, prefix: str) -> None:
    bucket = Bucket(f"{prefix}:{{slow}}:g1", _SECOND, 1, feedback=_FEEDBACK)
    store.back_off(Refusal(bucket, 0.0, None))
    store.adapted([bucket.key])


def _missing(store: Any, trial: _Trial, error: StoreError, prefix: str) -> Finding:
    """Say which commands are missing; where all are there, what the store has answered."""
    commands = _refused(store, trial, prefix)
    if commands:
        fact = f"the store's user may not run {', '.join(commands)} ({trial.name})"
        return found(MISSING_RIGHT, trial.severity, fact, trial.without, f"{rights(commands)}: see docs/store.md")
    fact = f"the store refuses what is needed for {trial.name}: {error}"
    return found(MISSING_RIGHT, trial.severity, fact, trial.without, error.remedy or "look at the server's log")


def _unheard(store: Any, channel: str) -> Iterator[Finding]:
    """Find whether workers may tell each other of free slots."""
    from limitkit.stores.rights import channel_refused  # noqa: PLC0415 (redis is imported only by those who need it)
    from limitkit.stores.servers import servers_of  # noqa: PLC0415 (likewise)

    with servers_of(store) as every:
        missing = sorted({name for _, client in every[:1] for name in channel_refused(client, channel)})
    if missing:
        prefix = channel.rpartition(":")[0]
        fact = f"the store's user may not do {', '.join(missing)} on {prefix}:* (wakes)"
        then = "who waits for a free slot of a concurrency limit asks once a second, so it starts later"
        yield found(MISSING_RIGHT, "warning", fact, then, f"{rights(missing)} &{prefix}:*: see docs/store.md")


def rights(commands: list[str]) -> str:
    """Write what to give a user of Redis, as ``ACL SETUSER`` takes it."""
    return f"give it {' '.join(f'+{name.lower()}'.replace(' ', '|') for name in commands)}"


def missing_for_starts(config: Config, store: Any, prefix: str) -> list[str]:
    """Name the commands that the file's kinds of limits need for each start, and the store's user may not run."""
    from limitkit.stores.take_script import texts_for  # noqa: PLC0415 (redis is imported only by those who need it)

    kinds = {kind_of(limit) for limit in declared(config.rules) if not limit.local}
    return _refused_of(store, texts_for(kinds), (), prefix)


def _refused(store: Any, trial: _Trial, prefix: str) -> list[str]:
    from limitkit.stores.take_script import SCRIPTS  # noqa: PLC0415 (likewise)

    return _refused_of(store, [SCRIPTS[name] for name in trial.scripts], trial.commands, prefix)


def _refused_of(store: Any, texts: list[str], commands: Iterable[str], prefix: str) -> list[str]:
    from limitkit.stores.rights import commands_of, refused  # noqa: PLC0415 (likewise)
    from limitkit.stores.servers import servers_of  # noqa: PLC0415 (likewise)

    wanted = set(commands).union(*map(commands_of, texts)) | ({"EVALSHA", "SCRIPT LOAD"} if texts else set())
    missing: set[str] = set()
    with suppress(StoreError), servers_of(store) as every:
        for _, client in every:
            missing.update(refused(client, wanted, f"{prefix}:{{trial}}"))
    return sorted(missing)
