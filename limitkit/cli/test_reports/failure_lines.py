"""A failure in lines: what was expected and what happened, the starts around it, and what workers have logged."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from limitkit.cli.output import table
from limitkit.config.wording import one_line

if TYPE_CHECKING:
    from collections.abc import Iterator

    from limitkit.trial.expectations.expectation import Failure
    from limitkit.trial.test_file.run import Result

_HEADINGS: Final = ("started", "task", "message", "worker", "waited")
_WARNINGS: Final = 5
"""The most warnings of workers that are shown."""


def lines_of(result: Result) -> Iterator[str]:
    """Write all failures of a test, each under its place in the file."""
    for expectation, failure in result.failures:
        line, column = result.case.place(expectation.path)
        yield one_line(f"{result.case.document.path}:{line}:{column}: {failure}")
        yield from _starts(failure)
    if result.warnings:
        yield "Workers have logged:"
        yield from (f"  {one_line(each)}" for each in result.warnings[:_WARNINGS])
        if len(result.warnings) > _WARNINGS:
            yield f"  and {len(result.warnings) - _WARNINGS} more"


def _starts(failure: Failure) -> Iterator[str]:
    if not failure.around:
        yield f"  nothing started around {failure.at:.3f}s"
        return
    rows = [
        (f"{each.at:.3f}s", each.task, str(each.number), each.worker, f"{each.waited:.3f}s") for each in failure.around
    ]
    if failure.window is None:
        yield f"  starts around {failure.at:.3f}s:"
    else:
        yield f"  starts from {failure.window[0]:.3f}s to {failure.window[1]:.3f}s:"
    lines = table(_HEADINGS, rows, numbers=("started", "message", "waited"), plain=True).splitlines()
    if failure.left_out:
        lines.insert(1 + len(rows) // 2, f"... {failure.left_out:,} more ...")
    for line in lines:
        yield f"  {line}"
