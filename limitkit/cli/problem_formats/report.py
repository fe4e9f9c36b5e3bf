"""What was found in all files that were checked."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

    from limitkit.errors import Problem

STANDARD_INPUT: Final = "-"
"""The path of problems in what was read from standard input: there is no file."""


@dataclass(frozen=True, slots=True)
class FileReport:
    """One file: its path as it was given, and its problems in their order."""

    path: str
    problems: Sequence[Problem] = ()
    unreadable: bool = False

    @property
    def errors(self) -> int:
        """How many of the problems are errors."""
        return sum(problem.severity == "error" for problem in self.problems)

    @property
    def warnings(self) -> int:
        """How many of the problems are warnings."""
        return len(self.problems) - self.errors


@dataclass(slots=True)
class Report:
    """All files, in the order in which they were given. With ``strict``, warnings count as errors do."""

    strict: bool
    files: list[FileReport] = field(default_factory=list)

    @property
    def problems(self) -> list[Problem]:
        """All problems."""
        return [problem for file in self.files for problem in file.problems]

    @property
    def unreadable(self) -> bool:
        """Whether a file could not be read."""
        return any(file.unreadable for file in self.files)

    @property
    def status(self) -> int:
        """The exit status: 0 fine, 1 problems that count were found, 2 a file can't be read."""
        if self.unreadable:
            return 2
        return int(any(file.errors or (self.strict and file.warnings) for file in self.files))
