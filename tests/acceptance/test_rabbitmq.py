"""The same on RabbitMQ: classic queues, and quorum queues, of which each consumer has a prefetch window of its own."""

import pytest
from support.measure import efficiency, excess, promised
from support.servers import RedisServer
from support.workers import Shop, wait_until

from limitkit import RateLimitManager
from limitkit.buckets.override import OverrideError

TOML = """version = 1

[store]
url = "{url}"

[tasks.paid]
strategy = "token_bucket"
rate = "20/s"
burst = 5

[tasks.slow]
strategy = "token_bucket"
rate = "1/s"
"""


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    with RedisServer(tmp_path_factory.mktemp("redis")) as server:
        yield server


def conf_of(queue, *, quorum):
    conf = {"task_default_queue": queue}
    if quorum:
        # Celery delays messages of quorum queues by topic exchanges.
        conf |= {"task_default_queue_type": "quorum", "task_default_exchange_type": "topic"}
        conf |= {"broker_transport_options": {"confirm_publish": True}}
    return conf


@pytest.mark.parametrize("kind", ["classic", "quorum"])
def test_limits_hold_and_others_flow_past(rabbit, store, tmp_path, kind):
    conf = conf_of(kind, quorum=kind == "quorum")
    with Shop(tmp_path, rabbit.url, TOML.format(url=store.url), **conf) as shop:
        sent = shop.send_many([("paid", ())] * 80 + [("slow", ())] * 4 + [("free", ())] * 100)
        shop.start_workers(2)
        starts = shop.wait_for(len(sent), timeout=60)
        assert sorted(start.id for start in starts) == sorted(sent)
        assert {start.retries for start in starts} == {0}
        paid, slow, free = shop.times("paid"), shop.times("slow"), shop.times("free")
        assert excess(paid, 20) <= promised(20, 5)
        assert excess(slow, 1) <= promised(1)
        assert free[-1] - paid[0] < paid[-1] - paid[0]
        # Ideal is 1; with nothing held on a quorum queue it is 0.06.
        assert efficiency(paid, 20, 5) >= 0.3


def test_what_is_held_from_a_quorum_queue_takes_no_place_of_others(rabbit, store, tmp_path):
    """The window of a consumer can't grow, so the worker has further ones, as long as it holds so many."""
    toml = TOML.format(url=f"{store.url[:-1]}9").replace("1/s", "3/m")
    with Shop(tmp_path, rabbit.url, toml, **conf_of("wide", quorum=True)) as shop:
        worker = shop.start_worker("-Q", "wide,beside", concurrency=1)
        slow = shop.send_many([("slow", ())] * 15)
        free = shop.send_many([("free", ())] * 20)
        shop.wait_for_each(free)
        assert [worker.output().count(f"{id_}] received") for id_ in slow] == [1] * len(slow)

        def consumers(queue="wide"):
            return rabbit.control("list_consumers", "queue_name", "--silent").split().count(queue)

        assert consumers() > 2
        assert consumers("beside") == 1
        shop.app.control.cancel_consumer("wide", reply=True)
        wait_until(lambda: consumers() == 0)
        shop.app.control.add_consumer("wide", reply=True)
        shop.wait_for_each(shop.send_many([("free", ())] * 20))
        RateLimitManager(shop.app, tmp_path / "ratelimits.toml").adjust_rate("slow", "50/s")
        shop.wait_for_each_once(slow)
        wait_until(lambda: consumers() == 1)
        shop.wait_for_each_once(shop.send_many([("free", ())] * 20))


def test_the_higher_priority_goes_first(rabbit, store, tmp_path):
    conf = {"task_default_queue": "prior", "task_queue_max_priority": 9}
    with Shop(tmp_path, rabbit.url, TOML.format(url=store.url), **conf) as shop:
        worker = shop.start_worker(concurrency=1)
        shop.send("until", str(tmp_path / "go"))
        shop.wait_for(1)
        low = [shop.send("slow", priority=1).id for _ in range(2)]
        high = [shop.send("slow", priority=8).id for _ in range(2)]
        for id_ in low + high:
            worker.wait_for_output(f"{id_}] received")
        (tmp_path / "go").touch()
        shop.wait_for(5)
        assert [start.id for start in shop.starts("slow")] == [*high, *low]


def test_without_a_store_the_workers_that_run_are_told(rabbit, tmp_path):
    """Static limits need no store, and where there is none their rates are set by remote control."""
    toml = 'version = 1\n\n[tasks.other]\nstrategy = "static"\nrate = "1/m"\n'
    with Shop(tmp_path, rabbit.url, toml, task_default_queue="storeless") as shop:
        shop.start_worker()
        shop.send_many([("other", ())] * 21)
        shop.wait_for(1)
        manager = RateLimitManager(shop.app, tmp_path / "ratelimits.toml")
        assert manager.store is None
        manager.pause("other")
        manager.adjust_rate("other", "20/s")
        with pytest.raises(OverrideError, match="w9@test"):
            manager.adjust_rate("other", "20/s", workers=["w9@test"])
        manager.resume("other")
        times = [start.at for start in shop.wait_for(21)]
        assert excess(times, 20) <= promised(20)
