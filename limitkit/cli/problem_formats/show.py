"""Shows what was found, in one of the formats."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from limitkit.cli.github_log import on_github
from limitkit.cli.output import say, show_problems
from limitkit.cli.problem_formats import github_format, json_format
from limitkit.config.wording import count

if TYPE_CHECKING:
    from collections.abc import Iterable

    from limitkit.cli.problem_formats.report import FileReport, Report

FORMATS: Final = ("text", "json", "github", "sarif")
_MOST: Final = 6
"""Codes that are named at the end."""


def format_for(given: str | None) -> str:
    """Return the format that was asked for; without one it is text, and on GitHub Actions its annotations."""
    if given is not None or not on_github():
        return given or "text"
    told = "problems are GitHub's annotations here (GITHUB_ACTIONS=true); for text alone: --output-format text"
    say(f"limitkit: {told}", err=True)
    return "github"


def show_file(file: FileReport, output_format: str) -> None:
    """Write what can be said when one file has been checked: its sum, and as text its problems."""
    if output_format == "text":
        show_problems(file.problems)
    sums = [count(number, word) for number, word in ((file.errors, "error"), (file.warnings, "warning")) if number]
    say(f"{file.path}: {' and '.join(sums) or 'fine'}", err=True)


def show_end(report: Report, output_format: str) -> None:
    """Write what is said when all files have been checked."""
    if output_format == "json":
        json_format.show(report)
    elif output_format == "github":
        github_format.show(report)
    elif output_format == "sarif":
        from limitkit.cli.problem_formats import sarif_format  # noqa: PLC0415 (it needs more than all others together)

        sarif_format.show(report)
    if report.problems and output_format in ("text", "github"):
        say(f"limitkit rule {_codes(each.code for each in report.problems)} says more", err=True)


def _codes(codes: Iterable[str]) -> str:
    """Name the codes, each once; of many, say only that there is a page for each."""
    named = list(dict.fromkeys(codes))
    return " ".join(named) if len(named) <= _MOST else "CODE"
