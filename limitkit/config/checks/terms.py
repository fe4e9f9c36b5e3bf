"""Checks what a limit says beside its strategy: rates that fit its windows, partitions, schedules, feedback, turns."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from limitkit.config.checks.declared_limits import limits_in, rate_of, table_of
from limitkit.config.checks.schedules import never_holds, same_time
from limitkit.config.model.calendar import CLOCK, parse_resets
from limitkit.config.model.cross_checks import no_meaning
from limitkit.config.model.units import CALENDAR
from limitkit.config.model.value_errors import rate_fault
from limitkit.config.wording import key_text, listed, quote, show

if TYPE_CHECKING:
    from collections.abc import Iterator

    from limitkit.config.checks.declared_limits import DeclaredLimit
    from limitkit.config.model.units import Rate
    from limitkit.config.source.toml import Document
    from limitkit.config.wording import Path
    from limitkit.errors import Problem

_TERMS: Final = ("rate", "burst", "max_running")
_UNITS: Final = {"d": "days", "w": "weeks", "mo": "months"}
_EXAMPLES: Final = {"d": "00:00 UTC", "w": "mon 00:00 UTC", "mo": "1 00:00 UTC"}
_A_DAY: Final = 86_400


def check(document: Document) -> Iterator[Problem]:
    """Find terms that don't fit the limit that they are of."""
    for limit in limits_in(document):
        yield from _rates(document, limit, limit.path, limit.table)
        for path, terms in _shares(limit):
            yield from _share(document, limit, path, terms)
            yield from _rates(document, limit, path, terms)
        yield from _schedule(document, limit)
        yield from _of_running(document, limit)
        yield from _turns(document, limit)
        for key, names in (("key", "partitions"), ("fair_by", "weights")):
            yield from _unnamed(document, limit, key_parts(limit.table.get(key)), names)


def key_parts(said: object) -> tuple[str, ...]:
    """Return the parts of a key as the file has it."""
    items = [said] if isinstance(said, str) else said
    return tuple(item for item in items if isinstance(item, str)) if isinstance(items, list) else ()


def _shares(limit: DeclaredLimit) -> Iterator[tuple[Path, dict[str, Any]]]:
    for name, terms in table_of(limit.table.get("partitions")).items():
        if isinstance(terms, dict):
            yield (*limit.path, "partitions", name), terms
    schedule = limit.table.get("schedule")
    for index, terms in enumerate(schedule if isinstance(schedule, list) else ()):
        if isinstance(terms, dict):
            yield (*limit.path, "schedule", index), terms


def _share(document: Document, limit: DeclaredLimit, path: Path, terms: dict[str, Any]) -> Iterator[Problem]:
    """Find terms of a partition or a schedule that its strategy does not have, and those that say nothing."""
    unfit = {"window": ("burst", "max_running"), "concurrency": ("rate", "burst")}.get(limit.strategy, ("max_running",))
    for key in unfit if limit.strategy else ():
        if key in terms:
            fault = no_meaning(limit.strategy, key)
            yield document.problem(fault.code, (*path, key), fault.fact, fault.hint, at="key")
    if not any(key in terms for key in _TERMS):
        wanted = {"window": "rate", "concurrency": "max_running"}.get(limit.strategy, "rate or burst")
        fact = "nothing is different here from what holds else, so it has no effect"
        yield document.problem("LK067", path, fact, f"write its {wanted}, or take it out", at="header")


def _rates(document: Document, limit: DeclaredLimit, path: Path, terms: dict[str, Any]) -> Iterator[Problem]:
    said, rate = terms.get("rate"), rate_of(terms.get("rate"))
    if rate is None or not isinstance(said, str):
        return
    if limit.strategy == "window":
        if rate.tokens.denominator != 1:
            fact = f"{quote(said)} counts parts of starts, which a window can't"
            each = f"{rate.tokens.numerator}/{rate.every[0] * rate.tokens.denominator}{rate.every[1]}"
            hint = "write a whole number" if hasattr(said, "masked") else f"write a whole number: {quote(each)}"
            yield document.problem("LK063", (*path, "rate"), fact, hint)
        elif fault := _unfit(limit, said, rate):
            fact, hint = fault
            if path != limit.path:  # a partition has no resets of its own
                first, _, _ = hint.partition(", or resets = ")
                hint = "write a rate in days" if hint.startswith("write resets") else first
            yield document.problem("LK062", (*path, "rate"), fact, hint)
    elif limit.strategy and limit.strategy != "concurrency" and (found := rate_fault(said)):
        yield document.problem("LK012", (*path, "rate"), *found)


def _unfit(limit: DeclaredLimit, said: str, rate: Rate) -> tuple[str, str] | None:
    """Say why a window of this rate can't begin anew as the limit says; None when it can."""
    unit, resets = rate.every[1], limit.table.get("resets")
    if resets is None:
        if unit not in CALENDAR:
            return None
        fact = f"{quote(said)} counts by {_UNITS[unit]} of the calendar, and nothing says when those begin"
        return fact, f"write resets = {quote(_EXAMPLES[unit])}, or a rate in days"
    try:
        begins = parse_resets(resets).unit if isinstance(resets, str) else unit
    except ValueError:
        return None
    if begins == "clock":
        return _unfit_for_a_clock(said, rate)
    if begins == unit:
        return None
    fact = f"{quote(said)} does not fit {quote(str(resets))}, which begins anew by {_UNITS[begins]}"
    number = "N" if hasattr(said, "masked") else rate.tokens.numerator
    return fact, f'write a rate per {begins}, e.g. "{number}/{begins}", or resets = "{_EXAMPLES.get(unit, CLOCK)}"'


def _unfit_for_a_clock(said: str, rate: Rate) -> tuple[str, str] | None:
    unit = rate.every[1]
    if unit not in {"s", "m", "h"}:
        fact = f"{quote(said)} does not fit a clock, which counts seconds, minutes and hours"
        return fact, f"write resets = {quote(_EXAMPLES[unit])}, or a rate per s, m or h"
    if _A_DAY % int(rate.period):
        fact = f"{quote(said)} does not fit a day: its windows would begin at other times each day"
        return fact, "write a time that divides a day, e.g. 15m, 1h or 6h"
    return None


def _schedule(document: Document, limit: DeclaredLimit) -> Iterator[Problem]:
    schedule = limit.table.get("schedule")
    for index, said in same_time(schedule):
        fact = f"it begins and ends at {show(said)}, so it is not clear whether it holds all day or never"
        path = (*limit.path, "schedule", index, "to")
        yield document.problem("LK075", path, fact, 'write another time; for the whole day leave "from" and "to" out')
    for index in never_holds(schedule):
        fact = "those before it hold at all of its times, and the first that fits wins, so it never holds"
        path = (*limit.path, "schedule", index)
        yield document.problem(
            "LK077", path, fact, "put it before them, or take it out", at="header", severity="warning"
        )


def _of_running(document: Document, limit: DeclaredLimit) -> Iterator[Problem]:
    """Find what can't be done to a limit that counts what runs: cutting its rate, dividing one slot."""
    if limit.strategy != "concurrency" or not limit.has_store():
        return
    feedback = limit.table.get("feedback")
    if isinstance(feedback, dict) and feedback.get("action", "slow") == "slow":
        fact = "a concurrency limit has no rate that could be slowed down"
        path = (*limit.path, "feedback", "action") if "action" in feedback else (*limit.path, "feedback")
        yield document.problem(
            "LK078", path, fact, 'write action = "pause"', at="key" if "action" in feedback else "header"
        )
    store = table_of(document.data.get("store")).get("on_error")
    on_error, most = limit.table.get("on_error", store), limit.table.get("max_running")
    if on_error == "divide" and isinstance(most, int) and most == 1 and limit.table.get("mode") != "off":
        fact = "one slot can't be divided: while the store can't be asked, each worker runs one task at once"
        hint = 'write on_error = "hold" if there must never be two'
        path = (*limit.path, "on_error") if "on_error" in limit.table else (*limit.path, "max_running")
        yield document.problem("LK082", path, fact, hint, severity="warning")


def _turns(document: Document, limit: DeclaredLimit) -> Iterator[Problem]:
    fair_by, key = key_parts(limit.table.get("fair_by")), key_parts(limit.table.get("key"))
    if not fair_by:
        return
    if limit.strategy == "static":  # that has a message of its own
        return
    if set(fair_by) <= set(key):
        fact = "each value has a bucket of its own, since it is in the key, so there is nobody to take turns with"
        hint = "take fair_by out, or take the key out so that all values share one bucket"
        yield document.problem("LK072", (*limit.path, "fair_by"), fact, hint, at="key")


def _unnamed(document: Document, limit: DeclaredLimit, parts: tuple[str, ...], names: str) -> Iterator[Problem]:
    """Find partitions and values without all parts of their key, which never come, and those that stand there twice."""
    seen: dict[str, str] = {}
    for name in table_of(limit.table.get(names)) if len(parts) > 1 else ():
        try:
            said = json.loads(name)
        except (ValueError, RecursionError):
            said = None
        if not isinstance(said, list) or len(said) != len(parts):
            fact = f"no message has this value, since it has {len(parts)} parts: {listed(parts, 'and')}"
            each = ", ".join(f'"{part.rpartition(".")[2].rpartition(":")[2].upper()}"' for part in parts)
            hint = f"write it as a JSON array in single quotes: '[{each}]'"
            yield document.problem("LK085", (*limit.path, names, name), fact, hint, at="key")
            continue
        # A whole number and its text are one value.
        plain = json.dumps([str(each) if type(each) is int else each for each in said], sort_keys=True)
        if (first := seen.setdefault(plain, name)) != name:
            fact = f"this is the same value as {key_text(first)}, and only one of them could hold"
            yield document.problem("LK086", (*limit.path, names, name), fact, "take one of them out", at="key")
