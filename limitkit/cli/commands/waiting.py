"""``limitkit waiting``: what is parked outside of the workers, for which limits, and until when."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from limitkit.buckets.partition import parts_of, shown
from limitkit.cli.options import common, examples
from limitkit.cli.output import say, say_json, table
from limitkit.cli.parked_view import parked_view
from limitkit.config.wording import count, span
from limitkit.waiting import room_names

if TYPE_CHECKING:
    from collections.abc import Sequence

    from limitkit.cli.parked_pace import Pace
    from limitkit.cli.parked_view import ParkedView
    from limitkit.waiting.bucket_owners import Owner, Sum
    from limitkit.waiting.parked_messages import Found, Pile

_FIRST = ("parked", "drained in", "in force", "partition", "why", "oldest", "partitions")
"""Columns by importance; where a terminal is narrow, the last ones are left out first."""
_NUMBERS = ("parked", "partitions")
_SHOWN = 20
"""Partitions that are shown to people; JSON has all."""
_DIGITS = 8
"""Of a partition's hash."""
_PLAIN = ("root_id", "parent_id", "group", "retries", "eta", "expires", "timelimit", "origin", "argsrepr", "kwargsrepr")
"""Headers that Celery sets and that are shown."""
_CELERYS = frozenset(
    (
        "id",
        "task",
        "lang",
        "shadow",
        "group_index",
        "ignore_result",
        "replaced_task_nesting",
        "stamped_headers",
        "stamps",
    )
)
"""Celery's other headers, not shown. The rest are the sender's, and may be secret: only their names are shown."""


@click.command(
    "waiting",
    short_help="Show what is parked for each limit, and since when.",
    epilog=examples(
        "limitkit waiting -A shop",
        "limitkit waiting stripe_api -A shop",
        "limitkit waiting --show 7fa93e91-e52c-4253-a0cd-e1f70cecc5da -A shop",
    ),
)
@click.argument("limit", required=False)
@click.option("--show", metavar="ID", help="Show the parked message of the task with this id; never its body.")
@click.option("--output-format", "form", type=click.Choice(["text", "json"]), default="text", help="How to print it.")
@common
@click.pass_context
def command(
    ctx: click.Context, limit: str | None, *, show: str | None, form: str, app: str | None, config: str | None
) -> None:
    """Show how many tasks are parked for each limit, since when, and how long until all have started.

    LIMIT is a limit's name, or the name of a task that has a limit of its own: then by queue and partition. A task
    with several limits is counted for the one that it waits longest for.

    What workers hold in memory (what they can start within [waiting] hold, 2 s by default) is not counted, and
    neither is what no worker has fetched from its queue yet.

    Exit status: 0 fine, 1 there is no such limit, or no such message is parked, 2 the broker can't be reached.
    """
    if show is not None and limit is not None:
        raise click.UsageError("name a LIMIT or --show ID, not both")
    with parked_view(ctx, app, config) as room:
        if room.parked_messages is None:
            _say_where(room, form)
        elif show is not None:
            found = room.parked_messages.find(show)
            if found is None:
                fact = f"no message of a task with the id {show} is parked"
                say(f"limitkit: {fact}; it may be held by a worker, be in its queue, or be done", err=True)
                ctx.exit(1)
            _show(room, found, form)
        else:
            piles = list(room.parked_messages.piles())
            owner = room.chosen(ctx, limit, piles)
            if owner is None:
                _list_limits(room, piles, form)
            else:
                _list_partitions(room, owner, piles, form)


def _say_where(room: ParkedView, form: str) -> None:
    if form == "json":
        _dump(room, limits=None)
    else:
        say(f"Tasks that can't start soon are parked in {room.kind}, which can't be listed by limit.")
        say(room_names.to_look(room.kind))


def _list_limits(room: ParkedView, piles: list[Pile], form: str) -> None:
    sums = room.owners.sums(piles)
    pace = _pace(room, piles)
    if form == "json":
        _dump(room, limits=[_summed(each, pace) for each in sums])
        return
    if not sums:
        say(f"Nothing is parked in {room.kind}.")
        return
    say(f"{count(sum(each.parked for each in sums), 'task')} parked in {room.kind}:", "")
    rows = []
    for each in sums:
        rate, why = pace.says(each.owner, each.buckets)
        drained = pace.written(each.owner, pace.drained(each))
        rows.append((each.owner.label, *_figures(each), span(each.age), rate or "-", drained, why))
    say(*_drawn(("limit", "parked", "partitions", "oldest", "in force", "drained in", "why"), rows))


def _list_partitions(room: ParkedView, owner: Owner, piles: list[Pile], form: str) -> None:
    owned = [pile for pile in piles if room.owners.of(pile.bucket) == owner]
    owned.sort(key=lambda pile: (-pile.count, pile.queue, pile.bucket))
    pace = _pace(room, owned)
    if form == "json":
        sums = room.owners.sums(owned)
        parked = [_counted(owner, pile, pace) for pile in owned]
        _dump(room, limits=[_summed(each, pace) for each in sums], parked=parked)
        return
    if not owned:
        say(f"Nothing is parked for {owner.label} in {room.kind}.")
        return
    say(f"{count(sum(pile.count for pile in owned), 'task')} parked for {owner.label} in {room.kind}:", "")
    rows = []
    for pile in owned[:_SHOWN]:
        rate, why = pace.says(owner, [pile.bucket])
        drained = pace.written(owner, pace.seconds(owner, pile))
        rows.append((pile.queue, _partition(pile), str(pile.count), span(pile.age), rate or "-", drained, why))
    say(*_drawn(("queue", "partition", "parked", "oldest", "in force", "drained in", "why"), rows))
    if len(owned) > _SHOWN:
        say(f"and {len(owned) - _SHOWN} more; --output-format json lists all")


def _drawn(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    from limitkit.cli.table_width import fitted, width_of_terminal  # noqa: PLC0415 (quick to start without)

    first = (headings[0], *_FIRST)
    always = [heading for heading in headings if heading not in ("in force", "why")]
    return fitted(headings, rows, width=width_of_terminal(), first=first, numbers=_NUMBERS, below="why", always=always)


def _pace(room: ParkedView, piles: list[Pile]) -> Pace:
    from limitkit.cli.parked_pace import Pace, pace_of  # noqa: PLC0415 (imports Celery)

    return pace_of(room.app, room.config, room.owners, piles) if piles else Pace(None)


def _show(room: ParkedView, found: Found, form: str) -> None:
    pile, headers, properties = found.pile, found.message["headers"], found.message["properties"]
    owner = room.owners.of(pile.bucket)
    hidden = sorted(name for name in headers if name not in _CELERYS and name not in _PLAIN)
    plain = {name: headers[name] for name in _PLAIN if headers.get(name) not in (None, [None, None])}
    if form == "json":
        place = {"place": found.place, "of": pile.count, "age_seconds": found.age, "due_seconds": found.due}
        limit = {**_named(owner), "queue": pile.queue, "partition": _digest(pile)}
        task = {"id": headers.get("id") or properties.get("correlation_id"), "task": headers.get("task")}
        _dump(room, message={**task, **limit, **place, "headers": plain, "other_headers": hidden})
        return
    rows = [
        ("id", str(headers.get("id") or properties.get("correlation_id"))),
        ("task", str(headers.get("task") or "(named in the body)")),
        ("queue", pile.queue),
        ("limit", owner.label),
        ("partition", _partition(pile)),
        ("place", f"{found.place} of {pile.count}"),
        ("parked", f"{span(found.age)} ago"),
        ("due in", span(found.due)),
        ("priority", str(properties.get("priority") or 0)),
        *((name, str(value)) for name, value in plain.items()),
    ]
    if hidden:
        rows.append(("not shown", ", ".join(hidden)))
    say(*table(("", ""), rows).splitlines()[1:])


def _figures(each: Sum) -> tuple[str, str]:
    digests = any((parts_of(bucket) or ("", None))[1] for bucket in each.buckets)
    return str(each.parked), str(len(each.buckets)) if digests else "-"


def _digest(pile: Pile) -> str | None:
    parts = parts_of(pile.bucket)
    return parts[1] if parts else None


def _partition(pile: Pile) -> str:
    digest = _digest(pile)
    return shown(digest, _DIGITS) if digest else "-"


def _named(owner: Owner) -> dict[str, Any]:
    return {"limit": owner.name, "own": owner.own}


def _summed(each: Sum, pace: Pace) -> dict[str, Any]:
    figures = {"parked": each.parked, "partitions": len(each.buckets), "oldest_seconds": round(each.age, 3)}
    return {**_named(each.owner), **figures, **pace.values(each.owner, each.buckets, pace.drained(each))}


def _counted(owner: Owner, pile: Pile, pace: Pace) -> dict[str, Any]:
    figures = {"parked": pile.count, "oldest_seconds": round(pile.age, 3)}
    place = {"queue": pile.queue, "partition": _digest(pile)}
    return {**place, **figures, **pace.values(owner, [pile.bucket], pace.seconds(owner, pile))}


def _dump(room: ParkedView, **what: Any) -> None:
    say_json({"version": 1, "room": room.kind, **what})
