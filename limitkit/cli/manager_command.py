"""What the commands of run time share: how they get the manager, and how they report its errors."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from limitkit.buckets.override import OverrideError
from limitkit.cli.config_in_use import config_in_use
from limitkit.cli.options import app_given
from limitkit.cli.output import Unusable
from limitkit.config.wording import one_line, quote
from limitkit.errors import StoreError
from limitkit.waiting import room_names

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import TypeVar

    from limitkit.control.manager import RateLimitManager

    Function = TypeVar("Function", bound="Callable[..., Any]")


def signed(function: Function) -> Function:
    """Add the options of an override: for how long, why, and by whom."""
    for_ = click.option("--for", "for_", metavar="TIME", help='How long it holds, e.g. "2h"; else until restored.')
    reason = click.option("--reason", metavar="TEXT", help="Why; status and the workers' logs show it.")
    by = click.option("--by", metavar="NAME", help="Who sets it; the user of this process by default.")
    return for_(reason(by(function)))


def of_partition(function: Function) -> Function:
    """Add the option that names one partition."""
    help_ = "Only this value of the limit's key: as text, a number, or its digest."
    return click.option("--partition", metavar="P", help=help_)(function)


def of(partition: str | None) -> str:
    """Say that only one partition is meant."""
    return f" of {quote(partition)}" if partition is not None else ""


def name_the_app(ctx: click.Context) -> str:
    """Say how to name the app."""
    name = ctx.info_name
    return f"name the app: limitkit {name} --app APP, or celery -A APP limitkit {name}"


@contextmanager
def reported_errors() -> Iterator[None]:
    """Report errors of the store, the broker or the manager in one line, with exit status 2."""
    from limitkit.control.workers import UnreachableError  # noqa: PLC0415 (imports kombu)

    try:
        yield
    except StoreError as error:
        fact = f"the store can't be asked: {one_line(str(error)).rstrip('.')}"
        raise Unusable(f"{fact}; start it, or fix its address: [store] url") from None
    except (OverrideError, UnreachableError, room_names.UnusableBrokerError) as error:
        raise Unusable(one_line(str(error))) from None


@contextmanager
def managed(
    ctx: click.Context, app: str | None, config: str | None, *, needs_app: bool = False
) -> Iterator[RateLimitManager]:
    """Lend the manager of an app, or of a file that names its store; see ``reported_errors`` for errors."""
    found = app_given(ctx, app)
    if found is None and needs_app:
        raise Unusable(f"whose workers? {name_the_app(ctx)}")
    used = config_in_use(ctx, found, config)
    if found is None and used.rules.store.url is None:
        raise Unusable(f"{used.path} names no store, so it is the app's, which is not known; {name_the_app(ctx)}")
    from limitkit.control.manager import RateLimitManager  # noqa: PLC0415 (imports Celery)

    with reported_errors():
        manager = RateLimitManager(found, used)
        try:
            yield manager
        finally:
            if manager.store is not None:
                manager.store.close()


def number(text: str | None, kind: type[int | float]) -> Any:
    """Read a number; anything else stays as it is, and the manager says what is wrong with it."""
    try:
        return None if text is None else kind(text)
    except ValueError:
        return text
