"""The format for GitHub Actions: an annotation for each problem, and all of them as text in the log.

GitHub shows at most ten errors and ten warnings of a step as annotations. The text in the log has all of them, with
their places, which the log leaves out of annotations.
Source: "Workflow commands for GitHub Actions" in GitHub's documentation.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from limitkit.cli.github_log import data, property_value
from limitkit.cli.output import Command, say
from limitkit.cli.problem_formats.relative_path import from_root
from limitkit.cli.problem_formats.report import STANDARD_INPUT

if TYPE_CHECKING:
    from limitkit.cli.problem_formats.report import Report
    from limitkit.errors import Problem


def show(report: Report) -> None:
    """Write all problems, and nothing when there is none."""
    problems = report.problems
    if not problems:
        return
    say(*(Command(_annotation(problem)) for problem in problems))
    say(Command("::group::limitkit validate: all problems with their places"))
    say(*map(str, problems))
    say(Command("::endgroup::"))


def _annotation(problem: Problem) -> str:
    place = {"file": from_root(problem.path) or problem.path, "line": str(problem.line), "col": str(problem.column)}
    message = problem.message
    if problem.path == STANDARD_INPUT:
        place, message = {}, f"standard input, line {problem.line}, column {problem.column}: {message}"
    properties = {**place, "title": problem.code}
    written = ",".join(f"{name}={property_value(value)}" for name, value in properties.items())
    return f"::{problem.severity} {written}::{data(message)}"
