"""What each limit does by its own word while the limit store is gone."""

import time
from contextlib import closing

import pytest
import redis
from support.measure import excess, promised
from support.results import returned
from support.servers import RedisServer
from support.workers import ALONE, wait_until

EACH = """
version = 1

[store]
url = "{url}"
on_error = "divide"

[waiting]
hold = "10s"

[tasks."kept.result"]
strategy = "token_bucket"
rate = "10/s"

[tasks."kept.chain"]
strategy = "token_bucket"
rate = "4/s"
on_error = "hold"

[tasks."kept.group"]
strategy = "token_bucket"
rate = "4/s"
on_error = "allow"
"""
RATE = 10
TOTAL = 75
AWAY = 55
LOST = "The store can't be asked"
BACK = "The store answers again"


def all_counted(store, count):
    """Whether all workers have noted themselves since the last of them came, and so have seen all of them."""
    with closing(redis.Redis.from_url(store.url)) as client:
        seconds, microseconds = client.time()
        began = seconds * 1_000_000 + microseconds
        wait_until(lambda: client.zcard("limitkit:workers") == count)
        wait_until(lambda: client.zcount("limitkit:workers", began, "+inf") == count)


def test_each_limit_does_what_it_says(make_kept, tmp_path):
    with RedisServer(tmp_path) as store:
        shop = make_kept(EACH.format(url=store.url))
        workers = shop.start_workers(2)
        all_counted(store, 2)
        divided = [shop.send("kept.result", number) for number in range(TOTAL)]
        held = [shop.send("kept.chain", number) for number in range(20)]
        allowed = [shop.send("kept.group", number) for number in range(80)]
        shop.wait_for(5, "kept.result")
        store.stop()
        gone = time.monotonic()
        shop.wait_for(len(allowed), "kept.group", timeout=12)  # at 4/s it would be 18 s and more
        shop.wait_for(AWAY, "kept.result")
        # What was reserved starts in the second before its slot; after that nothing does.
        assert [at for at in shop.times("kept.chain") if at > gone + 2.5] == []
        assert len(shop.starts("kept.chain")) < len(held)
        wait_until(lambda: all(LOST in worker.output() for worker in workers))
        store.start()
        for results in (divided, held, allowed):
            assert returned(results) == list(range(len(results)))
        # Beside what any limit may, of each worker a slot that was reserved, and its share; a new store is full, too,
        # but it is not asked alone until both know that it is back.
        assert excess(shop.times("kept.result"), RATE) <= promised(RATE) + 2 * len(workers)
        assert excess(shop.times("kept.chain"), 4) <= promised(4) + 1  # a new store is full
        assert [worker.output().count(LOST) for worker in workers] == [1, 1]
        assert len({start.id for start in shop.starts()}) == len(shop.starts())


@pytest.mark.parametrize("pool", [ALONE, "prefork"])
def test_without_a_pacer_each_process_keeps_to_its_part(make_kept, tmp_path, pool):
    """Threads share one part; the processes of a pool without locks are forked before the count is known."""
    with RedisServer(tmp_path) as store:
        shop = make_kept(EACH.format(url=store.url), worker_pool_putlocks=False)
        worker = shop.start_worker("-P", pool)
        all_counted(store, 1)
        sent = [shop.send("kept.result", number) for number in range(40)]
        shop.wait_for(5, "kept.result")
        store.stop()
        gone = len(shop.starts())
        shop.wait_for(gone + 20, "kept.result")
        store.start()
        assert returned(sent) == list(range(40))
        parts = 2 if pool == "prefork" else 1
        assert excess(shop.times("kept.result"), RATE) <= promised(RATE) + parts + 1  # and a new store is full
        assert LOST in worker.output()
