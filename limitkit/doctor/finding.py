"""What the doctor says: one check for each thing that was looked at, and one finding for each that will hurt."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final, Literal

from limitkit.config.wording import one_line, sentence
from limitkit.errors import Problem

if TYPE_CHECKING:
    from limitkit.config.severity.judge import Severities
    from limitkit.errors import Severity

Subject = Literal["config", "app", "broker", "store", "workers", "versions"]
SUBJECTS: Final[tuple[Subject, ...]] = ("config", "app", "broker", "store", "workers", "versions")
"""In the order in which they are shown."""
Status = Literal["ok", "warning", "error", "not known"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that will hurt, or does already."""

    code: str
    severity: Severity
    message: str
    """Fact; consequence; remedy."""
    hint: str
    """The remedy alone."""
    path: str | None = None
    """The config file, if it is something in there; ``line`` and ``column`` count from 1."""
    line: int | None = None
    column: int | None = None
    unreached: bool = False
    """Whether something could not be asked at all: then the exit status is 2."""

    @property
    def text(self) -> str:
        """The code and the message, with the place in front as ``limitkit validate`` prints it."""
        place = f"{self.path}:{self.line}:{self.column}: " if self.path is not None else ""
        return f"{place}{self.code} {self.message}"


def found(
    code: str, severity: Severity, fact: str, consequence: str, remedy: str, *, unreached: bool = False
) -> Finding:
    """Make a finding of its three parts."""
    fact, consequence, remedy = (one_line(part).rstrip(".") for part in (fact, consequence, remedy))
    return Finding(code, severity, f"{fact}; {consequence}; {remedy}", remedy, unreached=unreached)


def of_problem(problem: Problem, severity: Severity | None = None) -> Finding:
    """Make a finding of a problem that the file has, or a worker would refuse to start with."""
    where = (problem.path, problem.line, problem.column)
    return Finding(problem.code, severity or problem.severity, problem.message, problem.hint, *where)


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at."""

    subject: Subject
    name: str
    seen: str
    """What was looked at, or why it is not known; in one line."""
    findings: tuple[Finding, ...] = ()
    known: bool = True
    """Whether it could be looked at: what is not known is never said to be fine."""

    @property
    def status(self) -> Status:
        """The worst of its findings; ``not known`` where there was nothing to look at."""
        if any(each.severity == "error" for each in self.findings):
            return "error"
        if not self.known:
            return "not known"
        return "warning" if self.findings else "ok"


@dataclass
class Sheet:
    """The checks so far, in the order in which they were made."""

    checks: list[Check] = field(default_factory=list)

    def add(self, subject: Subject, name: str, seen: str, *findings: Finding, known: bool = True) -> None:
        """Note what was looked at, and what was found there."""
        self.checks.append(Check(subject, name, sentence(seen), tuple(findings), known))

    def unknown(self, subject: Subject, name: str, why: str, *findings: Finding) -> None:
        """Note what could not be looked at."""
        self.add(subject, name, why, *findings, known=False)

    def settle(self, severities: Severities) -> None:
        """Give each finding the severity that the file says in ``[lint]``, and leave out what it switches off."""
        self.checks = [
            replace(check, findings=tuple(filter(None, (_as_said(each, severities) for each in check.findings))))
            for check in self.checks
        ]

    @property
    def findings(self) -> list[Finding]:
        """All that was found, each once."""
        return list(dict.fromkeys(each for check in self.checks for each in check.findings))

    def exit_status(self, *, strict: bool = False) -> int:
        """0 fine, 1 something was found (warnings count only if ``strict``), 2 something could not be asked."""
        if any(each.unreached for each in self.findings):
            return 2
        return int(any(each.severity == "error" or strict for each in self.findings))


def _as_said(finding: Finding, severities: Severities) -> Finding | None:
    place = (finding.path or "", finding.line or 0, finding.column or 0)
    if not severities.heard([Problem(*place, finding.code, finding.message)]):
        return None
    return replace(finding, severity=severities.said.get(finding.code, finding.severity))
