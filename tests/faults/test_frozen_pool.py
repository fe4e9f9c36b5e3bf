"""The pool of a frozen worker is free the moment it goes on, and is handed nothing that others were given."""

import signal

import pytest
from support.killed_workers import BACK, each_started_once, make_shop


@pytest.mark.parametrize("pool", ["prefork", "threads", "gevent"])
def test_a_frozen_worker_hands_its_pool_nothing_that_others_were_given(broker, client, tmp_path, pool):
    """Its pool is free the moment it goes on, before anything else happens there."""
    with make_shop(tmp_path, broker) as shop:
        victim = shop.start_worker("-P", pool, concurrency=1)
        running = shop.send("early", 5).id
        shop.wait_for_each([running])
        waiting = shop.send_many([("free", ())] * 3)
        for name in waiting:
            victim.wait_for_output(f"{name}] received")
        other = shop.start_worker()
        victim.process.send_signal(signal.SIGSTOP)
        try:
            other.wait_for_output(BACK)
            shop.wait_for_each(waiting)
        finally:
            victim.process.send_signal(signal.SIGCONT)
        victim.wait_for_output("Back in their queues")
        other.stop()
        last = shop.send("free").id
        shop.wait_for_each([last])
        assert each_started_once(shop, [*waiting, last], "free")
        assert each_started_once(shop, [running], "early")
