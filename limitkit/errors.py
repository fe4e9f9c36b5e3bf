"""What limitkit says when something is wrong: a place, a fact, what follows, and the remedy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Iterable

Severity = Literal["error", "warning"]


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong in a config file, and where.

    ``line`` and ``column`` count from 1, in Unicode characters. ``message`` is the whole sentence (fact;
    consequence; remedy); ``hint`` is its remedy alone, for tools that show it apart. ``code`` is one of
    those in ``docs/problems.md``.
    """

    path: str
    line: int
    column: int
    code: str
    message: str
    hint: str = ""
    severity: Severity = "error"

    def __str__(self) -> str:
        return f"{self.path}:{self.line}:{self.column}: {self.code} {self.message}"


class LimitkitError(Exception):
    """The base of every error that limitkit raises."""


class ConfigError(LimitkitError):
    """A config that can't be used; ``problems`` says all that is wrong with it, in the order of the file.

    ``unreadable`` is true when the file's bytes could not be had at all (``limitkit validate`` exits with 2 then).
    """

    def __init__(self, problems: Iterable[Problem], *, unreadable: bool = False) -> None:
        self.problems: tuple[Problem, ...] = tuple(problems)
        self.unreadable = unreadable
        super().__init__("\n".join(str(problem) for problem in self.problems))

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), (self.problems,)


class RateLimitExceeded(LimitkitError):  # noqa: N818 (the name that users know)
    """A start was refused by a limit; ``retry_after`` is in seconds, None when it could never be admitted."""

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        self.retry_after = retry_after
        super().__init__(message)

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), (*self.args, self.retry_after)


class StoreError(LimitkitError):
    """The store could not be asked; nothing is known of its buckets until it answers again.

    ``remedy`` says what must be done before it ever can be; it is empty where it may answer by itself.
    """

    remedy: str = ""


class StoreRefusedError(StoreError):
    """The store is there, and has refused what it was asked, such as for a right that is missing."""
