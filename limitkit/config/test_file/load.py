"""Reads a test file or a scenario file, and finds the config that it is about."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeVar

from limitkit.config.load import CONFIG_VARIABLE, FILE, load_as, nearest
from limitkit.config.source import toml
from limitkit.config.test_file import cross_checks, shape_errors
from limitkit.config.test_file.tables import LimitsTests, ScenarioFile, errors
from limitkit.config.wording import quote
from limitkit.errors import ConfigError

if TYPE_CHECKING:
    from limitkit.config.load import Config
    from limitkit.config.model.table import Table
    from limitkit.config.source.toml import Document
    from limitkit.errors import Problem

_Model = TypeVar("_Model", bound="Table")
SUFFIX: Final = ".limits.toml"
"""How the names of test files end."""
_A_TEST: Final = 'a test, e.g. [[test]] with name = "…"'
_A_SENDING: Final = 'what is sent, e.g. [[send]] with task = "…"'


def read_tests(path: str | os.PathLike[str]) -> tuple[Document, LimitsTests]:
    """Read a test file; ``-`` is standard input. Raises ConfigError with all its problems, in the order of the file."""
    document = _read(path, _A_TEST)
    return document, judge_tests(document)


def judge_tests(document: Document) -> LimitsTests:
    """Check a parsed test file. Raises ConfigError as ``read_tests`` does."""
    model, found = errors(LimitsTests, document.data)
    problems = shape_errors.problems_of(document, found, LimitsTests)
    return _judged(model, [*problems, *cross_checks.of_tests(document)])


def read_scenario(path: str | os.PathLike[str]) -> tuple[Document, ScenarioFile]:
    """Read a scenario file: what one test plays, without expectations; ``-`` is standard input.

    Raises ConfigError with all its problems.
    """
    document = _read(path, _A_SENDING)
    return document, judge_scenario(document)


def read_either(path: str | os.PathLike[str]) -> Document:
    """Read a file that may have tests, or be a scenario. Raises ConfigError when it is not TOML, or can't be read."""
    return _read(path, _A_SENDING)


def judge_scenario(document: Document) -> ScenarioFile:
    """Check a parsed scenario file. Raises ConfigError as ``read_scenario`` does."""
    model, found = errors(ScenarioFile, document.data)
    problems = shape_errors.problems_of(document, found, ScenarioFile)
    return _judged(model, [*problems, *cross_checks.of_scenario(document, (), document.data)])


def config_of(document: Document, named: str | None, given: str | None = None) -> Config:
    """Load the config of a test file or a scenario.

    It is the one that was ``given`` on the command line, else the ``named`` one of the file (relative to it), else
    ``LIMITKIT_CONFIG``, else the nearest ratelimits.toml beside the file or in a folder above. What a shell passes is
    taken for a file in the working folder. Raises ConfigError with its problems; those of a config that can't be read
    are placed in the test file.
    """
    path = given or _named(document, named)
    try:
        return load_as(path)
    except ConfigError as error:
        if given or not error.unreadable:
            raise
        (problem,) = error.problems
        fact = problem.message.removesuffix(f"; {problem.hint}").removeprefix("the file ")
        where = ("config",) if named is not None else ()
        placed = document.problem(problem.code, where, f"the file {quote(path, 200)} {fact}", problem.hint)
        raise ConfigError([placed], unreadable=True) from None


def _read(path: str | os.PathLike[str], first: str) -> Document:
    piped = toml.read_pipe(os.fspath(path), first=first)
    return piped if piped is not None else toml.read(path, first=first)


def _named(document: Document, named: str | None) -> str:
    folder = "" if document.piped else os.path.dirname(document.path)  # noqa: PTH120 - as it was given
    if named is not None:
        return os.path.join(folder, named)  # noqa: PTH118
    if said := os.environ.get(CONFIG_VARIABLE):
        return said
    found = nearest(Path(folder).absolute())
    if found is None:
        hint = 'write one, or name it: config = "…"'
        where = "in the working folder" if document.piped else "beside this file"
        fact = f"there is no {FILE} {where} or in a folder above"
        raise ConfigError([document.problem("LK006", (), fact, hint)], unreadable=True)
    beside = os.path.join(folder, FILE)  # noqa: PTH118
    return beside if found.parent == Path(folder).absolute() else _short(found)


def _short(path: Path) -> str:
    """Write a path from the working folder on, where it is below it."""
    try:
        return str(path.relative_to(Path.cwd()))
    except (ValueError, OSError):
        return str(path)


def _judged(model: _Model | None, problems: list[Problem]) -> _Model:
    if model is None or problems:
        found = dict.fromkeys(problems)
        raise ConfigError(sorted(found, key=lambda problem: (problem.line, problem.column)))
    return model
