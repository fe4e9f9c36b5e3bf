"""Keeps control characters out of the log, since names, reasons and errors come from outside."""

from __future__ import annotations

import logging
import traceback
from typing import Any

from limitkit.config.wording import one_line
from limitkit.errors import ConfigError

logger = logging.getLogger("limitkit")


class _Shown:
    """A value that is shown without control characters, whichever way it is formatted."""

    def __init__(self, value: object) -> None:
        self._value = value

    def __str__(self) -> str:
        return one_line(str(self._value))

    def __repr__(self) -> str:
        return one_line(repr(self._value))


class OneLine(logging.Filter):
    """Escapes the arguments of a record; its message and its ``extra`` stay, for tools that group by them."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Escape the record; none is left out."""
        if isinstance(record.args, tuple):
            record.args = tuple(map(_shown, record.args))
        if record.exc_info and record.exc_info[1] is not None and not record.exc_text:
            record.exc_text = _traced(record.exc_info[1])
        return True


def escape_records() -> None:
    """Have all that limitkit logs in this process escaped; calling it twice does no harm."""
    logger.addFilter(_ONE_LINE)


def problem_lines(error: ConfigError) -> str:
    """Write what is wrong with a config, a line for each problem."""
    return "\n".join(one_line(str(problem)) for problem in error.problems)


def _shown(value: Any) -> Any:
    if isinstance(value, (int, float)):
        return value
    if isinstance(value, ConfigError):
        return problem_lines(value)
    return one_line(value) if isinstance(value, str) else _Shown(value)


def _traced(error: BaseException) -> str:
    """Write a traceback; the error's text is on one line, so that it can't look like another record."""
    parts = traceback.TracebackException.from_exception(error).format()
    return "\n".join(
        one_line(line)
        for part in parts
        for line in (part.rstrip("\n").split("\n") if part.startswith("  ") else [part.rstrip("\n")])
    )


_ONE_LINE = OneLine()
