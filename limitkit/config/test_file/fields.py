"""The values in a test file: their bounds, and what is wrong with one of another meaning."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Annotated, Any, Final

from pydantic import AfterValidator, BeforeValidator, Field

from limitkit.config.model.fields import meaning, refuse
from limitkit.config.test_file.durations import SPAN_PATTERN, span_between

if TYPE_CHECKING:
    import datetime as dt

MOST_MESSAGES: Final = 10_000_000
"""The most messages of one play, and the largest number in an expectation."""
LONGEST: Final = "366d"
_LONGEST_NAME: Final = 200
_FIRST_YEAR: Final = 1971
_LAST_YEAR: Final = 2999

SPAN: Final = meaning("LK016", functools.partial(span_between, "0s", LONGEST))
"""Judges a time that may be nothing at all."""
SOME_TIME: Final = meaning("LK016", functools.partial(span_between, "1ms", LONGEST))
"""Judges a time that is more than nothing."""


def _name_fault(text: str) -> tuple[str, str] | None:
    if not text.strip():
        return "this name is empty", "write a name"
    if len(text) > _LONGEST_NAME:
        return f"this name has more than {_LONGEST_NAME} characters", "write a shorter one"
    return None


def _with_offset(when: dt.datetime) -> dt.datetime:
    if when.tzinfo is None:
        hint = f"write where it is that time, e.g. {when.isoformat(timespec='seconds')}Z"
        refuse("LK098", "this time has no offset, so it is another moment in each time zone", hint)
    if not _FIRST_YEAR <= when.year <= _LAST_YEAR:
        refuse("LK098", f"the year {when.year} is out of range", f"write one from {_FIRST_YEAR} to {_LAST_YEAR}")
    return when


def _for_all_tasks(said: object) -> object:
    return {"*": said} if isinstance(said, str) else said


def spans(title: str, description: str, least: str = "0s") -> Any:
    """Say what editors show for a duration."""
    text = f'{description} A duration, from "{least}" to "{LONGEST}".'
    return Field(title=title, description=text, json_schema_extra={"pattern": SPAN_PATTERN})


NAME: Final = meaning("LK099", _name_fault)
WITH_OFFSET: Final = AfterValidator(_with_offset)
NameField = Annotated[str, NAME]
TaskSecondsField = Annotated[dict[str, Annotated[str, SPAN]], BeforeValidator(_for_all_tasks)]
"""A duration for all tasks, or a table of names and patterns."""
