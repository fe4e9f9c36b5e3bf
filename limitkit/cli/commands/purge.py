"""``limitkit purge``: removes parked tasks for good."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from limitkit.buckets.named_partition import digest_of_form, is_digest, named
from limitkit.buckets.partition import parts_of
from limitkit.cli.manager_command import of, of_partition
from limitkit.cli.options import common, examples
from limitkit.cli.output import Unusable, say
from limitkit.cli.parked_view import parked_view
from limitkit.config.wording import count, one_line
from limitkit.waiting import room_names

if TYPE_CHECKING:
    from limitkit.waiting.bucket_owners import Owner
    from limitkit.waiting.parked_messages import Pile


@click.command(
    "purge",
    short_help="Remove parked tasks for good; it asks first.",
    epilog=examples(
        "limitkit purge stripe_api -A shop",
        "limitkit purge tenant --partition acme -A shop",
        "limitkit purge --yes -A shop",
    ),
)
@click.argument("limit", required=False)
@of_partition
@click.option("-y", "--yes", is_flag=True, help="Remove them without asking.")
@common
@click.pass_context
def command(
    ctx: click.Context,
    limit: str | None,
    *,
    partition: str | None,
    yes: bool,
    app: str | None,
    config: str | None,
) -> None:
    """Remove the tasks that are parked for good: those that wait for LIMIT, or all. It asks first.

    LIMIT is a limit's name, or the name of a task that has a limit of its own. With --partition, only those that wait
    for this value of its key. What workers hold, what is in its
    queue, and what is parked after the question stays. As after celery purge, the results of removed tasks stay
    PENDING, and a chord with one of them never ends.

    Exit status: 0 done, or nothing is parked, 1 there is no such limit, or the answer was no, 2 the broker can't be
    reached, or there is no terminal to ask on.
    """
    with parked_view(ctx, app, config) as room:
        if room.parked_messages is None:
            raise Unusable(
                f"what is parked in {room.kind} can't be removed by limitkit. {room_names.to_look(room.kind)}"
            )
        piles = list(room.parked_messages.piles())
        owner = room.chosen(ctx, limit, piles)
        if owner is not None:
            piles = [pile for pile in piles if room.owners.of(pile.bucket) == owner]
        if partition is not None:
            if owner is None:
                raise Unusable("whose partition? name the limit, too: limitkit purge LIMIT --partition P")
            piles = _of_partition(piles, owner, partition)
        wanted = sum(pile.count for pile in piles)
        if not wanted:
            say(f"Nothing is parked{f' for {owner.label}{of(partition)}' if owner else ''} in {room.kind}.")
            return
        sums = room.owners.sums(piles)
        lost = f"{count(wanted, 'task')} ({', '.join(f'{each.owner.label}: {each.parked}' for each in sums)})"
        if not yes:
            if not sys.stdin.isatty():
                raise Unusable(f"{lost} would be lost, and there is no terminal to ask on; to remove them, say -y")
            click.confirm(one_line(f"{lost} would be lost. Remove them?"), abort=True, err=True)
        removed = sum(room.parked_messages.purge(piles))
        say(f"Removed {count(removed, 'task')}.")
        if removed < wanted:
            say(f"{count(wanted - removed, 'other')} had left the waiting room meanwhile.")


def _of_partition(piles: list[Pile], owner: Owner, partition: str) -> list[Pile]:
    """Return the piles of one partition, by its value as text or by its digest."""
    parts = len(owner.limit.key.parts) if owner.limit is not None and owner.limit.key is not None else 1
    digests = {named(partition, parts).digest, *([partition] if is_digest(partition) else ())}
    forms = ((pile, (parts_of(pile.bucket) or ("", None))[1]) for pile in piles)
    return [pile for pile, form in forms if form is not None and digest_of_form(form) in digests]
