"""The Redis that is played gives the replies of a real one, and keeps the same data."""

import math
import re

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.sizes import examples

from limitkit.trial.engine import sorted_set
from limitkit.trial.engine.redis_server import RedisServer

TEXTS = st.one_of(
    st.sampled_from(["", "a", "b", "ab", "a\0", "a\0b", "\0\1a", "é", "日本", "10", "9", "-1", "1.5", "\x7f", "ÿ"]),
    st.text(st.characters(codec="utf-8"), max_size=6),
)
NUMBERS = st.one_of(
    st.integers(-5, 5),
    st.integers(-(10**16), 10**16),
    st.floats(-1e18, 1e18),
    st.floats(allow_nan=False, allow_infinity=False),
)
SCORES = st.one_of(NUMBERS, st.sampled_from([math.inf, -math.inf, 0.1, 1e17, 1e-7]))
WHOLE = st.integers(-(10**16), 10**16)
MEMBERS = st.one_of(TEXTS, WHOLE)
VALUES = st.one_of(TEXTS, NUMBERS)
COUNTS = st.integers(0, 6)


def command(name, *args):
    """A command's name and arguments, flat, as a script gives them to ``redis.call``."""
    return st.tuples(st.just(name), *args).map(
        lambda parts: [each for part in parts for each in (part if isinstance(part, list) else [part])]
    )


def keys_of(kind):
    return st.sampled_from([f"{kind}1", f"{kind}2", f"{kind}é\0"])


def some(each, most=3):
    return st.lists(each, min_size=1, max_size=most)


def pairs(first, second):
    return st.lists(st.tuples(first, second), min_size=1, max_size=3).map(
        lambda those: [part for pair in those for part in pair]
    )


def limit():
    return st.one_of(st.just([]), st.tuples(st.just("LIMIT"), COUNTS, st.integers(-1, 6)).map(list))


LEX_ENDS = [st.one_of(st.just(end), st.tuples(st.sampled_from("[("), TEXTS).map("".join)) for end in ("-", "+")]
FOUND_SCORES = st.one_of(st.integers(-5, 5), st.sampled_from(["-inf", "+inf", "0.5", "1e17"]))
WITH_SCORES = st.sampled_from([[], ["WITHSCORES"]])
TEXT, HASH, SET, LIST, SORTED = (keys_of(kind) for kind in ("text", "hash", "set", "list", "sorted"))
LINE = st.just("lineé")
ANY = st.one_of(TEXT, HASH, SET, LIST, SORTED, LINE)
COMMANDS = st.one_of(
    command("GET", TEXT),
    command("SET", TEXT, VALUES),
    command("EXISTS", ANY),
    command("HGET", HASH, MEMBERS),
    command("HMGET", HASH, some(MEMBERS)),
    command("HSET", HASH, pairs(MEMBERS, VALUES)),
    command("HEXISTS", HASH, MEMBERS),
    command("HLEN", HASH),
    command("HDEL", HASH, some(MEMBERS)),
    command("SADD", SET, some(MEMBERS)),
    command("SREM", SET, some(MEMBERS)),
    command("LPUSH", LIST, some(VALUES)),
    command("RPUSH", LIST, some(VALUES)),
    command("RPOP", LIST),
    command("LLEN", LIST),
    command("LINDEX", LIST, st.integers(-4, 4)),
    command("ZADD", SORTED, pairs(SCORES, MEMBERS)),
    command("ZSCORE", SORTED, MEMBERS),
    command("ZCARD", SORTED),
    command("ZREM", SORTED, some(MEMBERS)),
    command("ZRANGE", SORTED, COUNTS, st.integers(-3, 6), WITH_SCORES),
    command("ZRANGEBYSCORE", SORTED, FOUND_SCORES, FOUND_SCORES, WITH_SCORES, limit()),
    command("ZADD", LINE, some(TEXTS, 8).map(lambda those: [part for each in those for part in (0, each)])),
    command("ZREM", LINE, some(TEXTS)),
    command("ZRANGEBYLEX", LINE, *LEX_ENDS, limit()),
    command("ZLEXCOUNT", LINE, *LEX_ENDS),
    command("ZREMRANGEBYLEX", LINE, *LEX_ENDS),
)
FRACTION = re.compile(r"-?[0-9]+(\.[0-9]+)?(e[+-]?[0-9]+)?", re.ASCII)
CALL = """
local command = {}
for at, kind in ipairs(cjson.decode(ARGV[1])) do
  command[at] = kind == 'n' and tonumber(ARGV[at + 1]) or ARGV[at + 1]
end
local reply = redis.call(unpack(command))
return reply
"""


@pytest.fixture(autouse=True)
def short_chunks(monkeypatch):
    """Have sorted sets be split and joined at every turn."""
    monkeypatch.setattr(sorted_set, "_CHUNK", 2)


def call(run, parts):
    kinds = ",".join('"n"' if isinstance(each, (int, float)) else '"t"' for each in parts)
    return run(CALL, [], [f"[{kinds}]", *parts])


def as_played(reply):
    """Texts of a real reply as the played one gives them, and numbers in them by their value."""
    if isinstance(reply, list):
        return [as_played(each) for each in reply]
    if isinstance(reply, bytes):
        reply = reply.decode()
    return by_value(reply)


def by_value(text):
    """What a text says, as a number where it has a fraction: how many digits a server writes depends on its version."""
    if isinstance(text, list):
        return [by_value(each) for each in text]
    return float(text) if isinstance(text, str) and FRACTION.fullmatch(text) else text


def everything(client):
    """All data of a real server, by key."""
    read = {
        b"string": client.get,
        b"hash": client.hgetall,
        b"set": client.smembers,
        b"list": lambda key: client.lrange(key, 0, -1),
        b"zset": lambda key: dict(client.zrange(key, 0, -1, withscores=True)),
    }
    return {key.decode(): _decoded(read[client.type(key)](key)) for key in client.scan_iter()}


def _decoded(value):
    if isinstance(value, dict):
        return {_decoded(key): _decoded(each) for key, each in value.items()}
    if isinstance(value, (list, set)):
        return type(value)(_decoded(each) for each in value)
    return as_played(value)


def everything_played(server):
    def plain(text):
        return by_value(text.encode("latin-1").decode())

    def kept(value):
        if isinstance(value, str):
            return plain(value)
        if isinstance(value, sorted_set.SortedSet):
            return {plain(member): score for score, member in value.entries()}
        if not isinstance(value, dict):
            return [plain(each) for each in value]
        if all(each is None for each in value.values()):
            return set(map(plain, value))
        return {plain(field): plain(each) for field, each in value.items()}

    return {key.encode("latin-1").decode(): kept(value) for key, value in server.commands.data.items()}


@settings(max_examples=examples(300), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(commands=st.lists(COMMANDS, min_size=1, max_size=40))
def test_gives_the_replies_of_a_real_one_and_keeps_the_same_data(real, commands):
    real.flushall()
    played = RedisServer(lambda: 0.0)
    for parts in commands:
        assert by_value(call(played.run, parts)) == as_played(call(evaluate(real), parts)), parts
    assert everything_played(played) == everything(real)


def evaluate(client):
    return lambda text, names, args: client.eval(text, len(names), *names, *args)
