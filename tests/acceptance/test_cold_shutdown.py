"""A worker that ends at once, as at each deploy of some, gives back what it has, and its log shows no fault."""

import signal

import pytest
from redis import Redis
from support.servers import RedisServer
from support.workers import Shop, wait_until

TOML = """
version = 1

[tasks.paid]
strategy = "token_bucket"
rate = "6/m"
"""


@pytest.mark.parametrize("soft", [0, 1])
def test_all_that_has_not_ended_is_back_in_its_queue(tmp_path, soft):
    with (
        RedisServer(tmp_path) as server,
        Shop(tmp_path, server.url, TOML, module="support.fault_app", worker_soft_shutdown_timeout=soft) as shop,
        Redis.from_url(server.url) as redis,
    ):
        worker = shop.start_worker()
        shop.send("late", 60.0)
        shop.send("paid")
        shop.wait_for(2)
        shop.send("late", 60.0)
        for _ in range(4):
            shop.send("paid")
        shop.wait_for(3)
        wait_until(lambda: redis.hlen("unacked") == 6)
        worker.stop(signal.SIGQUIT)
        assert "Traceback" not in worker.output()
        assert " ERROR/" not in worker.output()
        assert len(shop.starts("paid")) == 1
        assert (redis.llen("celery"), redis.hlen("unacked")) == (6, 0)
