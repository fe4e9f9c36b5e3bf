"""Loads a config: from a path to rules in force. ``validate``, a worker's start and each reload all use it."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Final, cast, get_args

from limitkit.config import compile_rules
from limitkit.config.checks import env_variables, model_errors, schema_check
from limitkit.config.model.env_values import Expanded
from limitkit.config.model.fields import Mode
from limitkit.config.model.ports import parse_ports
from limitkit.config.model.tables import errors as errors_of
from limitkit.config.model.value_errors import port_fault
from limitkit.config.severity.judge import Severities
from limitkit.config.source import extends, toml
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
    """A config that can be used: its path, its rules, and its warnings."""

    path: str
    rules: Rules
    document: Document = field(repr=False, compare=False)
    """The file itself, so that later problems have a line and column."""
    warnings: tuple[Problem, ...] = ()
    """Without what ``[lint]`` or a comment leaves out."""
    file_mode: Mode = "enforce"
    """The file's own mode; ``rules.mode`` differs from it when ``LIMITKIT_MODE`` is set."""
    given: tuple[str, ...] = field(default=(), repr=False, compare=False)
    """The values of its variables, without those in the store's address."""
    found: tuple[Problem, ...] = field(default=(), repr=False, compare=False)
    """All warnings, also those that are left out."""
    severities: Severities = field(default=Severities({}, frozenset(), ()), repr=False, compare=False)
    """What the file says about its problems."""

    @property
    def digest(self) -> str:
        """A hash of its files' texts, the mode in force, and the values of variables: 64 bits, in hexadecimal."""
        parts = "\n".join([self.rules.mode, *(file.text for file in self.document.layers), *self.given])
        return blake2b(parts.encode("utf-8", "surrogateescape"), digest_size=8).hexdigest()


def load(path: str | os.PathLike[str]) -> Config:
    """Read a file and check it. Raises ConfigError with all problems, in the order of the file."""
    return load_as(path)


def load_as(path: str | os.PathLike[str], shown: str | None = None, tried: list[str] | None = None) -> Config:
    """Load a file, and report its problems under another path, such as the one that the user gave.

    The paths of all files that it extends are added to ``tried``, also where one of them can't be read.
    """
    return judge(toml.read(path, shown), tried)


def judge(document: Document, tried: list[str] | None = None) -> Config:
    """Check a parsed file with those that it extends. Raises ConfigError with all problems, including warnings."""
    document, unquoted = extends.whole(document, tried)
    mode, problems = _mode_from_environment(document)
    ports, unusable = _ports_from_environment(document)
    severities, misplaced = Severities.of(document)
    filled, unset = env_variables.filled(document)
    model, errors = errors_of(filled.data)
    found = schema_check.check(filled, [error["loc"] for error in errors]) + model_errors.check(filled, model, errors)
    # A variable without a value is one problem: the value of its key is unknown, so others would be wrong.
    without = {(problem.path, problem.line, problem.column) for problem in unset}
    found = [each for each in found if (each.path, each.line, each.column) not in without]
    problems = list(dict.fromkeys([*problems, *unusable, *unquoted, *misplaced, *unset, *found]))
    problems = document.in_order(problems)
    heard = severities.heard(problems)
    refused = any(problem.severity == "error" for problem in problems)
    if model is None or refused:
        raise ConfigError(heard if refused else [*heard, *model_errors.unreported(filled, errors)])
    compiled = compile_rules.compile(model, filled, mode, ports)
    given = tuple(env_variables.values_of(filled.data)) if filled is not document else ()
    return Config(document.path, compiled, document, tuple(heard), model.mode, given, tuple(problems), severities)


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
    found = nearest(here)
    if found is not None:
        return FILE if found.parent == here else str(found)
    fact = f"there is no {FILE} in {here} or a folder above"
    hint = f"write one, or name a file by {CONFIG_VARIABLE}, --config or install(app, config)"
    raise ConfigError([Problem(FILE, 1, 1, "LK006", f"{fact}; {hint}", hint)], unreadable=True)


def nearest(here: Path) -> Path | None:
    """Find ratelimits.toml in a folder, or in the nearest one above; None without one."""
    for folder in (here, *here.parents):
        path = folder / FILE
        # A folder of this name does not count; anything else of this name is the config, even if it can't be read.
        if os.path.lexists(path) and not path.is_dir():
            return path
    return None


def _mode_from_environment(document: Document) -> tuple[Mode | None, list[Problem]]:
    said = os.environ.get(MODE_VARIABLE, "")
    allowed = get_args(Mode)
    if not said or said in allowed:
        return cast("Mode | None", said or None), []
    # A variable may hold a secret: its value is not shown, and no similar word is suggested.
    hint = f"set it to {listed(allowed)}"
    return None, [document.problem("LK007", (), f"the value of ${{{MODE_VARIABLE}}} is not a mode", hint)]


def _ports_from_environment(document: Document) -> tuple[range, list[Problem]]:
    said = os.environ.get(PORT_VARIABLE, "")
    fault = port_fault(Expanded(((said, f"${{{PORT_VARIABLE}}}"),))) if said else None
    if fault is None:
        return (parse_ports(said) if said else range(0)), []
    return range(0), [document.problem("LK008", (), *fault)]
