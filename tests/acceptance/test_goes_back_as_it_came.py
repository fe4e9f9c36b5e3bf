"""Whatever sends a message back, it goes as it came to the queue that it came from, and nobody else gets it.

A worker whose processes start anew all the time is late for its tokens all the time, and one without a pacer has none.
"""

import json
from collections import Counter

import pytest
import redis as redis_py
from kombu import Exchange
from support.workers import Shop

LIMITS = """
version = 1

[tasks."routed.*"]
strategy = "token_bucket"
rate = "8/s"

[tasks."feedback.*"]
strategy = "token_bucket"
rate = "50/s"

[tasks."feedback.*".feedback]
on = ["builtins.ConnectionAbortedError"]
recover = { floor = "10/s" }
"""
COUNT = 6
POOLS = {
    "a process for each task": ("prefork", "--max-tasks-per-child", "1"),
    "no memory": ("prefork", "--max-memory-per-child", "1"),
    "threads": ("threads",),
    "gevent": ("gevent",),
    "solo": ("solo",),
}
CASES = [("redis", pool) for pool in POOLS] + [("rabbit", pool) for pool in POOLS if pool != "no memory"]


def send_routed(shop, kind, name, **options):
    """Send through an exchange of a kind; each message reaches both queues."""
    kinds = {"topic": "a.b", "direct": "x", "fanout": "y", "headers": "-"}
    exchange = Exchange(f"an.{kind}", kind)
    options |= {"exchange": exchange, "declare": [exchange], "routing_key": kinds[kind]}
    return [shop.send(name, number, **options) for number in range(COUNT)]


@pytest.mark.parametrize(("server", "pool"), CASES)
def test_each_copy_of_a_message_starts_once_and_is_as_it_was_sent(request, redis, tmp_path, server, pool):
    broker = request.getfixturevalue(server).url
    locks = f"{redis.url[:-1]}7"
    toml = f'{LIMITS}\n[store]\nurl = "{redis.url[:-1]}8"\n'
    env = {"LOCKS_URL": locks, "C_FORCE_ROOT": "1"}
    with redis_py.Redis.from_url(locks) as client:
        client.flushall()  # what another of these has left behind, if it failed
        with Shop(tmp_path, broker, toml, module="support.routed_app", env=env) as shop:
            worker = shop.start_worker("-P", *POOLS[pool], concurrency=4)
            kinds = ("topic", "direct", "fanout", "headers") if broker.startswith("amqp") else ("topic", "direct")
            sent = {kind: send_routed(shop, kind, f"routed.{kind}", headers={"for": "all"}) for kind in kinds}
            refused = send_routed(shop, "topic", "feedback.topic")
            sent["pickled"] = [shop.send("routed.pickled", n, {1: (2, 3)}, serializer="pickle") for n in range(COUNT)]
            shop.send("send", COUNT)
            wanted = Counter({f"routed.{kind}": 2 * COUNT for kind in kinds})
            wanted |= Counter({f"routed.{name}": COUNT for name in ("pickled", "singleton", "once")})
            wanted["feedback.topic"] = 2 * COUNT  # one of two copies meets the refusal first, and then both start
            shop.wait_for(wanted.total())
            worker.stop()  # what is still under way would start in the meantime
            starts = shop.starts()
            assert Counter(start.task for start in starts) == wanted
            copies = Counter(start.id for start in starts)
            assert all(copies[result.id] == 2 for kind in kinds for result in sent[kind])
            assert all(copies[result.id] == 2 for result in refused)
            seen = {start.id: json.loads(start.label) for start in starts}
            assert {each["eta"] for each in seen.values()} == {None}
            for kind in kinds:
                of = [json.loads(start.label) for start in starts if start.task == f"routed.{kind}"]
                assert {each["exchange"] for each in of} == {f"an.{kind}"}
                assert all(each["headers"] == {"for": "all"} for each in of)
            assert {seen[result.id]["values"] for result in sent["pickled"]} == {"({1: (2, 3)},)"}
            output = worker.output()
            assert pool == "solo" or "retry: rate limit" in output
            assert "Traceback" not in output.replace("slow down", "")
        assert not client.keys("*"), "a lock is left behind"
