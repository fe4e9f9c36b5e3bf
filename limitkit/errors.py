"""Problems and exceptions: each says where it is, a fact, its consequence, and the remedy."""

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
    consequence; remedy); ``hint`` is only its remedy, for tools that show it separately. ``code`` is one of
    those of the pages in ``docs/problems``.
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
    """A config that can't be used; ``problems`` lists all that is wrong with it, in the order of the file.

    ``unreadable`` is true when the file could not be read at all (``limitkit validate`` exits with 2 then).
    """

    def __init__(self, problems: Iterable[Problem], *, unreadable: bool = False) -> None:
        self.problems: tuple[Problem, ...] = tuple(problems)
        self.unreadable = unreadable
        super().__init__("\n".join(str(problem) for problem in self.problems))

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), (self.problems,)


class RateLimitExceeded(LimitkitError):  # noqa: N818 (the name that users know)
    """A limit has rejected a start; ``retry_after`` is in seconds, None when it can never be admitted."""

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        self.retry_after = retry_after
        super().__init__(message)

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), (*self.args, self.retry_after)


class StoreError(LimitkitError):
    """The store could not be asked; the state of its buckets is unknown until it answers again.

    ``remedy`` says what must be done before it can answer; it is empty where it may recover by itself.
    """

    remedy: str = ""


class StoreRefusedError(StoreError):
    """The store has answered and rejected the call, for example because a right is missing."""
