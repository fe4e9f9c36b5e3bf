"""Compares two files by what they mean: comments, order, units and which pattern says it do not count."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any

from limitkit.config.model.env_values import names_variable
from limitkit.config.wording import dotted, hidden_address
from limitkit.trial.plan import settings
from limitkit.trial.plan.changes import Change, Delta, Place, Plan, Worst, harmless, ordered
from limitkit.trial.plan.deploy_notes import notes
from limitkit.trial.plan.entries import changes_of, of_queues, of_tasks
from limitkit.trial.plan.limit_fields import deltas
from limitkit.trial.plan.limit_words import described
from limitkit.trial.plan.renames import renamed_limits, users
from limitkit.trial.plan.worst_windows import worst

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from limitkit.config.declared import Limit
    from limitkit.config.load import Config
    from limitkit.config.wording import Path
    from limitkit.trial.plan.changes import Kind
    from limitkit.trial.plan.entries import Transition

_UNUSED = "no task and no queue names it"
_FIELDS = tuple(field.name for field in fields(Delta))


def compare(old: Config, new: Config, tasks: Iterable[str] = ()) -> Plan:
    """Find what changes from one file to another; ``tasks`` are the names of the app's tasks, if they are known."""
    return _Comparison(old, new, tasks).plan()


class _Comparison:
    """Two files, and what takes the place of what."""

    def __init__(self, old: Config, new: Config, tasks: Iterable[str]) -> None:
        self.old, self.new = old, new
        self._rules = old.rules, new.rules
        self._renamed = renamed_limits(*self._rules)
        self._now = {now: was for was, now in self._renamed.items()}
        """The names that renamed limits had, by those that they have."""
        self._used = users(old.rules), users(new.rules)
        self._tasks = of_tasks(*self._rules, tasks)
        self._queues = of_queues(*self._rules)

    def plan(self) -> Plan:
        """Put all together."""
        changes = ordered([*self._settings(), *self._limits(), *_together(self._entries())])
        return Plan(
            self.old.path, self.new.path, changes, tuple(self._worst()), tuple(notes(self.old, self.new, changes))
        )

    # -- tables that are of no limit ------------------------------------------------------------------------------

    def _settings(self) -> Iterator[Change]:
        one, other = self._rules
        for each in settings.mode(one, other):
            yield self._change(each, "file", "mode", (), ())
        for kind, compared in (
            ("store", settings.store(one.store, other.store)),
            ("waiting", settings.waiting(one.waiting, other.waiting)),
            ("metrics", settings.metrics(one.metrics, other.metrics)),
        ):
            for each in compared:
                yield self._change(each, kind, f"[{kind}]", (kind,), (kind,))  # type: ignore[arg-type] # it is a kind

    # -- named limits ---------------------------------------------------------------------------------------------

    def _pairs(self) -> Iterator[tuple[str, Limit | None, Limit | None]]:
        """Go through the named limits by their names now, in the order of the new file; then those that are gone."""
        one, other = (rules.named for rules in self._rules)
        for name, limit in other.items():
            yield name, one.get(self._now.get(name, name)), limit
        for name, limit in one.items():
            if name not in other and name not in self._renamed:
                yield name, limit, None

    def _limits(self) -> Iterator[Change]:
        for name, was, now in self._pairs():
            before = self._now.get(name, name)
            used = [each for each in (self._used[0].get(before), self._used[1].get(name)) if each]
            for each in self._of_limit(before, name, was, now):
                delta = each if used or each.action == "rename" else harmless(each, _UNUSED)
                yield self._change(delta, "limit", dotted(("limits", name)), ("limits", before), ("limits", name))

    def _of_limit(self, before: str, name: str, was: Limit | None, now: Limit | None) -> Iterator[Delta]:
        """Compare one named limit; None where it is not there."""
        if was is None and now is not None:
            effect = "stricter" if now.mode == "enforce" else "other"
            said = f"a new limit{_by(self._used[1].get(name))}"
            yield Delta(field="", before=None, after=described(now), effect=effect, message=said, action="add")  # type: ignore[arg-type] # one of them
        elif now is None and was is not None:
            effect = "looser" if was.mode == "enforce" else "other"
            said = f"this limit is gone{_by(self._used[0].get(before), 'it was for')}"
            yield Delta(field="", before=described(was), after=None, effect=effect, message=said, action="remove")  # type: ignore[arg-type] # as above
        elif was is not None and now is not None:
            if before != name:
                what = f"another name: its buckets are new; what was set at run time for limits.{before} does not hold"
                yield Delta(
                    field="name",
                    before=before,
                    after=name,
                    effect="other",
                    message=what,
                    new_buckets=True,
                    action="rename",
                )
            yield from (each for each in deltas(was, now) if not self._told(each))

    # -- tasks and queues -----------------------------------------------------------------------------------------

    def _entries(self) -> Iterator[tuple[Change, bool]]:
        for section, transitions in (("tasks", self._tasks), ("queues", self._queues)):
            kind: Kind = "task" if section == "tasks" else "queue"
            for each in transitions:
                subject, names = _subject(section, each)
                paths = [(section, of.pattern) if of is not None else None for of in (each.old, each.new)]
                for delta in changes_of(each.old, each.new, self._renamed, self._rules):
                    if not self._told(delta):
                        is_pattern = any("*" in name for name in each.names)
                        yield self._change(delta, kind, subject, *paths, names=names), is_pattern

    def _told(self, delta: Delta) -> bool:
        """Whether a change only follows from one of the whole file, which is told once."""
        one, other = self._rules
        field = delta.field.rpartition(".")[2]
        whole = {"mode": (one.mode, other.mode), "on_error": (one.store.on_error, other.store.on_error)}.get(field)
        return whole is not None and whole[0] != whole[1] and whole == (delta.before, delta.after)

    def _worst(self) -> Iterator[Worst]:
        pairs: list[tuple[str, Limit | None, Limit | None]] = []
        for name, was, now in self._pairs():
            if self._used[0].get(self._now.get(name, name)) or self._used[1].get(name):
                pairs.append((name, was, now))
        for each in self._tasks:
            was, now = (_own(of.limits) if of is not None else None for of in (each.old, each.new))
            if was is not None or now is not None:
                pairs.append((_subject("tasks", each)[0].removeprefix("tasks."), was, now))
        found = (worst(*pair) for pair in pairs)
        yield from dict.fromkeys(each for each in found if each is not None)

    # -- where it is ----------------------------------------------------------------------------------------------

    def _change(
        self,
        delta: Delta,
        kind: Kind,
        subject: str,
        before: Path | None,
        after: Path | None,
        *,
        names: tuple[str, ...] = (),
    ) -> Change:
        """Make a change of it: whose it is, and where; the paths are those of tables, None where there is none."""
        at = delta.at or ((delta.field,) if delta.field else ())
        old = None if before is None or (delta.action == "add" and not delta.field) else _place(self.old, before, at)
        new = None if after is None or (delta.action == "remove" and not delta.field) else _place(self.new, after, at)
        said: dict[str, Any] = {name: getattr(delta, name) for name in _FIELDS}
        said["before"] = _variable(self.old, before, at) or delta.before
        said["after"] = _variable(self.new, after, at) or delta.after
        return Change(**said, kind=kind, subject=subject, names=names, old=old, new=new)


def _place(config: Config, table: Path, at: Path) -> Place | None:
    """Find a value; the header of its table where the file does not have it; None without such a table."""
    if table and table[0] not in config.document.data:
        return None
    is_there = _written(config, (*table, *at)) is not None
    path, what = ((*table, *at), "value") if is_there and at else (table, "header")
    file = config.document.source(path)
    return Place(file.path, file.own_place(path, what)[0])  # type: ignore[arg-type] # one of them


def _written(config: Config, path: Path) -> Any:
    """Return a value as the file has it; None where it has none."""
    found: Any = config.document.data
    for step in path:
        found = found.get(step) if isinstance(found, dict) else None
    return found


def _variable(config: Config, table: Path | None, at: Path) -> str | None:
    """Return a value that comes from a variable as the file writes it: with the name in its place."""
    written = _written(config, (*table, *at)) if table and at else None
    return hidden_address(str(written)) if names_variable(written) else None


def _subject(section: str, each: Transition) -> tuple[str, tuple[str, ...]]:
    """Name whom a transition concerns, and all its tasks or queues that are known."""
    patterns = [name for name in each.names if "*" in name]
    names = tuple(name for name in each.names if "*" not in name)
    if patterns:
        return dotted((section, patterns[0])), names
    return dotted((section, names[0])) if len(names) == 1 else f"{len(names)} {section}", names


def _together(changes: Iterable[tuple[Change, bool]]) -> Iterator[Change]:
    """Make one change of those that do the same for several tasks, or queues, each with an entry of its own.

    With each comes whether it is of a pattern: those stay apart.
    """
    same: dict[tuple[object, ...], list[Change]] = {}
    for each, is_pattern in changes:
        said = (each.kind, each.field, each.before, each.after, each.message, each.effect)
        same.setdefault((*said, each.old, each.new) if is_pattern else said, []).append(each)
    for (kind, *_), those in same.items():
        names = tuple(name for each in those for name in each.names)
        if len(those) > 1:
            yield replace(those[0], subject=f"{len(names)} {kind}s", names=names)
        elif len(names) == 1 and those[0].subject == dotted((f"{kind}s", names[0])):
            yield replace(those[0], names=())
        else:
            yield those[0]


def _own(limits: Iterable[Limit]) -> Limit | None:
    return next((limit for limit in limits if limit.own), None)


def _by(those: Mapping[str, None] | None, what: str = "for") -> str:
    """Name who uses a limit."""
    names = [*(those or ())]
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""  # noqa: PLR2004 (the first are enough)
    return f", {what} {', '.join(names[:3])}{more}" if names else ""
