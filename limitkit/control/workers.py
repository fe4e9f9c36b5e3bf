"""Asks the workers of an app, by Celery's remote control."""

from __future__ import annotations

import re
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from kombu.exceptions import KombuError

from limitkit.config.model.env_values import Expanded
from limitkit.config.wording import HIDDEN, one_line
from limitkit.control.worker_answers import judged, pool_in, queues_in
from limitkit.errors import LimitkitError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

_PATIENCE: Final = 5.0
"""Seconds that a broker may take to answer."""


class UnreachableError(LimitkitError):
    """The broker can't be reached; the text names the broker without its password, and says why."""


class NoRemoteControlError(UnreachableError):
    """The workers of an app can't be asked, whether they run or not: they take no remote control commands."""


def need_remote_control(app: Any) -> None:
    """Raise NoRemoteControlError when workers of an app don't listen to commands; the broker is not connected to."""
    lent = app.connection_for_read()
    if not lent.supports_exchange_type("fanout"):  # as Celery judges when a worker starts
        why = f"the broker {_address(lent)} has no broadcasts, which Celery's remote control needs"
    elif not app.conf.worker_enable_remote_control:
        why = "the app has worker_enable_remote_control switched off"
    else:
        return
    raise NoRemoteControlError(f"workers can't be asked: {why}")


@contextmanager
def connection(app: Any) -> Iterator[Any]:
    """Open a connection to the broker of an app. Raises UnreachableError when it can't be reached, or is lost."""
    lent = app.connection_for_read()
    if hasattr(getattr(lent.transport, "Channel", None), "socket_connect_timeout"):  # those of Redis, others' too
        timeouts = {"socket_connect_timeout": _PATIENCE, "socket_timeout": _PATIENCE}
        lent.transport_options = {**timeouts, **(lent.transport_options or {})}
    failures = (*lent.connection_errors, *lent.channel_errors, KombuError, OSError)
    try:
        lent.connect()
        yield lent
    except failures as error:
        raise UnreachableError(f"the broker {_address(lent)} can't be asked: {_reason(lent, error)}") from None
    finally:
        lent.release()


def address_of(app: Any) -> str:
    """Write the address of an app's broker without user and password; it is not connected to."""
    return _address(app.connection_for_read())


def _address(lent: Any) -> str:
    """Write a broker's address without user and password; kombu would show a masked password where there is none."""
    user = f"{HIDDEN}@" if lent.userid or lent.password else ""
    return re.sub("://[^/]*@", f"://{user}", str(lent.as_uri()))


def _reason(lent: Any, error: Exception) -> str:
    return one_line(Expanded.of(lent.as_uri(include_password=True)).hide_in(str(error)))


def tell(app: Any, command: str, **words: Any) -> None:
    """Send a command to all workers of an app, without waiting for answers. Raises UnreachableError."""
    need_remote_control(app)
    with connection(app) as lent:
        app.control.broadcast(command, arguments=words, connection=lent)


def ask(
    app: Any, command: str, *, patience: float = 1.0, to: Sequence[str] | None = None, **words: Any
) -> Mapping[str, dict[str, Any]]:
    """Send a command to all workers of an app, or to those of these names; returns their answers by name.

    Workers that do not answer within ``patience`` seconds are missing. Raises UnreachableError; at once, and that is a
    NoRemoteControlError, where none can answer.
    """
    need_remote_control(app)
    with connection(app) as lent:
        replies = app.control.broadcast(
            command,
            arguments=words,
            destination=list(to) if to else None,
            connection=lent,
            reply=True,
            timeout=patience,
            limit=len(to) if to else None,
        )
    return {name: judged(command, answer) for reply in replies or () for name, answer in reply.items()}


def running(app: Any, *, patience: float = 1.0) -> Mapping[str, list[str]]:
    """Return the workers of an app that answer within ``patience`` seconds, and the queues that each consumes from.

    Any worker of Celery's answers this, also without limitkit. Raises UnreachableError, as ``ask`` does.
    """
    need_remote_control(app)
    with connection(app) as lent:
        replies = app.control.broadcast("active_queues", connection=lent, reply=True, timeout=patience)
    return {name: queues_in(answer) for reply in replies or () for name, answer in reply.items()}


def pools(app: Any, workers: Sequence[str], *, patience: float = 1.0) -> Mapping[str, str]:
    """Return the pool of each of these workers, as the path of its class; those that don't say it are missing.

    Raises UnreachableError, as ``ask`` does.
    """
    need_remote_control(app)
    with connection(app) as lent:
        replies = app.control.broadcast(
            "stats", destination=list(workers), connection=lent, reply=True, timeout=patience, limit=len(workers)
        )
    found = {name: pool_in(answer) for reply in replies or () for name, answer in reply.items()}
    return {name: pool for name, pool in found.items() if pool}
