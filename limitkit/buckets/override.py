"""Overrides: what is set at run time over the declared terms of a limit, and pauses."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from limitkit.buckets.named_partition import is_digest, named
from limitkit.config.model.units import Rate, parse_rate
from limitkit.config.wording import quote
from limitkit.errors import LimitkitError

Section = Literal["limits", "tasks"]
"""The table of the file in which what is overridden is declared."""
Kind = Literal["rate", "pause", "weight"]
"""``rate``: other terms, also those of a concurrency limit. ``weight``: of one value of ``fair_by``."""


class OverrideError(LimitkitError, ValueError):
    """An override that can't be made; its text says the fact and the remedy."""


@dataclass(frozen=True, slots=True)
class Target:
    """What an override is for: a named limit, or the own limit of a task or of each task of a pattern; or a partition.

    ``partition`` is its digest, or for a weight that of the value. An operator may also write a name that looks like
    a digest: so it means both, the partition of this digest and the one of this name (``digests``).
    """

    section: Section
    name: str
    partition: str = ""
    shown: str = field(default="", compare=False)
    """The partition in clear, where it may be shown."""

    @property
    def whole(self) -> Target:
        """The limit with all its partitions."""
        return Target(self.section, self.name)

    @property
    def digests(self) -> tuple[str, ...]:
        """The digests of the partitions that are meant; empty for a whole limit."""
        return (self.partition, named(self.partition).digest) if self.partition else ()

    def __str__(self) -> str:
        whole = f"{self.section}.{self.name}"
        if not self.partition:
            return whole
        return f"{whole} of {quote(self.shown) if self.shown else self.partition}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Override:
    """What is set at run time, or a pause: for what, by whom, when, why, and until when.

    ``at`` and ``until`` are seconds since 1970 by the store's clock; ``until`` is None when it has no end.
    """

    target: Target
    kind: Kind
    rate: Rate | None = None
    """None for a pause, a weight, or a concurrency limit."""
    burst: int | None = None
    """None when the declared burst stays."""
    max_running: int | None = None
    """Of a concurrency limit alone."""
    weight: float | None = None
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

    @property
    def terms(self) -> str:
        """What was set, in a few words: a rate, ``3 at once``, ``weight 3``; ``paused`` for a pause."""
        if self.kind == "pause":
            return "paused"
        if self.kind == "weight":
            return f"weight {self.weight:.12g}"
        return self.rate.text if self.rate is not None else f"{self.max_running} at once"

    def text(self) -> str:
        """Write it as the store keeps it; its end is stored separately."""
        kept: dict[str, Any] = {
            "rate": self.rate.text if self.rate is not None else None,
            "burst": self.burst,
            "max_running": self.max_running,
            "weight": self.weight,
            "shown": self.target.shown,
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
    """Return the name under which the store keeps an override: one of each kind for each target.

    An older limitkit reads no section with a partition, and passes it over.
    """
    section = f"{target.section}:{target.partition}" if target.partition else target.section
    return f"{kind} {section} {target.name}"


def read(name: str, text: str, until: float | None) -> Override | None:
    """Read what the store keeps under a name; None for what another version of limitkit may have written."""
    kind, _, rest = name.partition(" ")
    where, _, target = rest.partition(" ")
    section, colon, partition = where.partition(":")
    try:
        kept = json.loads(text)
        if kind not in _KINDS or section not in _SECTIONS or (colon and not is_digest(partition)):
            return None
        if not _is_whole(kind, kept) or not 0 <= float(kept.get("at", 0.0)) <= _LAST:
            return None
        if kind == "weight" and not partition:
            return None
        return Override(
            target=Target(_SECTIONS[section], target, partition, str(kept.get("shown", ""))),
            kind=_KINDS[kind],
            rate=parse_rate(kept["rate"], calendar=True) if "rate" in kept else None,
            burst=kept.get("burst"),
            max_running=kept.get("max_running"),
            weight=float(kept["weight"]) if "weight" in kept else None,
            by=str(kept.get("by", "")),
            reason=str(kept.get("reason", "")),
            declared_rate=str(kept.get("declared_rate", "")),
            declared_burst=int(kept.get("declared_burst", 1)),
            at=float(kept.get("at", 0.0)),
            until=until,
        )
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError, OverflowError):
        return None


def _is_whole(kind: str, kept: dict[str, Any]) -> bool:
    """Whether it has what its kind needs, and no more, all within bounds."""
    has = [name for name in ("rate", "max_running", "weight") if name in kept]
    if has not in {"rate": (["rate"], ["max_running"]), "pause": ([],), "weight": (["weight"],)}[kind]:
        return False
    most = {"burst": MOST_BURST, "max_running": MOST_RUNNING}
    counts = all(_is_count(kept[name], bound) for name, bound in most.items() if name in kept)
    return counts and is_weight(kept.get("weight", 1))


def _is_count(number: object, most: int) -> bool:
    return isinstance(number, int) and not isinstance(number, bool) and 1 <= number <= most


def is_weight(number: object) -> bool:
    """Whether this is a weight: a number above 0."""
    if isinstance(number, bool) or not isinstance(number, (int, float)):
        return False
    return number > 0 and math.isfinite(number)


MOST_BURST: Final = 1_000_000
MOST_RUNNING: Final = 100_000
_LAST: Final = 250_000_000_000.0
"""The latest time, in seconds since 1970, that a calendar can show."""
_KINDS: Final[dict[str, Kind]] = {"rate": "rate", "pause": "pause", "weight": "weight"}
_SECTIONS: Final[dict[str, Section]] = {"limits": "limits", "tasks": "tasks"}
