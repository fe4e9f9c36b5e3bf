"""Finds limits that never make a task wait, because another one that holds for the same tasks admits never more."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from limitkit.config.lints.admission import curve, never_more
from limitkit.config.lints.declared_terms import hides, places, terms_of
from limitkit.config.wording import dotted

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from limitkit.config.declared import Limit
    from limitkit.config.load import Config
    from limitkit.errors import Problem

UNDERCUT: Final = "LK110"
_STRICTER: Final = ("allow", "divide", "hold")


def undercut(config: Config, tasks: Mapping[str, Any] | None) -> Iterator[Problem]:  # noqa: ARG001 (as all lints)
    """Find limits beside which another one, in each place that names them, always is the one that refuses.

    Only one that is there everywhere counts: a limit that several tasks share may be used up by the others.
    """
    together: dict[str, list[dict[str, Limit]]] = {}
    for place in places(config):
        limits = {limit.name: limit for limit in place.limits if not limit.own}
        for name in limits:
            together.setdefault(name, []).append(limits)
    for name, beside in together.items():
        others = set.intersection(*(set(limits) for limits in beside)) - {name}
        stricter = [each for each in sorted(others) if _never_refuses(name, each, beside)]
        # Of two that are equal, the first in the file stays.
        stricter = [each for each in stricter if not _keeps(config, name, each, together)]
        if stricter:
            limit = config.rules.named[name]
            by = min((config.rules.named[each] for each in stricter), key=lambda each: (-each.interval_us, each.burst))
            this, other = (
                name if hides(config, ("limits", each.name)) else f"{name} ({each.text})"
                for each, name in ((limit, "this limit"), (by, dotted(("limits", by.name))))
            )
            fact = f"{this} never makes a task wait, since {other} holds for the same tasks and never admits more"
            path = ("limits", name, "max_running" if limit.rate is None else "rate")
            hint = "take it out, or correct one of the two"
            yield config.document.problem(UNDERCUT, path, fact, hint, severity="warning")


def _keeps(config: Config, name: str, other: str, together: Mapping[str, list[dict[str, Limit]]]) -> bool:
    """Whether a limit that another one undercuts undercuts that one, too, and stands first."""
    beside = together[other]
    mutual = all(name in limits for limits in beside) and _never_refuses(other, name, beside)
    order = list(config.rules.named)
    return mutual and order.index(name) < order.index(other)


def _never_refuses(name: str, other: str, beside: list[dict[str, Limit]]) -> bool:
    """Whether a limit never refuses what another one admits, in all places that have both."""
    pairs = [(limits[name], limits[other]) for limits in beside if limits[name].mode != "off"]
    if not pairs or not all(_comparable(limit, by) for limit, by in pairs):
        return False
    # Values of the one key must be values of the other in the same way everywhere.
    if len({_parts(limit, by) for limit, by in pairs}) != 1 or _parts(*pairs[0]) is None:
        return False
    limit, by = pairs[0]
    apart = limit.local != by.local
    if limit.rate is None:
        return max(_running(by)) + apart <= min(_running(limit)) and by.lease >= limit.lease
    return all(
        never_more(curve(by, mine), curve(limit, its), apart=apart)
        for mine in terms_of((), by)
        for its in terms_of((), limit)
    )


def _comparable(limit: Limit, by: Limit) -> bool:
    """Whether what both admit can be compared at all, and nothing but the sums is different between them."""
    if (limit.rate is None) != (by.rate is None) or limit.mode != "enforce" or by.mode != "enforce":
        return False
    if limit.metered or by.metered or limit.schedule or by.schedule or limit.feedback:
        return False  # what is settled, or backs off, is not known before
    if by.local and not limit.local:
        return False  # a limit of each worker adds up
    if not by.local and _STRICTER.index(by.on_error) < (1 if limit.local else _STRICTER.index(limit.on_error)):
        return False  # without the store it is the other one that holds
    gives_up = limit.on_limit != "wait" and (limit.on_limit, limit.max_wait) != (by.on_limit, by.max_wait)
    return not gives_up and limit.fair_by in (None, by.fair_by)


def _running(limit: Limit) -> list[int]:
    """Return how many may run at once, and how many of each partition with terms of its own."""
    return [limit.max_running, *(each.max_running or limit.max_running for each in limit.partitions.values())]


def _parts(limit: Limit, by: Limit) -> tuple[int, ...] | None:
    """Return which parts of a limit's key the other one's are; None when they are not among them."""
    mine, its = (each.key.parts if each.key else () for each in (limit, by))
    return tuple(map(mine.index, its)) if set(its) <= set(mine) else None
