"""The report for people: a line for each test, then the failures in full, and their sum."""

from __future__ import annotations

from typing import TYPE_CHECKING

from limitkit.cli.output import Drawn, say, styled
from limitkit.cli.test_reports.failure_lines import lines_of
from limitkit.config.wording import count, one_line, span

if TYPE_CHECKING:
    from limitkit.cli.test_reports.report import Report
    from limitkit.trial.test_file.run import Result


def show_result(result: Result) -> None:
    """Write one line of a test, when it has been played."""
    word = styled("ok  ", fg="green") if result.held else styled("FAIL", fg="red")
    say(Drawn(f"{word} {one_line(result.case.document.path)}: {one_line(result.case.name)}"))


def show_end(report: Report, real_seconds: float) -> None:
    """Write all failures, and the sum; how long it took, by both clocks, goes to standard error."""
    for result in report.results:
        if not result.held:
            say("", Drawn(styled(f"FAIL {result.case.name}", bold=True)))
            say(*(Drawn(line) for line in lines_of(result)))
    held = len(report.results) - report.failed
    parts = [f"{held} held"] if held else []
    parts += [f"{report.failed} failed"] if report.failed else []
    parts += [f"{count(report.unusable, 'file')} could not be used"] if report.unusable else []
    say("", f"{count(len(report.results), 'test')}: {', '.join(parts) or 'nothing was played'}")
    played = sum(each.seconds for each in report.results)
    say(f"played {span(played)} of virtual time in {span(real_seconds)}", err=True)
