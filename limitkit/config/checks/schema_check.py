"""Checks the shape of a file: the schema says what is wrong with the values that the model rejects."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from limitkit.config.checks.schema_keywords import BREAKS

if TYPE_CHECKING:
    from collections.abc import Collection

    from limitkit.config.source.toml import Document
    from limitkit.config.wording import Path
    from limitkit.errors import Problem


def check(document: Document, refused: Collection[Path]) -> list[Problem]:
    """Check a document's shape: all problems, each at its key, value or table header.

    ``refused`` are the paths of the values that the model rejects. Model and schema have the same shape, so limits and
    tasks that the model accepts are not checked again: that would be half of the work for a file with thousands.
    """
    entries = _suspicious(document.data, {path[:2] for path in refused})
    if not refused and not any(entries.values()):
        return []
    # A worker with a good file does not need these: they would be a quarter of what limitkit adds to its start.
    from limitkit.config.checks.schema_errors import problems_of  # noqa: PLC0415
    from limitkit.config.checks.schema_validator import faults  # noqa: PLC0415

    return problems_of(document, faults({**document.data, **entries}))


def _suspicious(data: dict[str, Any], refused: Collection[Path]) -> dict[str, dict[str, Any]]:
    return {
        section: {name: each for name, each in data[section].items() if (section, name) in refused or _repeats(each)}
        for section in ("limits", "tasks", "queues")
        if isinstance(data.get(section), dict)
    }


def _repeats(entry: Any) -> bool:
    """Whether an entry names a limit twice, which the model leaves to the schema."""
    return isinstance(entry, dict) and BREAKS["uniqueItems"](True, entry.get("limits"))  # noqa: FBT003 - its rule
