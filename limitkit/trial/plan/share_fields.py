"""What has changed in the terms of partitions, in schedules and in turns."""

from __future__ import annotations

from typing import TYPE_CHECKING

from limitkit.config.limit_words import terms_words, when_words
from limitkit.config.wording import listed, quote
from limitkit.trial.plan.changes import Delta
from limitkit.trial.plan.ratio_words import decimal
from limitkit.trial.plan.terms import difference, partition_pairs
from limitkit.trial.plan.times import changed_times, times_words

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from limitkit.config.declared import Limit
    from limitkit.trial.plan.changes import Action, Effect
    from limitkit.trial.plan.terms import Difference
    from limitkit.trial.plan.times import Times


def partitions(before: Limit, after: Limit) -> Iterator[Delta]:
    """Compare the partitions that have terms of their own; one that has none has its limit's, at all times."""
    for name in dict.fromkeys([*before.partitions, *after.partitions]):
        old, new = before.partitions.get(name), after.partitions.get(name)
        found = [difference(before, after, *pair) for pair in partition_pairs(before, after, name)]
        differs = list(dict.fromkeys(each for each in found if each is not None))
        if not differs and old is not None and new is not None:
            continue
        who = quote(name)
        said = f"{who} has the limit's own terms" if new is None else f"{who} has terms of its own"
        if not differs:
            said = f"{who} is {'no longer' if new is None else 'now'} named, and the same terms hold for it as before"
        elif len(differs) == len(found) == 1:
            said += f": {differs[0].said}{f'; {differs[0].worst}' if differs[0].worst else ''}"
        else:  # the limit has a schedule
            said += f": {', '.join(each.said for each in differs)}, by the time"
        action: Action = "add" if old is None else "remove" if new is None else "change"
        yield Delta(
            field="partitions",
            before=None if old is None else f"{name}: {terms_words(before, old)}",
            after=None if new is None else f"{name}: {terms_words(after, new)}",
            effect=_together(differs),
            message=said,
            action=action,
            at=("partitions", name),
        )


def schedule(before: Limit, after: Limit) -> Iterator[Delta]:
    """Compare what schedules put in force, and when."""
    if before.schedule == after.schedule and not before.schedule:
        return
    times = changed_times(before, after)
    if times:
        yield Delta(
            field="schedule",
            before=_listed(before),
            after=_listed(after),
            effect=_together(times),
            message=times_words(times),
            action="add" if not before.schedule else "remove" if not after.schedule else "change",
        )


def _together(found: Iterable[Difference | Times]) -> Effect:
    """Say what several changes do together: more in any way is more."""
    effects = [each.effect for each in found]
    return "looser" if "looser" in effects else "stricter" if "stricter" in effects else "other"


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


def _listed(limit: Limit) -> str | None:
    return "; ".join(f"{when_words(each)}: {terms_words(limit, each.terms)}" for each in limit.schedule) or None
