"""What ``waiting`` and ``purge`` share: how they open the app's waiting room, and which limit was named."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from limitkit.cli.config_in_use import config_in_use
from limitkit.cli.options import app_given, tasks_of
from limitkit.cli.output import Unusable, say
from limitkit.config.wording import one_line
from limitkit.waiting import room_names
from limitkit.waiting.bucket_owners import Owners

if TYPE_CHECKING:
    from collections.abc import Iterator

    import click

    from limitkit.config.load import Config
    from limitkit.waiting.bucket_owners import Owner
    from limitkit.waiting.parked_messages import ParkedMessages, Pile


@dataclass(frozen=True)
class ParkedView:
    """An app's waiting room, opened by a command."""

    app: Any
    config: Config
    kind: str
    owners: Owners
    parked_messages: ParkedMessages | None
    """None where the broker's waiting room can't be listed."""

    def chosen(self, ctx: click.Context, word: str | None, piles: list[Pile]) -> Owner | None:
        """Return the limit that was named; None if none was. Exits with status 1 when there is none of this name."""
        try:
            return self.owners.named(word, piles) if word is not None else None
        except LookupError as error:
            say(f"limitkit: {error.args[0]}", err=True)
            ctx.exit(1)


@contextmanager
def parked_view(ctx: click.Context, app: str | None, config: str | None) -> Iterator[ParkedView]:
    """Open the waiting room of an app. Exits with status 2 when there is no app, or its broker can't be asked."""
    found = app_given(ctx, app)
    if found is None:
        name = ctx.info_name
        raise Unusable(f"whose tasks? name the app: limitkit {name} --app APP, or celery -A APP limitkit {name}")
    used = config_in_use(ctx, found, config)
    owners = Owners(used.rules, tasks_of(found))
    try:
        kind = room_names.kind_of(found)
    except room_names.UnusableBrokerError as error:
        raise Unusable(str(error)) from None
    if kind != room_names.REDIS:
        yield ParkedView(found, used, kind, owners, None)
        return
    from limitkit.control.workers import UnreachableError  # noqa: PLC0415 (imports kombu)
    from limitkit.waiting.parked_messages import ParkedMessages, broker  # noqa: PLC0415 (imports redis)

    try:
        with broker(found) as channel:
            yield ParkedView(found, used, kind, owners, ParkedMessages(channel, used.rules.store.prefix))
    except UnreachableError as error:
        raise Unusable(one_line(str(error))) from None
