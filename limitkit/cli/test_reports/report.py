"""What came of all test files: results, and files that could not be used."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from limitkit.errors import Problem
    from limitkit.trial.test_file.run import Result


@dataclass(slots=True)
class FileReport:
    """One test file."""

    path: str
    results: list[Result] = field(default_factory=list)
    problems: tuple[Problem, ...] = ()
    """Why nothing of it could be played: its own problems, or those of its config."""


@dataclass(slots=True)
class Report:
    """All test files, in the order of their names."""

    files: list[FileReport] = field(default_factory=list)

    @property
    def results(self) -> list[Result]:
        """All results, in their order."""
        return [each for file in self.files for each in file.results]

    @property
    def failed(self) -> int:
        """How many tests did not hold."""
        return sum(not each.held for each in self.results)

    @property
    def unusable(self) -> int:
        """How many files could not be used."""
        return sum(bool(file.problems) for file in self.files)

    @property
    def problems(self) -> list[Problem]:
        """All problems, each once: several files may have the same config."""
        return list(dict.fromkeys(problem for file in self.files for problem in file.problems))

    @property
    def status(self) -> int:
        """The exit status: 2 when a file could not be used, 1 when a test did not hold, or none was played."""
        return 2 if self.unusable else 1 if self.failed or not self.results else 0
