"""What has changed in the terms of partitions, in schedules and in turns."""

from __future__ import annotations

from typing import TYPE_CHECKING

from limitkit.config.limit_words import terms_words, when_words
from limitkit.config.wording import listed, quote
from limitkit.trial.plan.changes import Delta
from limitkit.trial.plan.ratio_words import decimal
from limitkit.trial.plan.worst_windows import applied, letting, worst_words

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from limitkit.config.declared import Limit, Scheduled, ShareTerms
    from limitkit.trial.plan.changes import Action, Effect


def partitions(before: Limit, after: Limit) -> Iterator[Delta]:
    """Compare the partitions that have terms of their own; one that has none has its limit's."""
    for name in dict.fromkeys([*before.partitions, *after.partitions]):
        old, new = before.partitions.get(name), after.partitions.get(name)
        if old is not None and new is not None and _same(before, old, new):
            continue
        effect, worst = _between(before, after, old, new)
        action: Action = "add" if old is None else "remove" if new is None else "change"
        who = quote(name)
        if new is None:
            said = f"{who} has the limit's own terms"
        else:
            said = f"{who} has terms of its own: {terms_words(after, new)}"
        yield Delta(
            field="partitions",
            before=None if old is None else f"{name}: {terms_words(before, old)}",
            after=None if new is None else f"{name}: {terms_words(after, new)}",
            effect=effect,
            message=f"{said}{f'; {worst}' if worst else ''}",
            action=action,
            at=("partitions", name),
        )


def schedule(before: Limit, after: Limit) -> Iterator[Delta]:
    """Compare what holds at times, and in which order."""
    old, new = _by_time(before.schedule), _by_time(after.schedule)
    changed = {
        when: (old.get(when), new.get(when))
        for when in dict.fromkeys([*old, *new])
        if when not in old or when not in new or not _same(before, old[when], new[when])
    }
    if not changed and list(old) == list(new):
        return
    effects = [_between(before, after, *pair)[0] for pair in changed.values()]
    effect: Effect = "looser" if "looser" in effects else "stricter" if "stricter" in effects else "other"
    gone = [when for when, (_, now) in changed.items() if now is None]
    said = [f"{when}: {terms_words(after, now)}" for when, (_, now) in changed.items() if now is not None]
    said += [f"{when}: the limit's own terms" for when in gone]
    yield Delta(
        field="schedule",
        before=_listed(before),
        after=_listed(after),
        effect=effect,
        message="; ".join(said) or "where several entries fit, another one holds",
        action="add" if not old else "remove" if not new else "change",
    )


def fair_by(before: Limit, after: Limit) -> Iterator[Delta]:
    """Compare by what waiting tasks take turns."""
    if before.fair_by == after.fair_by:
        return
    was, now = (None if each is None else str(each) for each in (before.fair_by, after.fair_by))
    in_turns = f"waiting tasks take turns by {now}"
    said = "waiting tasks start in the order in which they came" if now is None else in_turns
    action: Action = "add" if was is None else "remove" if now is None else "change"
    yield Delta(field="fair_by", before=was, after=now, effect="other", message=said, action=action)


def weights(before: Limit, after: Limit) -> Iterator[Delta]:
    """Compare how many turns values have."""
    old, new = (dict(each.weights) for each in (before, after))
    changed = [name for name in dict.fromkeys([*old, *new]) if old.get(name, 1.0) != new.get(name, 1.0)]
    if not changed:
        return
    was, now = (", ".join(f"{name} {decimal(of.get(name, 1.0))}" for name in changed) for of in (old, new))
    said = f"turns are given by other weights ({listed(changed, 'and')}), also to what waits already"
    yield Delta(field="weights", before=was, after=now, effect="other", message=said)


def _same(limit: Limit, one: ShareTerms, other: ShareTerms) -> bool:
    """Whether terms mean the same, however they are written."""

    def values(terms: ShareTerms) -> tuple[object, ...]:
        rate, is_window = terms.rate, limit.strategy == "window"
        return rate and rate.per_second, rate and is_window and rate.period, terms.burst, terms.max_running

    return values(one) == values(other)


def _between(before: Limit, after: Limit, old: ShareTerms | None, new: ShareTerms | None) -> tuple[Effect, str]:
    """Say whether other terms let more or less through, under a limit as it was, or is where that had none."""
    limit = after if old is None else before
    if before.strategy != after.strategy:
        return "other", ""
    was, now = (limit if terms is None else applied(limit, terms) for terms in (old, new))
    return letting(was, now), worst_words(was, now)


def _by_time(limit_schedule: Iterable[Scheduled]) -> dict[str, ShareTerms]:
    """Return the terms by when they hold; of several at the same time the first holds."""
    found: dict[str, ShareTerms] = {}
    for each in limit_schedule:
        found.setdefault(when_words(each), each.terms)
    return found


def _listed(limit: Limit) -> str | None:
    return "; ".join(f"{when_words(each)}: {terms_words(limit, each.terms)}" for each in limit.schedule) or None
