"""The limit store hangs under load: tasks start or wait as ``on_error`` says, and the event loop goes on."""

import os
import signal
import time
from itertools import pairwise

import pytest
from support.measure import excess, promised
from support.servers import RedisServer
from support.sizes import sized
from support.stalls import Stalls
from support.workers import Shop

RATE, BACKLOG, AWAY, TIMEOUT = 25, 40, sized(4.0, 20.0), 0.6
TOML = """version = 1

[store]
url = "{url}"
on_error = "{on_error}"
timeout = "{timeout}ms"

[tasks.paid]
strategy = "token_bucket"
rate = "{rate}/s"
"""
PAUSE = 1.0
"""Seconds in which a store that failed is not asked again."""
NOISE = 1.0
"""Seconds by which a busy machine may be late, beside those in which it stood still."""


def hang(store, shop):
    """Let the store hang while more tasks come in; returns from when until when, and what was sent at which times."""
    os.kill(store.process.pid, signal.SIGSTOP)
    gone = time.monotonic()
    paid, free = [], []
    try:
        while time.monotonic() < gone + AWAY:
            free.append((time.monotonic(), shop.send("free").id))
            paid.append(shop.send("paid").id)
            time.sleep(0.1)
    finally:
        os.kill(store.process.pid, signal.SIGCONT)
    return gone, time.monotonic(), paid, free


@pytest.mark.quiet
@pytest.mark.parametrize("on_error", ["allow", "hold"])
def test_a_store_that_hangs_blocks_the_loop_once_a_second_for_its_timeout(tmp_path, on_error):
    with RedisServer(tmp_path) as broker, RedisServer(tmp_path) as store:
        toml = TOML.format(url=store.url, on_error=on_error, timeout=int(TIMEOUT * 1000), rate=RATE)
        shop = Shop(tmp_path, broker.url, toml, module="support.fault_app", env={"PULSE": "1"})
        with shop, Stalls() as stalls:
            shop.start_worker()
            sent = [shop.send("paid").id for _ in range(BACKLOG)]
            shop.wait_for(5, "paid")
            gone, back, paid, free = hang(store, shop)
            sent += paid
            shop.wait_for_each(sent)
            assert sorted(start.id for start in shop.starts("paid")) == sorted(sent)
            times = shop.times("paid")

            def took(begin, end):
                return end - begin - stalls.within(begin, end)

            if on_error == "allow":
                assert took(back, times[-1]) < NOISE
            else:
                assert [at for at in times if gone + 1 + NOISE < at < back] == []
                assert took(back, min(at for at in times if at >= back)) < TIMEOUT + PAUSE + NOISE
                assert excess(times, RATE) <= promised(RATE)
            for (at, _), start in zip(free, shop.wait_for_each([id_ for _, id_ in free]), strict=True):
                assert took(at, start.at) < TIMEOUT + NOISE
            blocked = [(start.at, start.at + float(start.label)) for start in shop.starts("blocked")]
            blocked = [(begin, end) for begin, end in blocked if took(begin, end) > 0.75 * TIMEOUT]
            assert len(blocked) >= 2
            assert all(took(begin, end) < TIMEOUT + NOISE for begin, end in blocked)
            assert all(later - end > 0.5 * PAUSE for (_, end), (later, _) in pairwise(blocked))
