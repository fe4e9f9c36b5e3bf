"""The Redis that is played: its data, and the commands that the waiting room's scripts and kombu use.

Texts are sequences of bytes, as in Redis: each character of a ``str`` here stands for one byte.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any, Final

from limitkit.trial.engine.sorted_set import SortedSet

if TYPE_CHECKING:
    from collections.abc import Callable

_ALL: Final = 1 << 60
_LAST: Final = "\U0010ffff"
"""Behind all members, which are made of bytes."""


class Commands:
    """The data of one server by key, and what each command does; as ``redis.call``, with texts and numbers."""

    def __init__(self, time: Callable[[], float]) -> None:
        self.data: dict[str, Any] = {}
        self._time = time
        self.called: dict[str, Callable[..., Any]] = {
            name.upper(): getattr(self, name) for name in dir(self) if not name.startswith("_") and name.islower()
        }
        for name in ("data", "called"):
            self.called.pop(name.upper(), None)

    # -- texts --------------------------------------------------------------------------------------------------------

    def time(self) -> list[str]:
        """TIME."""
        now = self._time()
        seconds = int(now)
        return [str(seconds), str(int((now - seconds) * 1_000_000))]

    def get(self, key: str) -> Any:
        """GET."""
        return self.data.get(key, False)

    def set(self, key: str, value: Any) -> str:
        """SET."""
        self.data[key] = text_of(value)
        return "OK"

    def exists(self, key: str) -> int:
        """EXISTS: what is empty is not kept."""
        return int(key in self.data)

    # -- hashes -------------------------------------------------------------------------------------------------------

    def hget(self, key: str, field: Any) -> Any:
        """HGET."""
        found = self.data.get(key)
        return False if found is None else found.get(text_of(field), False)

    def hmget(self, key: str, *fields: Any) -> list[Any]:
        """HMGET."""
        found = self.data.get(key) or {}
        return [found.get(text_of(field), False) for field in fields]

    def hset(self, key: str, *pairs: Any) -> int:
        """HSET."""
        table = self.data.setdefault(key, {})
        before = len(table)
        for field, value in zip(pairs[::2], pairs[1::2], strict=True):
            table[text_of(field)] = text_of(value)
        return len(table) - before

    def hexists(self, key: str, field: Any) -> int:
        """HEXISTS."""
        return int(text_of(field) in (self.data.get(key) or ()))

    def hlen(self, key: str) -> int:
        """HLEN."""
        return len(self.data.get(key) or ())

    def hdel(self, key: str, *fields: Any) -> int:
        """HDEL."""
        table = self.data.get(key)
        if table is None:
            return 0
        gone = sum(table.pop(text_of(field), None) is not None for field in fields)
        self._tidy(key, table)
        return gone

    # -- sets ---------------------------------------------------------------------------------------------------------

    def sadd(self, key: str, *members: Any) -> int:
        """SADD."""
        found = self.data.setdefault(key, {})
        before = len(found)
        found.update(dict.fromkeys(map(text_of, members)))
        return len(found) - before

    def srem(self, key: str, *members: Any) -> int:
        """SREM."""
        found = self.data.get(key)
        if found is None:
            return 0
        gone = sum(found.pop(text_of(member), "") is None for member in members)  # each stands there with None
        self._tidy(key, found)
        return gone

    # -- lists --------------------------------------------------------------------------------------------------------

    def lpush(self, key: str, *values: Any) -> int:
        """LPUSH: what is pushed there is fetched last."""
        found = self.data.setdefault(key, deque())
        found.extendleft(map(text_of, values))
        return len(found)

    def rpush(self, key: str, *values: Any) -> int:
        """RPUSH."""
        found = self.data.setdefault(key, deque())
        found.extend(map(text_of, values))
        return len(found)

    def rpop(self, key: str) -> Any:
        """RPOP."""
        found = self.data.get(key)
        if not found:
            return False
        value = found.pop()
        self._tidy(key, found)
        return value

    def llen(self, key: str) -> int:
        """LLEN."""
        return len(self.data.get(key) or ())

    def lindex(self, key: str, at: int) -> Any:
        """LINDEX."""
        found = self.data.get(key)
        try:
            return False if found is None else found[int(at)]
        except IndexError:
            return False

    # -- sorted sets --------------------------------------------------------------------------------------------------

    def zadd(self, key: str, *pairs: Any) -> int:
        """ZADD, without options."""
        found = self._sorted(key)
        scored = zip(pairs[::2], pairs[1::2], strict=True)
        return sum(found.add(text_of(member), float(score)) for score, member in scored)

    def zscore(self, key: str, member: Any) -> Any:
        """ZSCORE."""
        found = self.data.get(key)
        score = None if found is None else found.score(text_of(member))
        return False if score is None else number_text(score)

    def zcard(self, key: str) -> int:
        """ZCARD."""
        return len(self.data.get(key) or ())

    def zrem(self, key: str, *members: Any) -> int:
        """ZREM."""
        found = self.data.get(key)
        if found is None:
            return 0
        gone: int = sum(found.remove(text_of(member)) for member in members)
        self._tidy(key, found)
        return gone

    def zrange(self, key: str, first: int, last: int, *options: str) -> list[str]:
        """ZRANGE from the lowest score, by number."""
        found = self.data.get(key)
        if found is None:
            return []
        most = _ALL if last < 0 else last + 1 - first
        entries = found.from_entry((float("-inf"), ""), after=False, stop=None, most=most, skip=first)
        if last < -1:
            entries = entries[: last + 1]
        return _flat(entries, with_scores="WITHSCORES" in options)

    def zrangebyscore(self, key: str, low: Any, high: Any, *options: Any) -> list[str]:
        """ZRANGEBYSCORE, with inclusive ends."""
        found = self.data.get(key)
        if found is None:
            return []
        skip, most = _limit(options)
        entries = found.from_entry((float(low), ""), after=False, stop=(float(high), _LAST), most=most, skip=skip)
        return _flat(entries, with_scores="WITHSCORES" in options)

    def zrangebylex(self, key: str, low: str, high: str, *options: Any) -> list[str]:
        """ZRANGEBYLEX of members that all have the score 0."""
        found = self.data.get(key)
        if found is None:
            return []
        skip, most = _limit(options)
        first, stop = _lex_ends(low, high)
        return [member for _, member in found.from_entry(first, after=False, stop=stop, most=most, skip=skip)]

    def zlexcount(self, key: str, low: str, high: str) -> int:
        """ZLEXCOUNT, likewise."""
        found = self.data.get(key)
        return 0 if found is None else found.count(*_lex_ends(low, high))

    def zremrangebylex(self, key: str, low: str, high: str) -> int:
        """ZREMRANGEBYLEX, likewise."""
        return self.zrem(key, *self.zrangebylex(key, low, high))

    def zscan(self, key: str, cursor: Any, *options: Any) -> list[Any]:  # noqa: ARG002 (all in one page)
        """ZSCAN."""
        found = self.data.get(key)
        return ["0", [] if found is None else _flat(found.entries(), with_scores=True)]

    def hscan(self, key: str, cursor: Any, *options: Any) -> list[Any]:  # noqa: ARG002 (likewise)
        """HSCAN."""
        return ["0", [part for pair in (self.data.get(key) or {}).items() for part in pair]]

    def _sorted(self, key: str) -> SortedSet:
        found = self.data.get(key)
        if found is None:
            found = self.data[key] = SortedSet()
        return found

    def _tidy(self, key: str, found: Any) -> None:
        if not found:
            del self.data[key]


def text_of(value: Any) -> str:
    """Write a value as Redis does that a script gives it: numbers are doubles there."""
    return value if isinstance(value, str) else number_text(value)


def number_text(score: float) -> str:
    """Write a number as Redis does."""
    return f"{score:.17g}"


def _flat(entries: Any, *, with_scores: bool) -> list[str]:
    if not with_scores:
        return [member for _, member in entries]
    return [part for score, member in entries for part in (member, number_text(score))]


def _limit(options: tuple[Any, ...]) -> tuple[int, int]:
    at = options.index("LIMIT") if "LIMIT" in options else None
    if at is None:
        return 0, _ALL
    most = int(options[at + 2])
    return int(options[at + 1]), _ALL if most < 0 else most


def _lex_ends(low: str, high: str) -> tuple[tuple[float, str], tuple[float, str]]:
    """Return the first entry that belongs to a range, and the first one behind it."""
    # A member and a NUL is the next text behind that member.
    first = "" if low == "-" else low[1:] + ("\0" if low[0] == "(" else "")
    stop = _LAST if high == "+" else high[1:] + ("\0" if high[0] == "[" else "")
    return (0.0, first), (0.0, stop)
