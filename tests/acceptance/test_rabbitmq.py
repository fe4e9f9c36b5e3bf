"""The same on RabbitMQ: classic queues, and quorum queues, whose prefetch window does not grow."""

import pytest
from support.measure import efficiency, excess
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
        assert excess(paid, 20) <= 5 + 20 * 0.05 + 1
        assert excess(slow, 1) <= 1 + 1 * 0.05 + 1
        assert free[-1] - paid[0] < paid[-1] - paid[0]
        # Ideal is 1; with nothing held on a quorum queue it is 0.06.
        assert efficiency(paid, 20, 5) >= 0.6


def test_the_higher_priority_goes_first(rabbit, store, tmp_path):
    conf = {"task_default_queue": "prior", "task_queue_max_priority": 9}
    with Shop(tmp_path, rabbit.url, TOML.format(url=store.url), **conf) as shop:
        shop.start_worker()
        first = shop.send("slow").id
        shop.wait_for(1)
        low = [shop.send("slow", priority=1).id for _ in range(2)]
        high = [shop.send("slow", priority=8).id for _ in range(2)]
        starts = shop.wait_for(5, timeout=20)
        assert [start.id for start in starts] == [first, *high, *low]
