"""A thousand new users come each second: a store keeps those whose buckets are not full, and forgets the others."""

import time

import redis
from support.servers import RedisServer
from support.sizes import sized
from support.workers import wait_until

from limitkit.buckets.decision import Bucket, Take
from limitkit.stores.memory import MemoryStore
from limitkit.stores.redis import RedisStore

PER_SECOND, FULL_AGAIN = 1000, 0.2


def takes(users):
    interval = int(FULL_AGAIN * 1_000_000)
    return [Take((Bucket(f"users:{{user}}:g1:{user:032x}", interval, 1),)) for user in users]


def test_redis_keeps_no_key_for_longer_than_its_bucket_fills(tmp_path):
    with RedisServer(tmp_path) as server, redis.Redis(port=server.port) as client:
        store = RedisStore(server.url, 5.0)
        empty = client.info("memory")["used_memory"]
        keys = []
        due = time.monotonic()
        for user in range(0, sized(5, 60) * PER_SECOND, 20):
            due = max(
                due + 20 / PER_SECOND, time.monotonic()
            )  # what a stalled machine has missed does not come at once
            time.sleep(due - time.monotonic() if due > time.monotonic() else 0.0)
            store.take(takes(range(user, user + 20)))
            keys.append(client.dbsize())
        store.close()
        assert max(keys) <= PER_SECOND * (FULL_AGAIN + 1.0) * 2.5  # what has expired is there till Redis has looked
        wait_until(lambda: client.dbsize() == 0)
        assert client.info("memory")["used_memory"] - empty < 200_000  # with 5,000 keys it is 800,000


def test_memory_holds_a_few_thousand_buckets_at_most():
    store = MemoryStore()
    held = 0
    for user in range(0, 60 * PER_SECOND, 20):
        store.take(takes(range(user, user + 20)), now_us=user * 1_000_000 // PER_SECOND)
        held = max(held, len(store._tats))
    assert held <= 4096 + FULL_AGAIN * PER_SECOND + 20
