"""Overrides: rates that are set at run time, over the declared ones, and pauses."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from limitkit.config.model.units import Rate, parse_rate
from limitkit.errors import LimitkitError

Section = Literal["limits", "tasks"]
"""The table of the file in which what is overridden is declared."""
Kind = Literal["rate", "pause"]


class OverrideError(LimitkitError, ValueError):
    """An override that can't be made; its text says the fact and the remedy."""


@dataclass(frozen=True, slots=True)
class Target:
    """What an override is for: a named limit, or the own limit of a task, or of each task of a pattern."""

    section: Section
    name: str

    def __str__(self) -> str:
        return f"{self.section}.{self.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Override:
    """A rate set at run time, or a pause: for what, by whom, when, why, and until when.

    ``at`` and ``until`` are seconds since 1970 by the store's clock; ``until`` is None when it has no end.
    """

    target: Target
    kind: Kind
    rate: Rate | None = None
    """None for a pause."""
    burst: int | None = None
    """None when the declared burst stays."""
    by: str = ""
    reason: str = ""
    declared_rate: str = ""
    declared_burst: int = 1
    at: float = field(default=0.0, compare=False)
    until: float | None = None

    @property
    def name(self) -> str:
        """The name under which the store keeps it."""
        return name_of(self.kind, self.target)

    def text(self) -> str:
        """Write it as the store keeps it; its end is stored separately."""
        kept: dict[str, Any] = {
            "rate": self.rate.text if self.rate is not None else None,
            "burst": self.burst,
            "by": self.by,
            "reason": self.reason,
            "declared_rate": self.declared_rate,
            "declared_burst": self.declared_burst,
            "at": self.at,
        }
        return json.dumps({name: value for name, value in kept.items() if value not in (None, "")}, sort_keys=True)

    def who_and_why(self) -> str:
        """Say who set it, and why, for people: ``by eve: 429s``."""
        by = f"by {self.by}" if self.by else ""
        return ": ".join(part for part in (by, self.reason) if part)


def name_of(kind: Kind, target: Target) -> str:
    """Return the name under which the store keeps an override: one of each kind for each target."""
    return f"{kind} {target.section} {target.name}"


def read(name: str, text: str, until: float | None) -> Override | None:
    """Read what the store keeps under a name; None for what another version of limitkit may have written."""
    kind, _, rest = name.partition(" ")
    section, _, target = rest.partition(" ")
    try:
        kept = json.loads(text)
        if kind not in _KINDS or section not in _SECTIONS or (kind == "rate") != ("rate" in kept):
            return None
        if not _is_burst(kept.get("burst", 1)) or not 0 <= float(kept.get("at", 0.0)) <= _LAST:
            return None
        return Override(
            target=Target(_SECTIONS[section], target),
            kind=_KINDS[kind],
            rate=parse_rate(kept["rate"]) if kind == "rate" else None,
            burst=kept.get("burst"),
            by=str(kept.get("by", "")),
            reason=str(kept.get("reason", "")),
            declared_rate=str(kept.get("declared_rate", "")),
            declared_burst=int(kept.get("declared_burst", 1)),
            at=float(kept.get("at", 0.0)),
            until=until,
        )
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError, OverflowError):
        return None


def _is_burst(number: object) -> bool:
    return isinstance(number, int) and not isinstance(number, bool) and 1 <= number <= MOST_BURST


MOST_BURST: Final = 1_000_000
_LAST: Final = 250_000_000_000.0
"""The latest time, in seconds since 1970, that a calendar can show."""
_KINDS: Final[dict[str, Kind]] = {"rate": "rate", "pause": "pause"}
_SECTIONS: Final[dict[str, Section]] = {"limits": "limits", "tasks": "tasks"}
