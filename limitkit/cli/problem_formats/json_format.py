"""The format for programs: one document for all files."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from limitkit.cli.output import say_json

if TYPE_CHECKING:
    from limitkit.cli.problem_formats.report import Report


def show(report: Report) -> None:
    """Write all problems."""
    say_json({"version": 1, "problems": [asdict(problem) for problem in report.problems]})
