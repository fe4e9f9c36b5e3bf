"""Every kind of store, and clients to look behind it."""

from __future__ import annotations

from contextlib import closing

import pytest
import redis
from support.needed import missing
from support.servers import RedisServer, redis_binary
from support.topologies import Cluster, Sentinels

from limitkit.stores.cluster import ClusterStore
from limitkit.stores.memory import MemoryStore
from limitkit.stores.redis import RedisStore
from limitkit.stores.time_bound import TimeBound

STORES = ["memory", "redis", "sentinel", "cluster"]


@pytest.fixture(scope="module")
def binary():
    if redis_binary() is None:
        missing("redis-server", "redis-server")


@pytest.fixture(scope="module")
def server(binary, tmp_path_factory):
    with RedisServer(tmp_path_factory.mktemp("redis")) as running:
        yield running


@pytest.fixture(scope="module")
def admin(server):
    with closing(redis.Redis.from_url(server.url)) as client:
        yield client


@pytest.fixture(scope="module")
def redis_store(server):
    with closing(RedisStore(server.url, 5.0)) as store:
        yield store


@pytest.fixture(scope="module")
def sentinels(binary, tmp_path_factory):
    with Sentinels(tmp_path_factory.mktemp("sentinels")) as running:
        yield running


@pytest.fixture(scope="module")
def cluster(binary, tmp_path_factory):
    with Cluster(tmp_path_factory.mktemp("cluster")) as running:
        yield running


@pytest.fixture(scope="module")
def sentinel_store(sentinels):
    with closing(TimeBound(RedisStore(sentinels.url, 5.0), 20.0)) as store:
        yield store


@pytest.fixture(scope="module")
def cluster_store(cluster):
    with closing(TimeBound(ClusterStore(cluster.url, 5.0), 20.0)) as store:
        yield store


@pytest.fixture(scope="module")
def sentinel_admin(sentinels):
    with closing(redis.Redis(port=sentinels.master.port)) as client:
        yield client


@pytest.fixture(scope="module")
def cluster_admin(cluster):
    with closing(redis.RedisCluster("127.0.0.1", cluster.masters[0].port)) as client:
        yield client


@pytest.fixture(scope="module")
def store_named(request):
    """Find a store by its kind; a memory store is a new one each time."""
    return lambda name: MemoryStore() if name == "memory" else request.getfixturevalue(f"{name}_store")


@pytest.fixture(params=STORES)
def store(request, store_named):
    return store_named(request.param)


@pytest.fixture(scope="module")
def now(admin):
    """The virtual clock's beginning: the real time, as marks are to have as many digits as in earnest."""
    seconds, microseconds = admin.time()
    return seconds * 1_000_000 + microseconds
