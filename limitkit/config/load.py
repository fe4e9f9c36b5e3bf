"""From a path to rules in force: the one road for ``validate``, a worker's start and whatever loads again."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Final, cast, get_args

from limitkit.config import rules
from limitkit.config.checks import env_variables, model_errors, schema_check
from limitkit.config.model.env_values import Expanded
from limitkit.config.model.fields import Mode
from limitkit.config.model.ports import parse_ports
from limitkit.config.model.tables import errors as errors_of
from limitkit.config.model.value_errors import port_fault
from limitkit.config.source import toml, unquoted_names
from limitkit.config.wording import listed
from limitkit.errors import ConfigError, Problem

if TYPE_CHECKING:
    from limitkit.config.rules import Rules
    from limitkit.config.source.toml import Document

FILE: Final = "ratelimits.toml"
CONFIG_VARIABLE: Final = "LIMITKIT_CONFIG"
MODE_VARIABLE: Final = "LIMITKIT_MODE"
PORT_VARIABLE: Final = "LIMITKIT_METRICS_PORT"


@dataclass(frozen=True)
class Config:
    """A config that can be used: its path, its rules, and what is odd about it but no error."""

    path: str
    rules: Rules
    document: Document = field(repr=False, compare=False)
    """The file itself, so that what is found later can be placed in it."""
    warnings: tuple[Problem, ...] = ()
    file_mode: Mode = "enforce"
    """The file's own mode; ``rules.mode`` is another one when ``LIMITKIT_MODE`` said so."""
    given: tuple[str, ...] = field(default=(), repr=False, compare=False)
    """What its variables held, but for the store's address."""

    @property
    def digest(self) -> str:
        """Tell one file from another by what is in it, by the mode in force, and by the numbers that variables give.

        64 bits, in hexadecimal.
        """
        said = "\n".join([self.rules.mode, self.document.text, *self.given])
        return blake2b(said.encode("utf-8", "surrogateescape"), digest_size=8).hexdigest()


def load(path: str | os.PathLike[str]) -> Config:
    """Read a file and judge it. Raises ConfigError with all that is wrong with it, in the order of the file."""
    return load_as(path)


def load_as(path: str | os.PathLike[str], shown: str | None = None) -> Config:
    """Do so, and report problems under another path, such as the one that the user gave."""
    return judge(toml.read(path, shown))


def judge(document: Document) -> Config:
    """Judge a parsed file. Raises ConfigError with all problems, warnings among them."""
    mode, problems = _mode_from_environment(document)
    ports, unusable = _ports_from_environment(document)
    document, unquoted = unquoted_names.meant(document)
    said, unset = env_variables.filled(document)
    model, errors = errors_of(said.data)
    found = schema_check.check(said, [error["loc"] for error in errors]) + model_errors.check(said, model, errors)
    # Of a variable without a value nothing else is said: what its key would be by itself is not in the file.
    without = {(problem.line, problem.column) for problem in unset}
    found = [each for each in found if (each.line, each.column) not in without]
    problems = list(dict.fromkeys([*problems, *unusable, *unquoted, *unset, *found]))
    problems.sort(key=lambda problem: (problem.line, problem.column))
    refused = any(problem.severity == "error" for problem in problems)
    if model is None or refused:
        raise ConfigError(problems if refused else [*problems, *model_errors.unsaid(said, errors)])
    compiled = rules.compile(model, said, mode, ports)
    given = tuple(env_variables.values_of(said.data)) if said is not document else ()
    return Config(document.path, compiled, document, tuple(problems), model.mode, given)


def locate(config: str | os.PathLike[str] | None = None) -> str:
    """Find the file: ``LIMITKIT_CONFIG``, else the argument, else ratelimits.toml here or in a folder above.

    Raises ConfigError, with ``unreadable`` set, when there is none.
    """
    named = os.environ.get(CONFIG_VARIABLE) or config
    if named:
        return os.fspath(named)
    try:
        here = Path.cwd()
    except FileNotFoundError:  # the working folder was removed
        here = Path()
    for folder in (here, *here.parents):
        path = folder / FILE
        # A folder of this name is another thing; whatever else has it is refused when it is read, not passed by.
        if os.path.lexists(path) and not path.is_dir():
            return FILE if folder == here else str(folder / FILE)
    fact = f"there is no {FILE} in {here} or a folder above"
    hint = f"write one, or name a file by {CONFIG_VARIABLE}, --config or install(app, config)"
    raise ConfigError([Problem(FILE, 1, 1, "LK006", f"{fact}; {hint}", hint)], unreadable=True)


def _mode_from_environment(document: Document) -> tuple[Mode | None, list[Problem]]:
    said = os.environ.get(MODE_VARIABLE, "")
    allowed = get_args(Mode)
    if not said or said in allowed:
        return cast("Mode | None", said or None), []
    # A variable may hold anything: what it holds is not shown, and not guessed at either.
    hint = f"set it to {listed(allowed)}"
    return None, [document.problem("LK007", (), f"the value of ${{{MODE_VARIABLE}}} is not a mode", hint)]


def _ports_from_environment(document: Document) -> tuple[range, list[Problem]]:
    said = os.environ.get(PORT_VARIABLE, "")
    fault = port_fault(Expanded(((said, f"${{{PORT_VARIABLE}}}"),))) if said else None
    if fault is None:
        return (parse_ports(said) if said else range(0)), []
    return range(0), [document.problem("LK008", (), *fault)]
