"""What ``plan`` plays under both files: a scenario, or a trace."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from limitkit.cli.options import tasks_of
from limitkit.cli.output import Unusable, say
from limitkit.cli.progress import progress_line
from limitkit.trial.plan.waits import waits

if TYPE_CHECKING:
    from limitkit.config.load import Config
    from limitkit.trial.plan.waits import Waited
    from limitkit.trial.scenario import Scenario


class Played(NamedTuple):
    """What is played, and with which seed unless another one is given."""

    scenario: Scenario
    seed: int = 0


def of_scenario(path: str, old: Config, new: Config, app: Any) -> Played:
    """Read a scenario file. Raises ConfigError with its problems, and Unusable."""
    from limitkit.trial.test_file.read import read_scenario  # noqa: PLC0415 (only where there is a scenario)

    # What it changes at run time is checked against a config, which is read again: so that can't be a pipe.
    config = next((each.path for each in (new, old) if Path(each.path).is_file()), None)
    if config is None:
        raise Unusable("both configs are pipes, and a scenario needs one that can be read again; name a file")
    case = read_scenario(path, config, tasks_of(app) if app is not None else ())
    return Played(case.scenario(), case.seed)


def of_trace(path: str) -> Played:
    """Read a trace. Raises Unusable when it can't be used."""
    from limitkit.trial.trace import TraceError, read_trace  # noqa: PLC0415 (only where there is a trace)

    try:
        trace = read_trace(path)
    except TraceError as error:
        raise Unusable(str(error)) from None
    for warning in trace.warnings:
        say(f"limitkit: {warning}", err=True)
    return Played(trace.scenario())


def waits_under(old: Config, new: Config, played: Played, seed: int | None, app: Any) -> tuple[Waited, ...]:
    """Play it under both files."""
    from limitkit.trial.play import play  # noqa: PLC0415 (imports Celery)

    chosen = played.seed if seed is None else seed
    with progress_line() as line:
        playing = partial(play, seed=chosen, app=app, progress=line)
        return waits(old.rules, new.rules, played.scenario, playing)
