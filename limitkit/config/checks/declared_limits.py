"""Goes through what a file declares, as plain data: its limits, and the limits that tasks and queues name.

Values may have any type: what is malformed is skipped here, since the schema's checks report it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from limitkit.config.model.units import Rate, parse_rate
from limitkit.config.model.value_errors import rate_fault

if TYPE_CHECKING:
    from collections.abc import Iterator

    from limitkit.config.source.toml import Document
    from limitkit.config.wording import Path


class DeclaredLimit(NamedTuple):
    """A limit of a file, named or a task's own."""

    path: Path
    table: dict[str, Any]

    @property
    def strategy(self) -> str:
        """Its strategy; empty when the file has none, or a wrong one."""
        said = self.table.get("strategy")
        return said if isinstance(said, str) else ""

    @property
    def most(self) -> int | None:
        """The most tokens that one start can have at once; None when that is not known, or has no meaning."""
        if self.strategy in {"static", "token_bucket", "per_user"}:
            burst = self.table.get("burst", 1)
            return burst if isinstance(burst, int) else None
        rate = rate_of(self.table.get("rate"))
        return int(rate.tokens) if self.strategy == "window" and rate is not None else None

    def shares(self) -> Iterator[DeclaredLimit]:
        """Go through the limit itself, and its partitions and schedules with what they say in its place."""
        yield self
        for key, shares in (("partitions", self.table.get("partitions")), ("schedule", self.table.get("schedule"))):
            named = (
                shares.items() if isinstance(shares, dict) else enumerate(shares) if isinstance(shares, list) else ()
            )
            for name, share in named:
                if isinstance(share, dict):
                    yield DeclaredLimit((*self.path, key, name), {**self.table, **share})

    def has_store(self) -> bool:
        """Whether all workers share it."""
        return self.strategy != "static" and self.table.get("scope") != "worker"


class NamedEntry(NamedTuple):
    """A limit as a task or a queue names it."""

    path: Path
    """Of the item in its list."""
    name: str
    said: dict[str, Any]
    """What the item has beside the name."""


def table_of(value: object) -> dict[str, Any]:
    """Return a value if it is a table, else an empty one."""
    return value if isinstance(value, dict) else {}


def limits_in(document: Document) -> Iterator[DeclaredLimit]:
    """Go through the named limits and those of tasks' own."""
    for section in ("limits", "tasks"):
        for name, table in table_of(document.data.get(section)).items():
            if isinstance(table, dict) and (section == "limits" or "limits" not in table):
                yield DeclaredLimit((section, name), table)


def named_in(document: Document) -> dict[str, DeclaredLimit]:
    """Return the named limits."""
    return {
        name: DeclaredLimit(("limits", name), table_of(table))
        for name, table in table_of(document.data.get("limits")).items()
    }


def entries_of(path: Path, table: object) -> list[NamedEntry]:
    """Return the limits that a task or a queue names."""
    items = table_of(table).get("limits")
    found = []
    for index, item in enumerate(items if isinstance(items, list) else ()):
        name = table_of(item).get("limit") if isinstance(item, dict) else item
        if isinstance(name, str):
            found.append(NamedEntry((*path, "limits", index), name, table_of(item)))
    return found


def rate_of(value: object) -> Rate | None:
    """Read a rate; None when it is none."""
    if not isinstance(value, str) or rate_fault(value, calendar=True):
        return None
    return parse_rate(value, calendar=True)
