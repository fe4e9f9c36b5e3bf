"""What has changed in one limit, key by key, and what each of these changes does."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from limitkit.config.declared import Limit
from limitkit.config.limit_words import cost_text
from limitkit.config.model.calendar import UTC
from limitkit.config.model.units import duration_text
from limitkit.trial.plan.bucket_identity import begins, has_new_buckets
from limitkit.trial.plan.changes import Delta, harmless
from limitkit.trial.plan.feedback_fields import feedback
from limitkit.trial.plan.limit_words import described, key_words, mode_words, on_error_words, on_limit_words
from limitkit.trial.plan.ratio_words import grown, number
from limitkit.trial.plan.share_fields import fair_by, partitions, schedule, weights
from limitkit.trial.plan.terms import inherits, own_counts
from limitkit.trial.plan.weeks import held_together, same_clock
from limitkit.trial.plan.worst_windows import letting, worst_words

if TYPE_CHECKING:
    from collections.abc import Collection

    from limitkit.config.declared import Resets
    from limitkit.trial.plan.changes import Effect

Compare = Callable[[Limit, Limit], Iterator[Delta]]

_ON_ERROR: Final = ("hold", "divide", "allow")
"""What lets more through comes later."""


def deltas(before: Limit, after: Limit, fields: Collection[str] | None = None) -> list[Delta]:
    """Compare two limits that take each other's place; ``fields`` are those that count, by default all."""
    if all(getattr(before, field) == getattr(after, field) for field in COMPARED):
        return []
    in_force = before.mode == after.mode == "enforce"
    skipped = _OF_STRATEGY if _is_another_kind(before, after) else ()
    found = []
    for field, compare in COMPARED.items():
        if field in skipped or (fields is not None and field not in fields):
            continue
        for each in compare(before, after):
            delta = each if field == "mode" or in_force else harmless(each, _not_in_force(before, after))
            new = field in _NAMING and after.mode == "enforce" and has_new_buckets(before, _with(before, after, field))
            if new and not delta.new_buckets:
                delta = replace(delta, new_buckets=True, message=f"{delta.message}; {begins(after)}")
            found.append(delta)
    return found


def _with(before: Limit, after: Limit, field: str) -> Limit:
    """Return the limit from before with one key as it is now; with all keys that belong to its kind, for that."""
    fields = (field, *_OF_STRATEGY) if field == "strategy" else (field,)
    return replace(before, **{each: getattr(after, each) for each in fields})


def _is_another_kind(before: Limit, after: Limit) -> bool:
    return before.strategy != after.strategy


def _not_in_force(before: Limit, after: Limit) -> str:
    mode = before.mode if before.mode != "enforce" else after.mode
    return f"nothing waits for this limit {'until now' if before.mode != 'enforce' else 'any more'} ({mode})"


def _strategy(before: Limit, after: Limit) -> Iterator[Delta]:
    if before.strategy == after.strategy:
        return
    was, now = described(before), described(after)
    if after.rate is None:
        said = "how fast tasks start is not limited any more, but how many run at once is"
    elif before.rate is None:
        said = "how many run at once is not limited any more, but how fast they start is"
    else:
        said = worst_words(before, after) or "the worst window stays the same"
    if before.local != after.local:
        said += f"; {_where(after)}"
    if (before.key is None) != (after.key is None) or before.key != after.key:
        said += f"; {key_words(before.key, after.key)}"
    effect = letting(before, after)
    yield Delta(field="strategy", before=was, after=now, effect=effect, message=f"it is of another kind: {said}")


def _rate(before: Limit, after: Limit) -> Iterator[Delta]:
    one, other = before.rate, after.rate
    if one is None or other is None:
        return
    same_pace = one.per_second == other.per_second
    if same_pace and (before.strategy != "window" or one.period == other.period):
        return
    said = f"the rate is {grown(one.per_second, other.per_second)}"
    if same_pace:
        said = f"the window is of another length, and holds {number(after.most)} instead of {number(before.most)}"
    effect = letting(before, _only(before, after, "rate"))
    yield _as_it_counts(before, after, _delta("rate", one.text, other.text, effect, said), worst_words(before, after))


def _burst(before: Limit, after: Limit) -> Iterator[Delta]:
    if before.burst == after.burst:
        return
    said = f"the burst is {grown(before.burst, after.burst)}"
    if not own_counts(before, after, "burst"):
        pass
    elif after.burst < before.burst:
        said += f"; tokens that are saved up beyond {number(after.burst)} are lost"
    else:
        said += f"; {number(after.burst)} may start at once after a quiet time"
    worst = worst_words(before, after) if before.rate == after.rate else ""  # else it stands at the rate
    effect: Effect = "looser" if after.burst > before.burst else "stricter"
    yield _as_it_counts(before, after, _delta("burst", str(before.burst), str(after.burst), effect, said), worst)


def _max_running(before: Limit, after: Limit) -> Iterator[Delta]:
    if before.max_running == after.max_running or not before.max_running or not after.max_running:
        return
    said = f"how many run at once is {grown(before.max_running, after.max_running)}"
    if after.max_running < before.max_running and own_counts(before, after, "max_running"):
        said += f"; what runs goes on, and nothing starts until fewer than {number(after.max_running)} run"
    effect: Effect = "looser" if after.max_running > before.max_running else "stricter"
    delta = _delta("max_running", str(before.max_running), str(after.max_running), effect, said)
    yield _as_it_counts(before, after, delta)


def _as_it_counts(before: Limit, after: Limit, delta: Delta, worst: str = "") -> Delta:
    """Say of one of a limit's own terms where it holds, beside a schedule; and what it does to the worst window."""
    if not own_counts(before, after, delta.field):
        return harmless(delta, _REPLACED)
    those = [terms for (terms, *_) in (*held_together(before.schedule), *held_together(after.schedule))]
    at_times = "" if all(inherits(terms, delta.field) for terms in those) else ", where the schedule has no other"
    return replace(delta, message=f"{delta.message}{at_times}{f'; {worst}' if worst else ''}")


def _key(before: Limit, after: Limit) -> Iterator[Delta]:
    if before.key == after.key:
        return
    effect: Effect = "looser" if before.key is None else "stricter" if after.key is None else "other"
    said = key_words(before.key, after.key)
    was, now = (str(key) if key is not None else None for key in (before.key, after.key))
    if before.key is None or after.key is None or has_new_buckets(before, _only(before, after, "key")):
        yield _delta("key", was, now, effect, said)
        return
    said += f"; where the value is new, {begins(after)}; one that stood in the old key too keeps its bucket"
    yield replace(_delta("key", was, now, effect, said), new_buckets=True)


def _resets(before: Limit, after: Limit) -> Iterator[Delta]:
    one, other = before.resets, after.resets
    if _begin(one) == _begin(other) and (one is None or other is None or same_clock(one.timezone, other.timezone)):
        return
    effect: Effect = "looser" if one is None else "stricter" if other is None else "other"
    if one is None:
        said = "the window resets, so up to twice its number may start around a reset"
    elif other is None:
        said = "the window slides, so its number holds for any stretch of its time"
    else:
        said = "the window begins at another time; what it has counted counts on only if it began since then"
    was, now = (None if each is None else each.text for each in (one, other))
    yield _delta("resets", was, now, effect, said)


def _begin(resets: Resets | None) -> Resets | None:
    """Return what counts of it: not how it is written, nor what follows from the rate."""
    return resets and replace(resets, text="", every=1, period_us=0, timezone=UTC)


def _lease(before: Limit, after: Limit) -> Iterator[Delta]:
    if before.lease == after.lease or after.strategy != "concurrency" or after.local:
        return
    was, now = duration_text(before.lease), duration_text(after.lease)
    said = f"the slots of a worker that is gone without a word are free after {now} at most, {was} until now"
    yield _delta("lease", was, now, "other", said)


def _scope(before: Limit, after: Limit) -> Iterator[Delta]:
    if before.scope != after.scope:
        effect: Effect = "looser" if after.scope == "worker" else "stricter"
        yield _delta("scope", before.scope, after.scope, effect, _where(after))


def _where(after: Limit) -> str:
    if after.local:
        return "each worker counts by itself, so the number of workers multiplies it, and no store is asked"
    return "all workers count together, in the store"


def _mode(before: Limit, after: Limit) -> Iterator[Delta]:
    if before.mode != after.mode:
        effect: Effect = "looser" if before.mode == "enforce" else "stricter" if after.mode == "enforce" else "other"
        yield _delta("mode", before.mode, after.mode, effect, mode_words(before.mode, after.mode))


def _on_error(before: Limit, after: Limit) -> Iterator[Delta]:
    if before.on_error == after.on_error or (before.local and after.local):
        return
    more = _ON_ERROR.index(after.on_error) > _ON_ERROR.index(before.on_error)
    effect: Effect = "looser" if more else "stricter"
    yield _delta("on_error", before.on_error, after.on_error, effect, on_error_words(after.on_error))


def _on_limit(before: Limit, after: Limit) -> Iterator[Delta]:
    if before.on_limit != after.on_limit:
        effect: Effect = "stricter" if before.on_limit == "wait" else "other"
        said = on_limit_words(after.on_limit, after.max_wait)
        yield _delta("on_limit", before.on_limit, after.on_limit, effect, said)


def _max_wait(before: Limit, after: Limit) -> Iterator[Delta]:
    if before.max_wait == after.max_wait or before.on_limit == after.on_limit == "wait":
        return
    was, now = (None if each is None else duration_text(each) for each in (before.max_wait, after.max_wait))
    effect: Effect = "stricter" if (after.max_wait or 0) < (before.max_wait or 0) else "other"
    yield _delta("max_wait", was, now, effect, on_limit_words(after.on_limit, after.max_wait))


def _show_key(before: Limit, after: Limit) -> Iterator[Delta]:
    if before.show_key != after.show_key:
        how = "in clear" if after.show_key else "only as a hash"
        said = f"values of {after.key} are stored and shown {how}"
        yield _delta("show_key", str(before.show_key).lower(), str(after.show_key).lower(), "other", said)


def _cost(before: Limit, after: Limit) -> Iterator[Delta]:
    one, other = before.cost, after.cost
    if one == other:
        return
    was, now = cost_text(one), cost_text(other)
    said = f"a start costs {now}, {was} until now"
    effect: Effect = "other"
    if one.of is None and other.of is None:
        effect = "looser" if other.fixed < one.fixed else "stricter"
        said = f"the cost of a start is {grown(one.fixed, other.fixed)}"
        worst = worst_words(before, after)
        said += f"; {worst}" if worst and before.rate == after.rate else ""
    elif one.of == other.of:
        pairs = ((one.times, other.times), (one.plus, other.plus), (one.default, other.default))
        effect = "looser" if any(b < a for a, b in pairs) else "stricter"
    yield _delta("cost", was, now, effect, said)


def _settle(before: Limit, after: Limit) -> Iterator[Delta]:
    if before.settle == after.settle:
        return
    was, now = (None if each is None else ".".join(each) for each in (before.settle, after.settle))
    of_result = f"the true cost is read from {now} of what a task returns"
    said = "the cost at the start is final" if now is None else of_result
    yield _delta("settle", was, now, "other", said)


def _only(before: Limit, after: Limit, field: str) -> Limit:
    """Return the limit from before with one key as it is now."""
    return replace(before, **{field: getattr(after, field)})


def _delta(field: str, before: str | None, after: str | None, effect: Effect, message: str) -> Delta:
    action = "add" if before is None else "remove" if after is None else "change"
    return Delta(field=field, before=before, after=after, effect=effect, message=message, action=action)  # type: ignore[arg-type] # one of them


_REPLACED: Final = "the schedule has, or had until now, another in its place at all times, so this changes nothing"
COMPARED: Final[dict[str, Compare]] = {
    "strategy": _strategy,
    "mode": _mode,
    "rate": _rate,
    "burst": _burst,
    "max_running": _max_running,
    "key": _key,
    "resets": _resets,
    "scope": _scope,
    "lease": _lease,
    "cost": _cost,
    "settle": _settle,
    "partitions": partitions,
    "schedule": schedule,
    "fair_by": fair_by,
    "weights": weights,
    "on_error": _on_error,
    "on_limit": _on_limit,
    "max_wait": _max_wait,
    "feedback": feedback,
    "show_key": _show_key,
}
"""By the field of a limit: what finds its changes."""
NOT_COMPARED: Final = frozenset({"name", "own", "path", "line", "metered"})
"""Whose limit it is, where it is declared, and what follows from costs."""
_OF_STRATEGY: Final = ("rate", "burst", "max_running", "key", "resets", "scope", "lease")
"""What is told with another strategy."""
_NAMING: Final = frozenset({"strategy", "mode", "rate", "key", "resets", "scope", "show_key"})
"""What the name of a bucket may depend on."""
