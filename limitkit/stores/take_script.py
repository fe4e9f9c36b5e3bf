"""The Lua scripts, and how the arguments of ``take`` and ``slow`` are written and their answers read.

``settle_script`` has those of the scripts that follow a start.
"""

from __future__ import annotations

import re
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Final

from limitkit.buckets.adaptive_rate import Adapted
from limitkit.buckets.calendar import borders
from limitkit.buckets.decision import BackedOff, Bucket, Decision, Slots, Window
from limitkit.buckets.group import costs_of, is_metered, is_plain
from limitkit.buckets.partition import adapted_key, holds_slots, waiters_key
from limitkit.buckets.token_bucket import MICROSECONDS

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from limitkit.buckets.decision import GiveBack, Refusal, Take


def _text(*names: str) -> str:
    folder = files("limitkit.stores")
    return "\n".join(folder.joinpath(f"{name}.lua").read_text("ascii") for name in names)


_WINDOWS: Final = ("window_parts", "window_times", "window_resets")
_KINDS: Final = f"""
local kinds
if ARGV[2] then kinds = function(now)
{_text("metered", *_WINDOWS, "slots", "kinds")}
end end
"""
"""Made only for a call that asks about other kinds: making functions takes time, too."""
SCRIPTS: Final = {
    "take": _text("rate") + _KINDS + _text("take"),
    "slow": _text("rate", "slow"),
    "settle": _text("rate", "metered", *_WINDOWS, "settle"),
    **{name: _text(name) for name in ("note", "look", "post", "renew", "running")},
}
_OF_KINDS: Final = {"exact": "window_times", "window": "window_parts", "calendar": "window_resets", "slots": "slots"}
_NONE: Final = -1


_SCANNED: Final = 500
"""Keys that Redis scans in one step; meanwhile it does nothing else."""


def texts_for(kinds: Iterable[str]) -> list[str]:
    """Return the parts of ``take`` that buckets of these kinds need; see ``worker.startup_store_check``."""
    return [_text("rate"), _text("take"), *(_text(_OF_KINDS[kind]) for kind in sorted(kinds) if kind in _OF_KINDS)]


def question(
    takes: Sequence[Take], give_backs: Sequence[GiveBack], now_us: int | None, wall_us: int
) -> tuple[list[str], list[str]]:
    """Return the keys and the arguments of ``take`` for one call; ``wall_us`` is about what the store's clock says."""
    keys: list[str] = []
    numbers: list[str] = [f"{'' if now_us is None else now_us} {len(give_backs)}"]
    extra: list[str] = []
    args: list[str] = []
    has_kinds = False
    for gift in give_backs:
        keys.append(gift.bucket.key)
        if type(gift.bucket) is Bucket and not gift.bucket.metered:
            numbers.append(f"{gift.mark} {gift.count * gift.bucket.interval_us}")
        else:
            has_kinds = True
            numbers.append(_gift(gift, extra, args))
    for ask in takes:
        if not is_plain(ask):
            has_kinds = True
            numbers.append(f"{len(ask.buckets)} {min(1, ask.count)} {ask.ready} 0")
            for bucket, cost in zip(ask.buckets, costs_of(ask), strict=False):
                keys.append(bucket.key)
                numbers.append(_asked(bucket, cost, ask, wall_us, (extra, args)))
            continue
        numbers.append(f"{len(ask.buckets)} {ask.count} {ask.ready} {max(0, round(ask.horizon * MICROSECONDS))}")
        for bucket in ask.buckets:
            keys.append(bucket.key)
            if _is_adaptive(bucket):
                numbers.append(f"{bucket.interval_us} {-bucket.burst}")
                extra.append(adapted_key(bucket.key))
            else:
                numbers.append(f"{bucket.interval_us} {bucket.burst}")
    return keys + extra[::-1], [" ".join(numbers), "kinds", *args] if has_kinds else [" ".join(numbers)]


def letter_of(bucket: Bucket) -> str:
    """Return by which letter the scripts know this kind of limit; plain token buckets have none."""
    if isinstance(bucket, Window):
        return "c" if bucket.resets is not None else "x" if bucket.exact else "w"
    return "s" if isinstance(bucket, Slots) else "m"


def _gift(gift: GiveBack, extra: list[str], args: list[str]) -> str:
    bucket = gift.bucket
    if isinstance(bucket, Slots):
        args.append(gift.member)
        extra.append(waiters_key(bucket.key))
    span = bucket.period_us if isinstance(bucket, Window) else 0
    return f"{letter_of(bucket)} {gift.mark} {gift.count} {bucket.interval_us} {span} {bucket.burst}"


def _asked(bucket: Bucket, cost: int, ask: Take, wall_us: int, more: tuple[list[str], list[str]]) -> str:
    burst, (extra, args) = bucket.burst, more
    if _is_adaptive(bucket):
        burst = -burst
        extra.append(adapted_key(bucket.key))
    if type(bucket) is Bucket and not is_metered(bucket, cost):
        return f"{bucket.interval_us} {burst}"
    head = f"{letter_of(bucket)} {bucket.interval_us} {burst} {cost}"
    if isinstance(bucket, Slots):
        args += (ask.member, ask.waiter)
        extra.append(waiters_key(bucket.key))
        return f"{head} {bucket.lease_us}"
    if not isinstance(bucket, Window):
        return f"{head} 0"
    if bucket.resets is None:
        return f"{head} {bucket.period_us}"
    begin, end, next_end = borders(bucket.resets, wall_us)
    return f"{head} {bucket.late_us} {begin} {end} {next_end}"


def refill(client: Any, key: str, *, partitions: bool) -> int:
    """Delete a bucket, or all whose keys begin with this one, some at a time; returns how many there were.

    Their adapted rates are deleted, too: a paused bucket may have no other key. Slots stay: their tasks run.
    """
    names = (adapted_key(key),) if holds_slots(key) else (key, adapted_key(key))
    if not partitions:
        return max([int(client.delete(each)) for each in names])
    patterns = [re.sub(r"([\\*?\[\]^])", r"\\\1", each) + ":*" for each in names]
    return max([sum(int(client.delete(each)) for each in _scan(client, pattern)) for pattern in patterns])


def _scan(client: Any, pattern: str) -> Any:
    return client.scan_iter(match=pattern, count=_SCANNED)


def answers(answer: bytes | str, takes: Sequence[Take]) -> list[Decision]:
    """Read what ``take`` returned: one decision a take."""
    reply = list(map(int, answer.split()))
    decisions, at = [], 0
    for ask in takes:
        first = at + 1
        at = first + reply[at]
        slots = [slot / MICROSECONDS for slot in reply[first:at]]
        waits, marks, intervals, has_feedback = [], [], [], False
        for bucket in ask.buckets:
            waits.append(reply[at] / MICROSECONDS)  # below zero where borders do not fit: see server_clock
            marks.append(reply[at + 1])
            at += 2
            if bucket.feedback is None:
                intervals.append(bucket.interval_us)
                continue
            has_feedback = True
            adaptive = _is_adaptive(bucket)
            intervals.append(reply[at] if adaptive else bucket.interval_us)
            at += adaptive
        decisions.append(Decision(tuple(slots), tuple(waits), tuple(marks), tuple(intervals) if has_feedback else ()))
    return decisions


def report(refusal: Refusal, now_us: int | None) -> tuple[list[str], list[str | int]]:
    """Return the keys and arguments of ``slow`` for one refusal."""
    bucket, feedback = refusal.bucket, refusal.bucket.feedback
    assert feedback is not None  # noqa: S101 (no other bucket is asked about)
    wait = _NONE if refusal.retry_after is None else round(refusal.retry_after * MICROSECONDS)
    rates = [_NONE if each is None else repr(each) for each in (feedback.step, feedback.floor, feedback.ceiling)]
    args: list[str | int] = ["" if now_us is None else now_us, round(refusal.age * MICROSECONDS), wait]
    args += [feedback.action, bucket.interval_us, bucket.burst, repr(feedback.factor), *rates]
    args.append(int(type(bucket) is Bucket))
    return [bucket.key, adapted_key(bucket.key)], args


def backed_off(reply: Sequence[int]) -> BackedOff:
    """Read what ``slow`` returned."""
    changed, pause, interval = reply
    return BackedOff(bool(changed), pause / MICROSECONDS, interval)


def read_adapted(client: Any, keys: Sequence[str]) -> list[Adapted | None]:
    """Read the adapted rates of the buckets of these keys, as ``slow`` has written them."""
    if not keys:
        return []
    pipeline = client.pipeline(transaction=False)
    for key in keys:
        pipeline.get(adapted_key(key))
    return [_adapted(kept) for kept in pipeline.execute()]


def _adapted(kept: bytes | str | None) -> Adapted | None:
    if kept is None:
        return None
    paused, since, low, plateau, climb, ceiling, end, row, first = map(float, kept.split())
    return Adapted(int(paused), int(since), low, plateau, int(climb), ceiling, int(end), int(row), first)


def _is_adaptive(bucket: Bucket) -> bool:
    """Whether a bucket has an adaptive rate; while an operator has paused it, it has none."""
    return bucket.feedback is not None and bucket.burst > 0
