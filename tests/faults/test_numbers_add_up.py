"""What was sent is what started, was dropped, failed or waits: to the last task, whatever the store does."""

import random

import redis
from support.scene import Scene, config, limit
from support.scrape import scrape
from support.servers import free_port
from support.workers import wait_until

LIMITS = config(
    limit("paid", "150/s", burst=20),
    limit("user", "10/s", strategy="per_user", burst=3, key="user_id"),
    limit("other", "100/s", strategy="static"),
    limit("slow", "5/h", burst=5),  # nearly all of these still wait at the end
    limit("dropped", "2/s", burst=10) + 'on_limit = "drop"\n',
    limit("failed", "1/s", burst=5) + 'on_limit = "fail"\nmax_wait = "200ms"\n',
)
SENT = {"paid": 1500, "user": 1000, "other": 700, "slow": 300, "dropped": 500, "failed": 500, "free": 500}
LIMITED = [task for task in SENT if task != "free"]


def test_started_dropped_failed_and_waiting_is_what_was_sent():
    ports = [free_port(), free_port()]
    with Scene(LIMITS, own_store=True, module="support.seen_app") as scene:
        for port in ports:
            scene.shop.start_worker(wait=False, env={"LIMITKIT_METRICS_PORT": str(port)})
        for worker in scene.shop.workers:
            worker.wait_ready()
        mixed = [
            (task, (f"u{n % 25}",) if task == "user" else ()) for task, count in SENT.items() for n in range(count)
        ]
        random.Random(5).shuffle(mixed)
        scene.send(mixed)
        scene.wait_for({"paid": 200})
        with redis.Redis(port=scene.store.port) as client:
            client.script_flush()
            client.client_kill_filter(_type="normal", skipme=True)
        scene.wait_for({"paid": 400})
        scene.store.stop()
        scene.wait_for({"paid": 700})
        scene.store.start()  # empty

        def outcomes():
            seen = [scrape(port) for port in ports]
            words = ("started", "failed_open", "held", "parked", "dropped", "failed")
            return {
                (task, word): sum(each.get(("outcomes_total", word, task), 0) for each in seen)
                for task in LIMITED
                for word in words
            }

        def settled():
            """All are done that don't wait for an hour, and what their processes told has come."""
            scene.wait_for({})
            told = outcomes()
            ends = {
                task: sum(told[task, word] for word in ("started", "failed_open", "dropped", "failed"))
                for task in SENT
                if task != "free"
            }
            return ends | {"free": scene.counts["free"], "slow": 0} == SENT | {"slow": 0} and told

        told = wait_until(settled, 90)
        slow = {"started": told["slow", "started"], "failed_open": told["slow", "failed_open"]}
        tally = scene.tally()
        starts = scene.shop.starts()
        assert tally == {
            "lost": sum(told[task, word] for task, word in told if word in ("dropped", "failed")),
            "twice": 0,
        }
        for task in LIMITED:
            count = sum(start.task == task for start in starts)
            assert count == told[task, "started"] + told[task, "failed_open"], task
        waiting = SENT["slow"] - sum(slow.values())
        distinct = len({start.id for start in starts})
        gone = sum(told[task, word] for task in LIMITED for word in ("dropped", "failed"))
        assert distinct + gone + waiting == sum(SENT.values())
        assert told["dropped", "dropped"] > 0
        assert told["failed", "failed"] > 0
        assert sum(told[task, "failed_open"] for task in LIMITED) > 0, "the store was gone"
        assert told["other", "failed_open"] == 0, "static limits need no store"
        assert waiting > 200
