"""Calls scripts on redis-py's connections, without what its client does around each command.

That takes longer than a near Redis and the network together: the client fetches a connection from its pool and brings
it back, and has retries (which limitkit switches off), hooks for measuring, and callbacks for replies. What keeps a
connection sound is redis-py's own: the pool, the connection, the packing and the parsing.
"""

from __future__ import annotations

import contextlib
import inspect
from typing import TYPE_CHECKING, Any, Final

from redis.connection import ConnectionPool
from redis.exceptions import NoScriptError, RedisError, ResponseError

from limitkit.stores.take_script import SCRIPTS

if TYPE_CHECKING:
    from collections.abc import Sequence

_COMMAND: Final = "EVALSHA"


def _must_name_command() -> bool:
    """Whether a pool must be told for what a connection is: redis-py before 5.3 wants it, later ones warn of it."""
    named = inspect.signature(ConnectionPool.get_connection).parameters.get("command_name")
    return named is not None and named.default is named.empty


_FOR: Final = (_COMMAND,) if _must_name_command() else ()


class Calls:
    """The scripts of one client. Threads may share it, processes must not."""

    def __init__(self, client: Any) -> None:
        self._pool = client.connection_pool
        self._scripts = {name: client.register_script(text) for name, text in SCRIPTS.items()}
        self._at_hand: list[Any] = []
        """Connections that nobody uses now; the pool counts them as in use."""

    def __call__(self, script: str, keys: Sequence[str], args: Sequence[str | int]) -> Any:
        """Call a script. Raises what redis-py raises."""
        known = self._scripts[script]
        connection = self._connection()
        try:
            connection.send_command(_COMMAND, known.sha, len(keys), *keys, *args)
            reply = connection.read_response()
        except NoScriptError:
            self._pool.release(connection)
            return known(keys, args)  # loads it
        except ResponseError:  # an answer like others: nothing is left to be read
            self._pool.release(connection)
            raise
        except BaseException:
            # Also what ends a task's code anywhere: the next call must not read the answer that is still to come.
            connection.disconnect()
            self._pool.release(connection)
            raise
        self._at_hand.append(connection)
        return reply

    def let_go(self) -> None:
        """Give the pool back what is at hand."""
        with contextlib.suppress(IndexError):  # other threads take from there, too
            while True:
                self._pool.release(self._at_hand.pop())

    def _connection(self) -> Any:
        """Return a connection on which nothing is left to be read, as it is when the server has closed it."""
        try:
            connection = self._at_hand.pop()
        except IndexError:
            return self._pool.get_connection(*_FOR)
        try:
            if not connection.can_read():
                return connection
        except (RedisError, OSError):
            connection.disconnect()
        self._pool.release(connection)
        return self._pool.get_connection(*_FOR)  # which looks whether it can be used all the same
