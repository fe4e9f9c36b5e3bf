"""A Redis that is played: it runs the real Lua scripts of the waiting room on data of its own."""

from __future__ import annotations

import json
from functools import cache
from typing import TYPE_CHECKING, Any

from lupa.lua51 import LuaRuntime

from limitkit.trial.engine.redis_commands import Commands

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


class RedisServer:
    """One server. Redis has Lua 5.1 too, with doubles for all numbers."""

    def __init__(self, time: Callable[[], float]) -> None:
        """``time`` returns seconds since 1970."""
        self.commands = Commands(time)
        self.calls = 0
        """Scripts that were called."""

    def run(self, text: str, names: Sequence[str], args: Sequence[Any]) -> Any:
        """Call a script, given by its text; returns whole numbers and texts as redis-py does."""
        self.calls += 1
        engine = _engine()
        return engine.run(self.commands, text, [packed(each) for each in names], [packed(each) for each in args])


class _Engine:
    """One Lua for all servers: a script keeps nothing between two calls."""

    def __init__(self) -> None:
        self._lua = LuaRuntime(encoding="latin-1", unpack_returned_tuples=True, register_eval=False)
        self._compiled: dict[str, Any] = {}
        self._called: dict[str, Callable[..., Any]] = {}
        given = self._lua.globals()
        given.redis = self._lua.table_from({"call": self._call})
        given.cjson = self._lua.table_from({"decode": self._decode})

    def run(self, commands: Commands, text: str, names: list[str], args: list[str]) -> Any:
        script = self._compiled.get(text)
        if script is None:
            script = self._compiled[text] = self._lua.eval(f"function(KEYS, ARGV)\n{text}\nend")
        self._called = commands.called
        return _plain(script(self._lua.table_from(names), self._lua.table_from(args)))

    def _call(self, name: str, *args: Any) -> Any:
        reply = self._called[name](*args)
        return self._table(reply) if isinstance(reply, list) else reply

    def _table(self, values: list[Any]) -> Any:
        return self._lua.table_from([self._table(each) if isinstance(each, list) else each for each in values])

    def _decode(self, text: str) -> Any:
        value = json.loads(text.encode("latin-1"))
        if not text.isascii() or "\\u" in text:
            value = _packed_all(value)
        return self._lua.table_from(value, recursive=True)


@cache
def _engine() -> _Engine:
    return _Engine()


def packed(value: Any) -> str:
    """Write an argument as redis-py sends it, one character for each byte."""
    if isinstance(value, bytes):
        return value.decode("latin-1")
    text = value if isinstance(value, str) else repr(value) if isinstance(value, float) else str(value)
    return text if text.isascii() else text.encode().decode("latin-1")


def _packed_all(value: Any) -> Any:
    if isinstance(value, dict):
        return {_packed_all(name): _packed_all(each) for name, each in value.items()}
    if isinstance(value, list):
        return [_packed_all(each) for each in value]
    return packed(value) if isinstance(value, str) else value


def _plain(reply: Any) -> Any:
    if isinstance(reply, str):
        return reply if reply.isascii() else reply.encode("latin-1").decode()
    if isinstance(reply, float):
        return int(reply)
    if reply is False or reply is None:
        return None
    if isinstance(reply, int):
        return int(reply)
    return [_plain(reply[at]) for at in range(1, len(reply) + 1)]
