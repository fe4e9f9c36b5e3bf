"""The report for programs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from limitkit.cli.output import say_json

if TYPE_CHECKING:
    from limitkit.cli.test_reports.report import Report
    from limitkit.trial.expectations.expectation import Expectation, Failure
    from limitkit.trial.test_file.run import Result


def show(report: Report) -> None:
    """Write the whole report; times are seconds of the virtual clock, from the beginning of a test."""
    say_json(
        {
            "version": 1,
            "held": len(report.results) - report.failed,
            "failed": report.failed,
            "problems": [
                {
                    "path": each.path,
                    "line": each.line,
                    "column": each.column,
                    "code": each.code,
                    "severity": each.severity,
                    "message": each.message,
                    "hint": each.hint,
                }
                for each in report.problems
            ],
            "tests": [_test(each) for each in report.results],
        }
    )


def _test(result: Result) -> dict[str, Any]:
    line, column = result.case.place()
    return {
        "path": result.case.document.path,
        "line": line,
        "column": column,
        "name": result.case.name,
        "held": result.held,
        "config": result.case.config.path,
        "seed": result.seed,
        "seconds": _rounded(result.seconds),
        "messages": result.messages,
        "starts": result.starts,
        "failures": [_failure(result, *each) for each in result.failures],
        "warnings": list(result.warnings),
    }


def _failure(result: Result, expectation: Expectation, failure: Failure) -> dict[str, Any]:
    line, column = result.case.place(expectation.path)
    return {
        "line": line,
        "column": column,
        "expectation": str(expectation.path[-1]),
        "task": expectation.subject.task or None,
        "limit": expectation.subject.limit or None,
        "expected": failure.expected,
        "happened": failure.happened,
        "at": _rounded(failure.at),
        "starts": [
            {
                "at": _rounded(each.at),
                "task": each.task,
                "message": each.number,
                "worker": each.worker,
                "waited": _rounded(each.waited),
            }
            for each in failure.around
        ],
        "starts_left_out": failure.left_out,
    }


def _rounded(seconds: float) -> float:
    return round(seconds, 6)
