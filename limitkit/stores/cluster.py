"""Limits in a Redis Cluster: the buckets of one limit are on the node that has its slot, by that node's clock."""

from __future__ import annotations

import itertools
import os
from collections import defaultdict
from dataclasses import replace
from hashlib import sha1
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeVar, cast

from redis.backoff import NoBackoff
from redis.cluster import ClusterNode, RedisCluster
from redis.exceptions import RedisClusterException, RedisError, ResponseError
from redis.retry import Retry

from limitkit.buckets.decision import Decision, GiveBack, Take
from limitkit.buckets.group import part_of, undo
from limitkit.config.model.env_values import Expanded
from limitkit.config.model.store_url import servers
from limitkit.stores import wakes
from limitkit.stores.failure_reason import FAILURES, store_error
from limitkit.stores.sentinel import url_options
from limitkit.stores.server_clock import ServerClock, has_unfit
from limitkit.stores.settle_script import MOST_AT_ONCE, members, renewal, settlement, with_costs
from limitkit.stores.take_script import SCRIPTS, answers, backed_off, question, read_adapted, refill, report

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from limitkit.buckets.adaptive_rate import Adapted
    from limitkit.buckets.decision import BackedOff, Lease, Once, Refusal, Settlement, Slots

T = TypeVar("T")

_FAILURES: Final = (RedisError, RedisClusterException, *FAILURES)
_PORT: Final = 6379
_NAMES: Final = {name: sha1(text.encode()).hexdigest() for name, text in SCRIPTS.items()}  # noqa: S324
"""The scripts' names in Redis."""


class _Call(NamedTuple):
    """The takes and give-backs for one slot, in one call of the script."""

    takes: list[Take]
    give_backs: list[GiveBack]


class ClusterStore:
    """Token buckets in a Redis Cluster.

    All takes of one slot are one call of the script, and the calls to one node are one round trip. If the buckets of a
    group are on several slots, one slot after the other is asked, the one with the slowest bucket first. When a later
    one rejects, the tokens of the earlier ones are given back. Until then other workers may miss such a token: they are
    rejected for that moment, and never admitted beyond a limit. If they take meanwhile, the token can't be given back,
    and is lost. Such a group never reserves slots ahead: two nodes have two clocks.

    No timeout bounds its calls, as redis-py may ask every node for the addresses of the others.
    """

    def __init__(self, url: str, timeout: float) -> None:
        self._address = Expanded.of(url)
        hosts, single = servers(self._address.plain(), _PORT)
        self._hosts = dict.fromkeys(hosts)
        """The nodes of the address, then those that were found: each of them knows the others."""
        self._named = len(self._hosts)
        self._options = {
            "socket_timeout": timeout,
            "socket_connect_timeout": timeout,
            "require_full_coverage": False,
            "retry": Retry(NoBackoff(), 0),
        }
        self._url = single
        self._server_clock = ServerClock()
        self._client: Any = None
        self._pid = -1

    def take(
        self, takes: Sequence[Take], give_backs: Sequence[GiveBack] = (), *, now_us: int | None = None
    ) -> list[Decision]:
        """Give back, then take, in the order given; a group on several slots in a step of its own."""
        return self._guarded(lambda client: self._take(client, takes, give_backs, now_us))

    def settle(self, settlements: Sequence[Settlement], once: Once | None = None, *, now_us: int | None = None) -> None:
        """Take what starts have cost beyond their estimates, or give back what they have not; one call a slot."""
        corrected, parts = with_costs(settlements), itertools.count()
        self._guarded(
            lambda _: self._each_slot("settle", corrected, lambda some: settlement(some, now_us, once, next(parts)))
        )

    def renew(self, leases: Sequence[Lease], *, now_us: int | None = None) -> list[bool]:
        """Renew leases, in one call for each slot; returns for each whether its slot was still there."""
        return self._guarded(
            lambda _: list(map(bool, self._each_slot("renew", leases, lambda some: renewal(some, now_us))))
        )

    def running(self, slots: Sequence[Slots], *, now_us: int | None = None) -> list[list[tuple[str, float]]]:
        """Return for each limit who has a slot, and the seconds left of each lease."""
        asked = [([each.key], ["" if now_us is None else now_us]) for each in slots]
        return self._guarded(lambda _: [members(found) for (found,) in self._run("running", asked)])

    def listen(self, waiter: str, on_wake: Callable[[str], None]) -> Callable[[], None]:
        """Listen for wakes on a connection of its own: a wake on one node reaches all."""
        return wakes.listen(self._make_client, _close, waiter, on_wake)

    def back_off(self, refusal: Refusal, *, now_us: int | None = None) -> BackedOff:
        """Slow a bucket down, or pause it."""
        return self._guarded(lambda _: backed_off(self._run("slow", [report(refusal, now_us)])[0]))

    def adapted(self, keys: Sequence[str]) -> list[Adapted | None]:
        """Return the adapted rates of these buckets."""
        return self._guarded(lambda client: read_adapted(client, keys))

    def note(self, key: str, name: str, *, now_us: int | None = None) -> int:
        """Note that this worker is there, and return how many have been there in the last 15 seconds."""
        asked = ([key], ["" if now_us is None else now_us, name])
        return self._guarded(lambda _: int(self._run("note", [asked])[0]))

    def run(self, script: str, keys: Sequence[str], args: Sequence[Any]) -> Any:
        """Call a script, on the node that has its keys' slot."""
        return self._guarded(lambda _: self._run(script, [(list(keys), list(args))])[0])

    def refill(self, key: str, *, partitions: bool) -> int:
        """Delete the bucket, or all whose keys begin with this one: they are on one node."""
        return self._guarded(
            lambda client: refill(
                client.get_redis_connection(client.get_node_from_key(key)), key, partitions=partitions
            )
        )

    def evicts(self) -> str:
        """Return the first ``maxmemory-policy`` of a master that is not ``noeviction``."""
        try:
            client = self._connect()
            policies = [
                client.get_redis_connection(node).info("memory")["maxmemory_policy"] for node in client.get_primaries()
            ]
        except _FAILURES as error:
            raise store_error(error, self._address) from None
        return next((policy for policy in policies if policy != "noeviction"), "")

    def close(self) -> None:
        """Close the connections that this process opened."""
        if self._pid == os.getpid():
            _close(self._client)
            self._pid = -1

    def _make_client(self) -> Any:
        options = self._options | url_options(self._url)
        options.pop("db", None)
        nodes = [cast("Any", ClusterNode)(*host) for host in self._hosts]
        client = cast("Any", RedisCluster)(startup_nodes=nodes, **options)
        client.cluster_error_retry_attempts = 0  # its name before redis-py 6
        return client

    def _connect(self) -> Any:
        """Return the client, made once in each process and after each failure."""
        if self._pid != os.getpid():
            self._client = self._make_client()
            self._pid = os.getpid()
            found = [(node.host, node.port) for node in self._client.get_nodes()]
            self._hosts = dict.fromkeys([*list(self._hosts)[: self._named], *found])
        return self._client

    def _guarded(self, ask: Callable[[Any], T]) -> T:
        try:
            return ask(self._connect())
        except _FAILURES as error:
            self.close()  # after a failover the next client finds the new nodes
            raise store_error(error, self._address) from None

    def _take(
        self, client: Any, takes: Sequence[Take], give_backs: Sequence[GiveBack], now_us: int | None
    ) -> list[Decision]:
        decisions: dict[int, Decision] = {}
        gifts, line = list(give_backs), dict[int, Take]()
        for index, ask in enumerate(takes):
            if len({client.keyslot(bucket.key) for bucket in ask.buckets}) == 1:
                line[index] = ask
                continue
            decisions |= self._together(line, gifts, now_us)
            gifts, line = [], {}
            decisions[index] = self._across(ask, now_us)
        decisions |= self._together(line, gifts, now_us)
        return [decisions[index] for index in range(len(takes))]

    def _together(self, line: dict[int, Take], gifts: Iterable[GiveBack], now_us: int | None) -> dict[int, Decision]:
        """Give back, and take from groups that are on one slot each; one call for each slot."""
        calls: defaultdict[int, _Call] = defaultdict(lambda: _Call([], []))
        indexes: defaultdict[int, list[int]] = defaultdict(list)
        for gift in gifts:
            calls[self._client.keyslot(gift.bucket.key)].give_backs.append(gift)
        for index, ask in line.items():
            slot = self._client.keyslot(ask.buckets[0].key)
            calls[slot].takes.append(ask)
            indexes[slot].append(index)
        answered = self._calls(list(calls.values()), now_us)
        return {
            index: decision
            for slot, decisions in zip(calls, answered, strict=True)
            for index, decision in zip(indexes[slot], decisions, strict=True)
        }

    def _across(self, ask: Take, now_us: int | None) -> Decision:
        """Take from a group that is on several slots: as many starts as all of them admit now."""
        parts: defaultdict[int, list[int]] = defaultdict(list)
        for index, bucket in enumerate(ask.buckets):
            parts[self._client.keyslot(bucket.key)].append(index)
        slowest_first = sorted(parts.values(), key=lambda part: -max(ask.buckets[i].interval_us for i in part))
        count = min(ask.count, ask.ready)
        found: list[tuple[tuple[int, ...], Decision]] = []
        try:
            for part in slowest_first:
                of_part = replace(part_of(ask, part), count=count, ready=count, horizon=0.0)
                ((decision,),) = self._calls([_Call([of_part], [])], now_us)
                found.append((tuple(part), decision))
                count = len(decision.slots)
        except _FAILURES:
            self._give_back(ask, found, 0, now_us)
            raise
        found = self._give_back(ask, found, count, now_us)
        waits = {index: wait for part, one in found for index, wait in zip(part, one.waits, strict=True)}
        marks = {index: mark for part, one in found for index, mark in zip(part, one.marks, strict=True)}
        intervals = {index: every for part, one in found for index, every in zip(part, one.intervals, strict=False)}
        order = range(len(ask.buckets))
        paces = tuple(intervals.get(i, ask.buckets[i].interval_us) for i in order) if intervals else ()
        return Decision((0.0,) * count, tuple(waits[i] for i in order), tuple(marks[i] for i in order), paces)

    def _give_back(
        self, ask: Take, found: list[tuple[tuple[int, ...], Decision]], count: int, now_us: int | None
    ) -> list[tuple[tuple[int, ...], Decision]]:
        """Give back what some parts of a group have admitted beyond ``count``, and peek at them again."""
        calls = []
        for part, decision in found:
            surplus, of_part = len(decision.slots) - count, replace(part_of(ask, part), count=0)
            gifts = undo(of_part, decision.marks, surplus) if surplus else []
            calls.append(_Call([of_part] if surplus else [], gifts))
        peeked = iter(self._calls([call for call in calls if call.takes], now_us))
        return [
            (part, next(peeked)[0] if call.takes else decision)
            for (part, decision), call in zip(found, calls, strict=True)
        ]

    def _calls(self, calls: Sequence[_Call], now_us: int | None) -> list[list[Decision]]:
        """Call ``take`` for each of these slots."""
        wall = self._server_clock.now(now_us)
        replies = self._run("take", [question(call.takes, call.give_backs, now_us, wall) for call in calls])
        decided = [answers(reply, call.takes) for reply, call in zip(replies, calls, strict=True)]
        for decisions, reply, call in zip(decided, replies, calls, strict=True):
            if has_unfit(reply):
                self._server_clock.fit(decisions, call.takes, lambda some: self._again(some, now_us))
        return decided

    def _again(self, takes: Sequence[Take], now_us: int | None) -> list[Decision]:
        """Call ``take`` for one slot, with borders by what the clock is known to say now."""
        (reply,) = self._run("take", [question(takes, (), now_us, self._server_clock.now(now_us))])
        return answers(reply, takes)

    def _run(self, script: str, questions: Sequence[tuple[list[str], list[Any]]]) -> list[Any]:
        """Call a script with each of these keys and arguments; one round trip a node."""
        by_node: dict[str, tuple[Any, list[int]]] = {}
        for index, (keys, _) in enumerate(questions):
            node = self._client.get_node_from_key(keys[0])
            by_node.setdefault(node.name, (node, []))[1].append(index)
        replies: dict[int, Any] = {}
        for node, indexes in by_node.values():
            pipeline = self._client.get_redis_connection(node).pipeline(transaction=False)
            for index in indexes:
                keys, args = questions[index]
                pipeline.execute_command("EVALSHA", _NAMES[script], len(keys), *keys, *args)
            replies |= zip(indexes, pipeline.execute(raise_on_error=False), strict=True)
        for index, reply in replies.items():
            if isinstance(reply, ResponseError):
                # The node lacks the script, or the slot has moved: send the script's text to wherever the slot is now.
                keys, args = questions[index]
                replies[index] = self._client.execute_command("EVAL", SCRIPTS[script], len(keys), *keys, *args)
            elif isinstance(reply, Exception):
                raise reply
        return [replies[index] for index in range(len(questions))]

    def _each_slot(
        self, script: str, asked: Sequence[T], question_of: Callable[[Sequence[T]], tuple[list[str], list[Any]]]
    ) -> list[Any]:
        """Call a script that answers something for each of these, or nothing; one call for each slot of the cluster."""
        indexes: defaultdict[int, list[int]] = defaultdict(list)
        for index, each in enumerate(asked):
            indexes[self._client.keyslot(cast("Any", each).bucket.key)].append(index)
        calls = [part[at : at + MOST_AT_ONCE] for part in indexes.values() for at in range(0, len(part), MOST_AT_ONCE)]
        replies = self._run(script, [question_of([asked[index] for index in call]) for call in calls])
        found: dict[int, Any] = {}
        for call, reply in zip(calls, replies, strict=True):
            found |= zip(call, reply if isinstance(reply, list) else [reply] * len(call), strict=True)
        return [found[index] for index in range(len(asked))]


def _close(client: Any) -> None:
    client.close()
    client.disconnect_connection_pools()
