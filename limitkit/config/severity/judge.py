"""Applies ``[lint]`` and the comments of a file to the problems that are found in it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

from limitkit.config.severity import ignores
from limitkit.config.severity.codes import BY_APP, BY_DOCTOR, BY_FLEET, BY_WORKER, CHANGEABLE, UNNEEDED, cant_change
from limitkit.errors import Problem, Severity

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping

    from limitkit.config.severity.ignores import Ignore
    from limitkit.config.source.toml import Document

_TABLE: Final = "lint"
_NOT_CHANGEABLE: Final = "LK102"


@dataclass(frozen=True)
class Severities:
    """What a file says about the problems that are found in it."""

    said: Mapping[str, Severity]
    """By code, without those that are off."""
    off: frozenset[str]
    ignored: tuple[Ignore, ...]

    @classmethod
    def of(cls, document: Document) -> tuple[Severities, list[Problem]]:
        """Read a document's severities; returns them, and what is wrong with them."""
        found, problems = ignores.of(document)
        said = document.data.get(_TABLE)
        table: dict[str, Any] = said if isinstance(said, dict) else {}
        problems += _wrong_codes(document, table)
        said_of: dict[str, Severity] = {code: each for code, each in table.items() if each in ("error", "warning")}
        off = frozenset(code for code, each in table.items() if each == "off")
        return cls(said_of, off, tuple(found)), problems

    @cached_property
    def _ignored_places(self) -> frozenset[tuple[str, str, int]]:
        """Where what is ignored: looked up, since a generated file may have thousands of comments."""
        return frozenset((each.code, each.path, each.line) for each in self.ignored)

    def heard(self, problems: Iterable[Problem]) -> list[Problem]:
        """Leave out what is off or ignored. Nothing becomes an error: that is for ``validate`` alone."""
        return [each for each in problems if not self._is_off(each)]

    def settled(self, problems: Iterable[Problem], *, with_app: bool) -> list[Problem]:
        """Return the problems as ``validate`` reports them, and a warning for each comment that is not needed.

        Without an app, a comment about what only the app shows is not judged.
        """
        found = list(problems)
        ran = CHANGEABLE - BY_WORKER - BY_DOCTOR - BY_FLEET - (frozenset() if with_app else BY_APP)
        found += self._unneeded(found, ran)
        return [self._as_said(each) for each in self.heard(found)]

    def _is_off(self, problem: Problem) -> bool:
        if problem.code not in CHANGEABLE:
            return False
        return problem.code in self.off or (problem.code, problem.path, problem.line) in self._ignored_places

    def _as_said(self, problem: Problem) -> Problem:
        said = self.said.get(problem.code)
        return problem if said is None else replace(problem, severity=said)

    def _unneeded(self, problems: Collection[Problem], ran: Collection[str]) -> Iterator[Problem]:
        found = {(each.code, each.path, each.line) for each in problems}
        for each in self.ignored:
            if each.code in ran and each.code != UNNEEDED and (each.code, each.path, each.line) not in found:
                fact, hint = (
                    f"{each.code} is not reported on line {each.line}, so there is nothing to ignore",
                    "take it out",
                )
                yield Problem(each.path, *each.at, UNNEEDED, f"{fact}; {hint}", hint, "warning")


def _wrong_codes(document: Document, table: Mapping[str, Any]) -> Iterator[Problem]:
    """Find codes in ``[lint]`` whose severity can't be changed."""
    for code in table:
        if code not in CHANGEABLE:
            yield document.problem(_NOT_CHANGEABLE, (_TABLE, code), *cant_change(code), at="key")
