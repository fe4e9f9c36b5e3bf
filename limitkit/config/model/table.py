"""What all tables of the file have in common."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict
from pydantic_core import PydanticCustomError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from limitkit.config.model.cross_checks import Fault


class Table(BaseModel):
    """A table: no undeclared key, no value of another type, no changes."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


def raise_first(faults: Iterable[Fault]) -> None:
    """Raise pydantic's error for the first of these faults."""
    for fault in faults:
        raise PydanticCustomError("cross_check", "{fact}; {hint}", {"fact": fault.fact, "hint": fault.hint})
