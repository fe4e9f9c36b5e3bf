"""Tries the scripts of the waiting room on a Redis broker, with made-up keys: whether this user may park and return.

Nothing real is touched: the keys are of a prefix of their own, and are gone at the end, or after a minute.
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from limitkit.stores.rights import commands_of, keys_refused, refused
from limitkit.stores.server_facts import ServerFacts, facts_of
from limitkit.waiting.deliveries import Silent, new_worker
from limitkit.waiting.redis_keys import close, keys, lists, own_client, queue_keys, script
from limitkit.waiting.room import MOST_ORDERS, ORDERS_A_SECOND

if TYPE_CHECKING:
    from collections.abc import Iterator

_TTL: Final = 60
"""Seconds after which a made-up key is gone, also if this process is killed."""
_PARK: Final = script("clock", "line", "turns", "park")
_BRING: Final = script("clock", "line", "turns", "bring")
_RETIME: Final = script("clock", "retime")
_REWEIGH: Final = script("line", "turns", "reweigh")
_COUNT: Final = script("line", "turns", "count")
_PURGE: Final = script("line", "turns", "purge")
_RETURNS: Final = tuple(script(name) for name in ("alive", "dead", "requeue"))
_BESIDE: Final = {"EVALSHA", "SCRIPT LOAD"}
_RETURNS_BESIDE: Final = {"HSTRLEN", "HMGET", "ZSCAN", "ZSCORE"}


class BrokerRights(NamedTuple):
    """What the user of a Redis broker may not do: commands by what they are for, and what failed otherwise."""

    park: list[str]
    """To park tasks, and to bring them back."""
    rescue: list[str]
    """To return what a killed worker held."""
    failed: str
    """What a script answered in place of a result, though all its commands are allowed; empty when all ran."""
    keys: bool
    """Whether the user may use the waiting room's keys at all."""


def look_at_broker(channel: Any, prefix: str, timeout: float) -> tuple[ServerFacts, BrokerRights]:
    """Return what a Redis broker says of itself, and what its user may not do there.

    ``timeout`` (seconds) bounds each answer. Raises what redis-py raises when it can't be asked.
    """
    client = own_client(channel, timeout)
    own = f"{prefix}:doctor:{secrets.token_hex(8)}"
    key = keys(channel, own, "trial")[0]
    try:
        facts = facts_of(client)
        allowed = not keys_refused(client, key)
        park = refused(
            client, _BESIDE.union(*map(commands_of, (_PARK, _BRING, _RETIME, _REWEIGH, _COUNT, _PURGE))), key
        )
        rescue = refused(client, (_BESIDE | _RETURNS_BESIDE).union(*map(commands_of, _RETURNS)), key)
        failed = "" if park or rescue or not allowed else _run_all(client, channel, own)
        return facts, BrokerRights(park, rescue, failed, keys=allowed)
    finally:
        close(client)


def _run_all(client: Any, channel: Any, own: str) -> str:
    """Run each script on made-up keys; returns what the first one that failed answered."""
    queue = f"{own}:queue"
    unacked = keys(channel, own, "unacked_index", "unacked")
    kept = [*unacked, *keys(channel, own, "messages", "queues", "order", "clock", "workers")]
    room, back = queue_keys(channel, own, queue), lists(channel, queue)
    every = [*kept, *room, *back]
    try:
        for text, names, args in _calls(unacked, kept, room, back, queue):
            loaded = client.script_load(text)
            with client.pipeline(transaction=False) as pipe:
                pipe.zadd(unacked[0], {"trial": 1})
                pipe.hset(unacked[1], "trial", "a")
                pipe.evalsha(loaded, len(names), *names, *args)
                for name in every:
                    pipe.expire(name, _TTL)
                answers = pipe.execute(raise_on_error=False)
            error = next((each for each in answers[:3] if isinstance(each, Exception)), None)
            if error is not None:
                return str(error)
    finally:
        # One by one: a node of a cluster refuses keys of several slots at once. A replica has written nothing.
        with client.pipeline(transaction=False) as pipe:
            for name in every:
                pipe.delete(name)
            pipe.execute(raise_on_error=False)
    return ""


def _calls(
    unacked: list[str], kept: list[str], room: list[str], back: list[str], queue: str
) -> Iterator[tuple[str, list[str], list[Any]]]:
    messages, queues, order, clock, workers = kept[2:]
    due, intervals, line, turns = room
    bucket, worker = "limitkit:{doctor}:g1", new_worker("doctor")
    parked = ["trial", bucket, 1.0, 0.0, 0, "", back[0], '{"a": ', "}", ""]
    names = [*unacked, messages, queues, order, clock, due, intervals, line, turns]
    yield _PARK, names, [queue, MOST_ORDERS, ORDERS_A_SECOND, *parked]
    yield _RETIME, [due, intervals, clock], [0, 100, '{"doctor": 1.0}']
    yield _REWEIGH, [due, line, turns], [0, 100, '{"doctor": {}}']
    yield _COUNT, room, [MOST_ORDERS, bucket]
    bring = [messages, queues, clock, due, intervals, line, turns, *back]
    yield _BRING, bring, [0.0, 10, MOST_ORDERS, "[0]", "[]", "[]", 0.0, queue]
    yield _PURGE, [messages, queues, due, intervals, line, turns], [queue, bucket, 1]
    alive, dead, requeue = _RETURNS
    yield alive, [workers], [worker, 4000, "1"]
    yield dead, [workers], list(Silent(worker, 0))
    yield requeue, [*unacked, workers, back[0]], [worker, "trial", 1, "{}"]
