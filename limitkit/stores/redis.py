"""Limits in Redis, shared by all workers: one script, and one round trip for all requests that are due."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, TypeVar, cast

import redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from limitkit.config.model.env_values import Expanded
from limitkit.stores import sentinel, wakes
from limitkit.stores.calls import Calls
from limitkit.stores.failure_reason import FAILURES, store_error
from limitkit.stores.server_clock import ServerClock, has_unfit
from limitkit.stores.settle_script import MOST_AT_ONCE, members, renewal, settlement, with_costs
from limitkit.stores.take_script import answers, backed_off, question, read_adapted, refill, report

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from limitkit.buckets.adaptive_rate import Adapted
    from limitkit.buckets.decision import BackedOff, Decision, GiveBack, Lease, Once, Refusal, Settlement, Slots, Take

_Answer = TypeVar("_Answer")
_Asked = TypeVar("_Asked")


class RedisStore:
    """Token buckets in a Redis server, by that server's clock; with a ``sentinel://`` address, in the current master.

    ``timeout`` (seconds) bounds connecting and each answer, but not the search for a master.
    """

    def __init__(self, url: str, timeout: float, **options: Any) -> None:
        self._url = Expanded.of(url)
        self._options = {
            "socket_timeout": timeout,
            "socket_connect_timeout": timeout,
            # redis-py 8 tries ten times by default, which blocks a worker for seconds.
            "retry": Retry(NoBackoff(), 0),
            **options,
        }
        self._server_clock = ServerClock()
        self._client: Any = None
        self._calls: Any = None
        self._pid = -1

    def take(
        self, takes: Sequence[Take], give_backs: Sequence[GiveBack] = (), *, now_us: int | None = None
    ) -> list[Decision]:
        """Give back, then take, in the order given, in one call of the script."""
        return self._guarded(lambda: self._take(takes, give_backs, now_us))

    def settle(self, settlements: Sequence[Settlement], once: Once | None = None, *, now_us: int | None = None) -> None:
        """Take what starts have cost beyond their estimates, or give back what they have not, in one call."""
        for part, some in enumerate(_batches(with_costs(settlements))):
            self._script("settle", *settlement(some, now_us, once, part))

    def renew(self, leases: Sequence[Lease], *, now_us: int | None = None) -> list[bool]:
        """Renew leases, in one call of a script; returns for each whether its slot was still there."""
        return [bool(kept) for some in _batches(leases) for kept in self._script("renew", *renewal(some, now_us))]

    def running(self, slots: Sequence[Slots], *, now_us: int | None = None) -> list[list[tuple[str, float]]]:
        """Return for each limit who has a slot, and the seconds left of each lease."""
        args = ["" if now_us is None else now_us]
        found = [self._script("running", [each.key for each in some], args) for some in _batches(slots)]
        return [members(each) for some in found for each in some]

    def listen(self, waiter: str, on_wake: Callable[[str], None]) -> Callable[[], None]:
        """Listen for wakes on a connection of its own."""
        return wakes.listen(self._make_client, self._close, waiter, on_wake)

    def back_off(self, refusal: Refusal, *, now_us: int | None = None) -> BackedOff:
        """Slow a bucket down, or pause it, in one call of a script."""
        keys, args = report(refusal, now_us)
        return self._guarded(lambda: backed_off(self._calls("slow", keys, args)))

    def adapted(self, keys: Sequence[str]) -> list[Adapted | None]:
        """Return the adapted rates of these buckets, in one round trip."""
        return self._guarded(lambda: read_adapted(self._whole_client(), keys))

    def note(self, key: str, name: str, *, now_us: int | None = None) -> int:
        """Note that this worker is there, and return how many have been there in the last 15 seconds."""
        args = ["" if now_us is None else now_us, name]
        return self._guarded(lambda: int(self._calls("note", [key], args)))

    def run(self, script: str, keys: Sequence[str], args: Sequence[Any]) -> Any:
        """Call a script."""
        return self._guarded(lambda: self._calls(script, keys, args))

    def refill(self, key: str, *, partitions: bool) -> int:
        """Delete the bucket, or all whose keys begin with this one: a bucket without a key is full."""
        return self._guarded(lambda: refill(self._whole_client(), key, partitions=partitions))

    def evicts(self) -> str:
        """Return the server's ``maxmemory-policy``, unless it is ``noeviction``."""
        policy = self._guarded(lambda: str(self._whole_client().info("memory")["maxmemory_policy"]))
        return "" if policy == "noeviction" else policy

    def _script(self, name: str, keys: Sequence[str], args: Sequence[Any]) -> Any:
        return self._guarded(lambda: self._calls(name, keys, args))

    def _take(self, takes: Sequence[Take], give_backs: Sequence[GiveBack], now_us: int | None) -> list[Decision]:
        keys, args = question(takes, give_backs, now_us, self._server_clock.now(now_us))
        reply = self._calls("take", keys, args)
        decisions = answers(reply, takes)
        if not has_unfit(reply):
            return decisions

        def again(some: Sequence[Take]) -> list[Decision]:
            keys, args = question(some, (), now_us, self._server_clock.now(now_us))
            return answers(self._calls("take", keys, args), some)

        return self._server_clock.fit(decisions, takes, again)

    def _guarded(self, ask: Callable[[], _Answer]) -> _Answer:
        """Call Redis, and read the answer. Raises StoreError, also for an answer that no Redis gives."""
        try:
            self._connect()
            return ask()
        except (RedisError, *FAILURES) as error:
            self._drop_idle()
            raise store_error(error, self._url) from None

    def close(self) -> None:
        """Close the connections that this process opened."""
        if self._pid == os.getpid():
            self._close(self._client)
            self._pid = -1

    def _close(self, client: Any) -> None:
        client.close()
        client.connection_pool.disconnect()  # older redis-py leaves connections open
        if self._url.startswith(sentinel.SCHEME):
            sentinel.close(client)

    def _connect(self) -> None:
        """Make a client, once in each process: a client must not be shared across a fork."""
        if self._pid != os.getpid():
            self._client = self._make_client()
            self._calls = Calls(self._client)
            self._pid = os.getpid()

    def _whole_client(self) -> Any:
        """Return the client, for calls that are no script; an address may allow only one connection."""
        self._calls.release_idle()
        return self._client

    def _make_client(self) -> Any:
        if self._url.startswith(sentinel.SCHEME):
            return sentinel.master(self._url.plain(), self._options)
        return cast("Any", redis.Redis).from_url(self._url.plain(), **self._options)

    def _drop_idle(self) -> None:
        """Drop the idle connections: after a failover, the same host name may be another server."""
        if self._pid == os.getpid():
            self._calls.release_idle()
            self._client.connection_pool.disconnect(inuse_connections=False)


def _batches(asked: Sequence[_Asked]) -> Iterator[Sequence[_Asked]]:
    return (asked[at : at + MOST_AT_ONCE] for at in range(0, len(asked), MOST_AT_ONCE))
