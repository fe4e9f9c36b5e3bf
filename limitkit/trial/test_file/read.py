"""Reads test files and scenario files: each test becomes a case, which can be played and judged."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from limitkit.config.test_file import load
from limitkit.config.test_file.durations import parse_span
from limitkit.config.wording import listed, suggest
from limitkit.errors import ConfigError
from limitkit.trial.expectations.expectation import (
    DrainedBy,
    Expectation,
    Least,
    Lost,
    Most,
    StartedWithin,
    Subject,
)
from limitkit.trial.scenario import Scenario, Sending, in_order
from limitkit.trial.test_file.faults import faults_of

if TYPE_CHECKING:
    import os
    from collections.abc import Collection, Iterator, Mapping

    from limitkit.config.load import Config
    from limitkit.config.source.toml import Document
    from limitkit.config.test_file.tables import (
        CaseTable,
        ExpectTable,
        LimitsTests,
        ScenarioFile,
        ScenarioTable,
        SendTable,
    )
    from limitkit.config.wording import Path
    from limitkit.errors import Problem
    from limitkit.trial.expectations.expectation import Rule
    from limitkit.trial.scenario import Fault


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One test, or a scenario, which has no name and expects nothing."""

    name: str
    document: Document
    path: Path
    """Where it stands in its file."""
    config: Config
    sendings: tuple[Sending, ...]
    faults: tuple[Fault, ...]
    workers: int
    processes: int
    prefetch_multiplier: int
    task_seconds: Mapping[str, float]
    begins: float
    until: float | None
    seed: int
    expectations: tuple[Expectation, ...] = ()

    def scenario(self) -> Scenario:
        """Make what is played; its messages can be gone through once."""
        return Scenario(
            arrivals=in_order(self.sendings),
            workers=self.workers,
            processes=self.processes,
            prefetch_multiplier=self.prefetch_multiplier,
            task_seconds=self.task_seconds,
            faults=self.faults,
            begins=self.begins,
            until=self.until,
        )

    def place(self, path: Path | None = None) -> tuple[int, int]:
        """Return line and column of the test, or of a key in its file, from 1."""
        return self.document.place(path, "key") if path is not None else self.document.place(self.path, "header")


def read_tests(path: str | os.PathLike[str], config: str | None = None, tasks: Collection[str] = ()) -> list[Case]:
    """Read all tests of a file; ``config`` is that of the command line, ``tasks`` are those of the app.

    Raises ConfigError with all problems, of the test file or of its config.
    """
    return _tests(load.read_tests(path), config, tasks)


def read_scenario(path: str | os.PathLike[str], config: str | None = None, tasks: Collection[str] = ()) -> Case:
    """Read a scenario file. Raises ConfigError as ``read_tests`` does."""
    return _scenario(load.read_scenario(path), config, tasks)


def read_either(path: str | os.PathLike[str], config: str | None = None, tasks: Collection[str] = ()) -> list[Case]:
    """Read a test file or a scenario file, whichever it is. Raises ConfigError as ``read_tests`` does."""
    document = load.read_either(path)
    if "test" in document.data:
        return _tests((document, load.judge_tests(document)), config, tasks)
    return [_scenario((document, load.judge_scenario(document)), config, tasks)]


def _tests(read: tuple[Document, LimitsTests], config: str | None, tasks: Collection[str]) -> list[Case]:
    """Make the cases of tests that have been read. Raises ConfigError as ``read_tests`` does."""
    document, tables = read
    found = load.config_of(document, tables.config, config)
    problems: list[Problem] = []
    cases = []
    for index, table in enumerate(tables.test):
        where: Path = ("test", index)
        faults, wrong = faults_of(document, (*where, "fault"), table.fault, found, tasks)
        problems += [*wrong, *_unknown_limits(document, where, table, found)]
        cases.append(_case(document, where, table, found, faults))
    _refuse(problems)
    return cases


def _scenario(read: tuple[Document, ScenarioFile], config: str | None, tasks: Collection[str]) -> Case:
    """Make the case of a scenario that has been read. Raises ConfigError as ``read_tests`` does."""
    document, table = read
    found = load.config_of(document, table.config, config)
    faults, wrong = faults_of(document, ("fault",), table.fault, found, tasks)
    _refuse(wrong)
    return _case(document, (), table, found, faults)


def _refuse(problems: list[Problem]) -> None:
    if problems:
        raise ConfigError(sorted(problems, key=lambda problem: (problem.line, problem.column)))


def _case(
    document: Document, path: Path, table: CaseTable | ScenarioTable, config: Config, faults: tuple[Fault, ...]
) -> Case:
    expects = getattr(table, "expect", ())
    return Case(
        name=getattr(table, "name", ""),
        document=document,
        path=path,
        config=config,
        sendings=tuple(map(_sending, table.send)),
        faults=faults,
        workers=table.workers,
        processes=table.processes,
        prefetch_multiplier=table.prefetch_multiplier,
        task_seconds={name: parse_span(text) for name, text in table.task_seconds.items()},
        begins=table.begins_at.timestamp(),
        until=None if table.until is None else parse_span(table.until),
        seed=table.seed,
        expectations=tuple(
            each for index, expect in enumerate(expects) for each in _expectations((*path, "expect", index), expect)
        ),
    )


def _sending(table: SendTable) -> Sending:
    return Sending(
        task=table.task,
        count=table.count,
        every=parse_span(table.every),
        at=parse_span(table.at),
        args=tuple(table.args),
        kwargs=table.kwargs,
        queue=table.queue,
        headers=table.headers,
        priority=table.priority,
    )


def _expectations(path: Path, table: ExpectTable) -> Iterator[Expectation]:
    """Make an expectation of each key, in the order of the model."""
    subject = Subject(task=table.task or "", limit=table.limit or "")
    rules: dict[str, Rule] = {}
    if table.started_within is not None:
        rules["started_within"] = StartedWithin(parse_span(table.started_within))
    if table.most is not None:
        rules["most"] = Most(table.most.starts, parse_span(table.most.in_))
    if table.least is not None:
        rules["least"] = Least(table.least.starts, parse_span(table.least.in_))
    if table.lost is not None:
        rules["lost"] = Lost(table.lost)
    if table.drained_by is not None:
        rules["drained_by"] = DrainedBy(parse_span(table.drained_by))
    for key, rule in rules.items():
        yield Expectation(subject, rule, (*path, key))


def _unknown_limits(document: Document, path: Path, table: CaseTable, config: Config) -> Iterator[Problem]:
    """Find expectations of limits that the config does not have, or that hold for nothing that is sent."""
    named = config.rules.named
    for index, expect in enumerate(table.expect):
        if expect.limit is None:
            continue
        where = (*path, "expect", index, "limit")
        if expect.limit not in named:
            hint = suggest(expect.limit, named) or _other_limits(config, expect.limit)
            yield document.problem("LK091", where, f'there is no limit "{expect.limit}" in {config.path}', hint)
        elif not any(_is_under(config, send, expect.limit) for send in table.send):
            fact = f'nothing that this test sends is under the limit "{expect.limit}", so there is nothing to expect'
            yield document.problem("LK091", where, fact, "send a task that names it, or name another limit")


def _is_under(config: Config, send: SendTable, limit: str) -> bool:
    rule = config.rules.together(send.task, send.queue)
    return rule is not None and any(each.name == limit and not each.own for each in rule.limits)


def _other_limits(config: Config, name: str) -> str:
    """Say what to write in place of an unknown limit."""
    if config.rules.for_task(name) is not None:
        return "for the limit of a task's own write task in the place of limit"
    known = listed(config.rules.named)
    return f"name one of {known}" if known else "write task in the place of limit: the config names no limits"
