"""Which commands a user of Redis may not run: each is tried by itself, in a way that changes nothing.

A script stops at the first command that its user may not run, so its error names only that one. Redis judges rights
before it looks at a command's arguments. So most commands are tried on a key that does not exist, or with arguments
that can't be used.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from redis.exceptions import NoPermissionError, RedisError, ResponseError

if TYPE_CHECKING:
    from collections.abc import Iterable

_KEY: Final = "\0key"
"""Stands for the made-up key."""
_TRIALS: Final[dict[str, tuple[object, ...]]] = {
    "DEL": (_KEY,),
    "EVALSHA": ("0" * 40, 0),
    "EXISTS": (_KEY,),
    "EXPIRE": (_KEY, 1),
    "GET": (_KEY,),
    "HDEL": (_KEY, "a"),
    "HEXISTS": (_KEY, "a"),
    "HGET": (_KEY, "a"),
    "HGETALL": (_KEY,),
    "HMGET": (_KEY, "a"),
    "HSCAN": (_KEY, 0),
    "HSET": (_KEY, "a", "b", "without a value"),
    "HSTRLEN": (_KEY, "a"),
    "INFO": ("server",),
    "LINDEX": (_KEY, 0),
    "LLEN": (_KEY,),
    "LPOP": (_KEY,),
    "LREM": (_KEY, 0, "a"),
    "PEXPIRE": (_KEY, 1),
    "PTTL": (_KEY,),
    "PUBLISH": (_KEY, "a"),
    "RPOP": (_KEY,),
    "SCAN": (0, "MATCH", _KEY, "COUNT", 1),
    "SCRIPT LOAD": ("return 1",),
    "SET": (_KEY, "a", "no option"),
    "SREM": (_KEY, "a"),
    "SSCAN": (_KEY, 0),
    "TIME": (),
    "ZADD": (_KEY, "no number", "a"),
    "ZCARD": (_KEY,),
    "ZLEXCOUNT": (_KEY, "-", "+"),
    "ZRANGE": (_KEY, 0, -1),
    "ZRANGEBYLEX": (_KEY, "-", "+"),
    "ZRANGEBYSCORE": (_KEY, "-inf", "+inf"),
    "ZREM": (_KEY, "a"),
    "ZREMRANGEBYLEX": (_KEY, "-", "+"),
    "ZREMRANGEBYSCORE": (_KEY, "-inf", "+inf"),
    "ZSCAN": (_KEY, 0),
    "ZSCORE": (_KEY, "a"),
}
_WRITES: Final = {"RPUSH": (_KEY, "a"), "SADD": (_KEY, "a")}
"""These can't be tried without writing: what they write is deleted in the same breath."""
_SAID: Final = re.compile(r"\b(?:p?call)\('([A-Z]+)'")
_A_MINUTE: Final = 60_000
_ANSWER: Final = 1.0
"""Seconds for the answer to SUBSCRIBE."""


def commands_of(text: str) -> set[str]:
    """Return the commands that a script's text calls."""
    return set(_SAID.findall(text))


def refused(client: Any, commands: Iterable[str], key: str) -> list[str]:
    """Return which of these commands this client's user may not run, or the server does not have.

    ``key`` is made up. Raises what redis-py raises when the server can't be asked.
    """
    wanted = sorted(set(commands))
    found = [name for name in wanted if name in _TRIALS and _is_refused(client, name, _TRIALS[name], key)]
    if "DEL" not in found and _may_delete(client, key):
        for name in [name for name in wanted if name in _WRITES]:
            if _is_refused(client, name, _WRITES[name], key):
                found.append(name)
            for cleaning in (("PEXPIRE", key, _A_MINUTE), ("DEL", key)):
                _tried(client, *cleaning)
    return sorted(found)


def keys_refused(client: Any, key: str) -> bool:
    """Whether this client's user may not use a key of this name, whatever the command."""
    error = _tried(client, "GET", key)
    return isinstance(error, NoPermissionError) and "key" in str(error) and "'get'" not in str(error)


def channel_refused(client: Any, channel: str) -> list[str]:
    """Return which of PUBLISH and SUBSCRIBE this client's user may not do on a channel, on which nobody listens."""
    found = ["PUBLISH"] if _is_refused(client, "PUBLISH", (_KEY, "a"), channel) else []
    listener = client.pubsub()
    try:
        listener.subscribe(channel)
        listener.get_message(timeout=_ANSWER)
    except NoPermissionError:
        found.append("SUBSCRIBE")
    finally:
        listener.close()
    return found


def _may_delete(client: Any, key: str) -> bool:
    return not isinstance(_tried(client, "DEL", key), NoPermissionError)


def _is_refused(client: Any, name: str, args: tuple[object, ...], key: str) -> bool:
    error = _tried(client, *name.split(), *(key if each == _KEY else each for each in args))
    if isinstance(error, NoPermissionError):
        return f"'{name.split(maxsplit=1)[0].lower()}" in str(error) or "channel" in str(error)
    return error is not None and "unknown command" in str(error)


def _tried(client: Any, *command: object) -> RedisError | None:
    """Run a command; returns what the server answers in place of a result. Raises what says that it can't be asked."""
    try:
        client.execute_command(*command)
    except ResponseError as error:
        return error
    return None
