"""The servers of a store, for what is asked of each of them: what it says of itself, and what its user may do there."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from redis.exceptions import RedisClusterException, RedisError

from limitkit.config.model.env_values import Expanded
from limitkit.stores.cluster import ClusterStore
from limitkit.stores.failure_reason import FAILURES, store_error
from limitkit.stores.redis import RedisStore

if TYPE_CHECKING:
    from collections.abc import Iterator

_FAILURES: Final = (RedisError, RedisClusterException, *FAILURES)


@contextmanager
def servers_of(store: Any) -> Iterator[list[tuple[str, Any]]]:
    """Lend a client for each server that takes from this store's buckets, with its name; of one server that is empty.

    The connections are of its own, so they pass the circuit breaker. Nothing bounds a search for a master or for a
    cluster's nodes. Raises StoreError when a server can't be asked, also for what is asked meanwhile.
    """
    while hasattr(store, "store"):
        store = store.store
    address = Expanded.of("")
    client: Any = None
    try:
        if isinstance(store, ClusterStore):
            address = store._address  # noqa: SLF001 (its own room)
            client = store._make_client()  # noqa: SLF001 (likewise)
            yield [(node.name, client.get_redis_connection(node)) for node in client.get_primaries()]
        elif isinstance(store, RedisStore):
            address = store._url  # noqa: SLF001 (likewise)
            client = store._make_client()  # noqa: SLF001 (likewise)
            yield [("", client)]
        else:
            yield []
    except _FAILURES as error:
        raise store_error(error, address) from None
    finally:
        if client is not None and isinstance(store, RedisStore):
            store._close(client)  # noqa: SLF001 (likewise)
        elif client is not None:
            client.close()
            client.disconnect_connection_pools()
