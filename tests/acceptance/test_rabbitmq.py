"""The same on RabbitMQ: classic queues, and quorum queues, whose prefetch window does not grow."""

import pytest
from support.measure import efficiency, excess, promised
from support.servers import RedisServer
from support.workers import Shop

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


@pytest.mark.parametrize("kind", ["classic", "quorum"])
def test_limits_hold_and_others_flow_past(rabbit, store, tmp_path, kind):
    conf = {"task_default_queue": kind}
    if kind == "quorum":
        # Celery delays messages of quorum queues by topic exchanges.
        conf |= {"task_default_queue_type": "quorum", "task_default_exchange_type": "topic"}
        conf |= {"broker_transport_options": {"confirm_publish": True}}
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
