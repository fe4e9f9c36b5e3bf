"""RabbitMQ is restarted in the middle of a drain in which a worker has been killed: classic and quorum queues."""

import contextlib
from collections import Counter

import pytest
from support.measure import excess, promised
from support.servers import RedisServer
from support.sizes import sized
from support.workers import Shop

RATE, TOTAL, CONCURRENCY = 60, sized(300, 5000), 2
PARKED_AT_ONCE = 100
TOML = """version = 1

[store]
url = "{url}"
prefix = "{prefix}"

[tasks.paid]
strategy = "token_bucket"
rate = "{rate}/s"
"""
QUEUES = {
    "classic": {},
    "quorum": {
        "task_default_queue_type": "quorum",
        "task_default_exchange_type": "topic",
        "broker_transport_options": {"confirm_publish": True},
    },
}


@pytest.fixture
def shops(rabbit, tmp_path):
    with RedisServer(tmp_path) as store, contextlib.ExitStack() as stack:
        made = {}
        for kind, conf in QUEUES.items():
            folder = tmp_path / kind
            folder.mkdir()
            toml = TOML.format(url=store.url, prefix=kind, rate=RATE)
            shop = Shop(folder, rabbit.url, toml, task_default_queue=kind, module="support.fault_app", **conf)
            made[kind] = stack.enter_context(shop)
        yield made


@pytest.mark.quiet
def test_every_message_starts_and_limits_hold(rabbit, shops):
    sent = {kind: shop.send_many([("paid", ())] * TOTAL) for kind, shop in shops.items()}
    for kind, shop in shops.items():
        for number in range(2):  # a worker's name is that of a queue, too
            shop.start_worker(name=f"{kind}{number}", concurrency=CONCURRENCY, wait=False)
    for shop in shops.values():
        shop.wait_for(TOTAL // 8)
        shop.workers[0].process.kill()
    for shop in shops.values():
        shop.wait_for(TOTAL // 4)
    rabbit.restart()
    for kind, shop in shops.items():
        starts = shop.wait_for_each(sent[kind], timeout=300)
        assert excess([start.at for start in shop.starts()], RATE) <= promised(RATE)
        # What ran as the worker was killed, or as the broker stopped before it knew, is delivered again; so is what was
        # being parked then, which is in two places. each a single time.
        assert len(starts) <= len(shop.starts()) <= TOTAL + 2 * CONCURRENCY + PARKED_AT_ONCE
        assert max(Counter(start.id for start in shop.starts("paid")).values()) <= 3  # killed, and restarted
