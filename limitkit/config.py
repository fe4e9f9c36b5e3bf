"""From a path to rules in force: the one road for ``validate``, a worker's start and whatever loads again."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Final, cast, get_args

from limitkit import meaning, rules, schema, source, unquoted
from limitkit.errors import ConfigError, Problem
from limitkit.fields import Mode
from limitkit.ports import parse_ports
from limitkit.scalar import port_fault
from limitkit.wording import listed, quote, suggest

if TYPE_CHECKING:
    from limitkit.rules import Rules
    from limitkit.source import Document

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

    @property
    def digest(self) -> str:
        """Tell one file from another by what is in it, and by the mode in force: 64 bits, in hexadecimal."""
        return blake2b(f"{self.rules.mode}\n{self.document.text}".encode(), digest_size=8).hexdigest()


def load(path: str | os.PathLike[str]) -> Config:
    """Read a file and judge it. Raises ConfigError with all that is wrong with it, in the order of the file."""
    return load_as(path)


def load_as(path: str | os.PathLike[str], shown: str | None = None) -> Config:
    """Do so, and report problems under another path, such as the one that the user gave."""
    return judge(source.read(path, shown))


def judge(document: Document) -> Config:
    """Judge a parsed file. Raises ConfigError with all problems, warnings among them."""
    mode, problems = _mode_from_environment(document)
    ports, unusable = _ports_from_environment(document)
    document, unquoted_names = unquoted.meant(document)
    problems += unusable + unquoted_names + schema.check(document)
    model, meant = meaning.check(document)
    problems = sorted([*problems, *meant], key=lambda problem: (problem.line, problem.column))
    if model is None or any(problem.severity == "error" for problem in problems):
        raise ConfigError(problems)
    compiled = rules.compile(model, document, mode, ports)
    return Config(document.path, compiled, document, tuple(problems), model.mode)


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
        if (folder / FILE).is_file():
            return FILE if folder == here else str(folder / FILE)
    fact = f"there is no {FILE} in {here} or a folder above"
    hint = f"write one, or name a file by {CONFIG_VARIABLE}, --config or install(app, config)"
    raise ConfigError([Problem(FILE, 1, 1, "LK006", f"{fact}; {hint}", hint)], unreadable=True)


def _mode_from_environment(document: Document) -> tuple[Mode | None, list[Problem]]:
    said = os.environ.get(MODE_VARIABLE, "")
    allowed = get_args(Mode)
    if not said or said in allowed:
        return cast("Mode | None", said or None), []
    hint = suggest(said, allowed) or f"set it to {listed(allowed)}"
    fact = f"the variable {MODE_VARIABLE} is {quote(said)}, which is not a mode"
    return None, [document.problem("LK007", (), fact, hint)]


def _ports_from_environment(document: Document) -> tuple[range, list[Problem]]:
    said = os.environ.get(PORT_VARIABLE, "")
    fault = port_fault(said) if said else None
    if fault is None:
        return (parse_ports(said) if said else range(0)), []
    fact, hint = fault
    return range(0), [document.problem("LK008", (), f"the variable {PORT_VARIABLE}: {fact}", hint)]
