"""Where what is played comes from: a scenario file, a test of a test file, or a recording."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from limitkit.cli.config_in_use import usable_config
from limitkit.cli.options import tasks_of
from limitkit.cli.output import Unusable, say
from limitkit.config.wording import count, listed, quote, suggest
from limitkit.trial.scenario import Disconnect, Kill, Stop
from limitkit.trial.test_file.read import read_either, read_tests
from limitkit.trial.trace import TraceError, read_trace

if TYPE_CHECKING:
    from collections.abc import Iterator

    from limitkit.config.rules import Rules
    from limitkit.trial.scenario import Scenario
    from limitkit.trial.test_file.read import Case


@dataclass(frozen=True, slots=True)
class Source:
    """What is played under which rules."""

    name: str
    """The file, as it was given; of a test, its name too."""
    rules: Rules
    scenario: Scenario
    seed: int
    traced: bool = False

    def with_workers(self, workers: int | None, processes: int | None) -> Source:
        """Return the same on other workers. Raises Unusable when something happens to a worker that is not there."""
        scenario = self.scenario
        scenario = replace(scenario, workers=workers or scenario.workers, processes=processes or scenario.processes)
        names = {f"worker-{number + 1}" for number in range(scenario.workers)}
        for fault in scenario.faults:
            if isinstance(fault, (Kill, Stop, Disconnect)) and fault.worker not in names:
                fact = f"something happens to {quote(fault.worker)}, and there {_are(scenario.workers)}"
                raise Unusable(f"{fact}; raise --workers, or take it out of {self.name}")
        return replace(self, scenario=scenario)


@contextmanager
def source_of(
    scenario: str | None, trace: str | None, *, test: str | None = None, config: str | None = None, app: Any = None
) -> Iterator[Source]:
    """Read what is played; one of ``scenario`` and ``trace`` is a path.

    Raises ConfigError with the problems of a file, and Unusable when a recording can't be used or a test is not there.
    """
    if trace is not None:
        with _recorded(trace, config, app) as source:
            yield source
        return
    case = _case(str(scenario), test, config, tasks_of(app) if app is not None else {})
    name = f"{scenario} ({quote(case.name)})" if case.name else str(scenario)
    yield Source(name, case.config.rules, case.scenario(), case.seed)


def _case(path: str, test: str | None, config: str | None, tasks: Any) -> Case:
    cases = read_either(path, config, tasks) if test is None else read_tests(path, config, tasks)
    names = [case.name for case in cases]
    if test is None:
        if len(cases) > 1:
            say(f"limitkit: {path} has {len(cases)} tests; {quote(names[0])} is played; --test names another", err=True)
        return cases[0]
    found = next((case for case in cases if case.name == test), None)
    if found is None:
        hint = suggest(test, names) or f"it has {listed(names[:10], 'and')}"
        raise Unusable(f"{path} has no test {quote(test)}; {hint}")
    return found


@contextmanager
def _recorded(path: str, config: str | None, app: Any) -> Iterator[Source]:
    rules = usable_config(app, config).rules
    try:
        trace = read_trace(path)
    except TraceError as error:
        raise Unusable(str(error)) from None
    try:
        for warning in trace.warnings:
            say(f"limitkit: {warning}", err=True)
        yield Source(path, rules, trace.scenario(), 0, traced=True)
    except TraceError as error:
        raise Unusable(str(error)) from None
    finally:
        trace.close()


def _are(workers: int) -> str:
    return f"{'is' if workers == 1 else 'are'} {count(workers, 'worker')}"
