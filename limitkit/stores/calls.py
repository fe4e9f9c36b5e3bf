"""Calls scripts on redis-py's connections, without the work that redis-py's client does for each command.

That work takes longer than a nearby Redis and the network together: the client takes a connection from its pool and
returns it, and has retries (which limitkit switches off), hooks for metrics, and callbacks for replies. What matters
for correctness is still redis-py's own: the pool, the connection, the packing and the parsing.
"""

from __future__ import annotations

import contextlib
import inspect
from typing import TYPE_CHECKING, Any, Final

from redis.connection import Connection, ConnectionPool
from redis.exceptions import NoScriptError, RedisError, ResponseError

from limitkit.stores.take_script import SCRIPTS

if TYPE_CHECKING:
    from collections.abc import Sequence

_COMMAND: Final = "EVALSHA"


def _must_name_command() -> bool:
    """Whether a pool wants the name of the command: redis-py before 5.3 requires it, later versions warn of it."""
    named = inspect.signature(ConnectionPool.get_connection).parameters.get("command_name")
    return named is not None and named.default is named.empty


_POOL_ARGUMENTS: Final = (_COMMAND,) if _must_name_command() else ()
_MAY_MOVE: Final = hasattr(Connection, "should_reconnect")
"""Whether a server can say that it moves; redis-py 7 began to listen to that."""


class Calls:
    """The scripts of one client. Threads may share it, processes must not."""

    def __init__(self, client: Any) -> None:
        self._pool = client.connection_pool
        self._scripts = {name: client.register_script(text) for name, text in SCRIPTS.items()}
        self._idle: list[Any] = []
        """Connections without a call under way; the pool counts them as in use."""

    def __call__(self, script: str, keys: Sequence[str], args: Sequence[str | int]) -> Any:
        """Call a script. Raises what redis-py raises."""
        known = self._scripts[script]
        connection = self._connection()
        try:
            connection.send_command(_COMMAND, known.sha, len(keys), *keys, *args)
            reply = connection.read_response()
        except NoScriptError:
            self._pool.release(connection)
            return known(keys, args)  # redis-py loads the script
        except ResponseError:  # a complete answer: nothing is left to read
            self._pool.release(connection)
            raise
        except BaseException:
            # Time limits may end a call anywhere: the next call must not read the answer that is still to come.
            connection.disconnect()
            self._pool.release(connection)
            raise
        if _MAY_MOVE and connection.should_reconnect():
            self._pool.release(connection)  # which closes it: the server has said that it moves
        else:
            self._idle.append(connection)
        return reply

    def release_idle(self) -> None:
        """Give the idle connections back to the pool."""
        with contextlib.suppress(IndexError):  # other threads take from the list, too
            while True:
                self._pool.release(self._idle.pop())

    def _connection(self) -> Any:
        """Return a connection on which nothing is left to read; one that the server has closed has something."""
        try:
            connection = self._idle.pop()
        except IndexError:
            return self._pooled()
        try:
            if not connection.can_read():
                return connection
        except (RedisError, OSError):
            connection.disconnect()
        except BaseException:  # a time limit, as above
            connection.disconnect()
            self._pool.release(connection)
            raise
        self._pool.release(connection)
        return self._pooled()  # the pool checks and repairs it

    def _pooled(self) -> Any:
        """Return a connection of the pool."""
        try:
            return self._pool.get_connection(*_POOL_ARGUMENTS)
        except BaseException:
            # A time limit may end connecting, too, and the pool would keep a connection with an answer still to come.
            self._pool.disconnect(inuse_connections=False)
            raise
