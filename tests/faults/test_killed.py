"""A worker dies in the middle of a drain: told to stop, told to stop at once, or killed.

Of both kinds of task every message starts. What was running is Celery's own affair: acknowledged late, it runs again;
acknowledged early, it is lost, at most one for each process. So is one that kombu has taken out of its queue, and has
not written down as delivered yet: that is its next step.
"""

import signal
import time

import pytest
from support.measure import excess, promised
from support.sizes import sized
from support.wire import Wire
from support.workers import Shop, wait_until

RATE, EACH, CONCURRENCY, PREFETCH = 100, sized(300, 1000), 2, 8
TOML = f"""version = 1

[tasks.late]
strategy = "token_bucket"
rate = "{RATE}/s"

[tasks.early]
strategy = "token_bucket"
rate = "{RATE}/s"

[tasks.slow]
strategy = "token_bucket"
rate = "1/s"
"""
VISIBILITY_TIMEOUT = {signal.SIGTERM: 60, signal.SIGQUIT: 60, signal.SIGKILL: 6}
MOST_LEFT = 4 * PREFETCH + 2 * 2 * RATE
"""What a worker that is killed may leave to the visibility timeout: what it may hold."""


def make_shop(folder, broker, how=signal.SIGTERM):
    conf = {"broker_transport_options": {"visibility_timeout": VISIBILITY_TIMEOUT[how]}}
    return Shop(folder, broker.url, TOML, module="support.fault_app", **conf)


def restore(shop):
    """Do what each worker does from time to time: return what was not acknowledged in time."""
    with shop.app.connection_for_write() as connection:
        connection.default_channel.qos.restore_visible(num=1000, interval=1)


def ids(shop, event):
    return [start.id for start in shop.starts(event)]


@pytest.mark.parametrize("how", VISIBILITY_TIMEOUT)
def test_every_message_starts_when_one_worker_of_two_dies(broker, client, tmp_path, how):
    with Wire(broker.port) as wire, make_shop(tmp_path, broker, how) as shop:
        sent = shop.send_many([("late", (0.005,)), ("early", (0.005,))] * EACH)
        victim, _ = shop.start_workers(2, concurrency=CONCURRENCY)
        shop.wait_for(EACH // 2, "early")
        victim.process.send_signal(how)
        if how == signal.SIGKILL:
            wait_until(lambda: not client.llen("celery") and time.monotonic() - shop.starts()[-1].at > 1.5)
            assert client.hlen("unacked") <= MOST_LEFT
            wait_until(lambda: restore(shop) or not client.hlen("unacked"))
        late, early = set(sent[::2]), set(sent[1::2])
        running = 0 if how == signal.SIGTERM else CONCURRENCY

        def missing(those, event):
            """Return those that did not get there, but for what kombu lost."""
            places = client.llen("celery"), client.hlen("unacked"), client.hlen("limitkit:waiting:messages")
            lacking = those.difference(ids(shop, event))
            return {id_ for id_ in lacking if any(places) or not wire.queued_last(id_)}

        # Nobody waits for more than that: all of the others start before the timeout could have passed.
        wait_until(lambda: not missing(late, "late") and len(missing(early, "early")) <= running, sized(40, 60))
        wait_until(lambda: restore(shop) or not missing(late, "late.ended"))
        assert len(late.difference(ids(shop, "late.ended"))) <= (how != signal.SIGTERM)
        assert len(ids(shop, "late")) <= EACH + CONCURRENCY
        assert len(ids(shop, "early")) <= EACH + CONCURRENCY
        assert len(early.difference(ids(shop, "early.ended"))) <= running + (how != signal.SIGTERM)
        assert excess(shop.times("late"), RATE) <= promised(RATE)
        assert excess(shop.times("early"), RATE) <= promised(RATE)
        victim.process.kill()  # Celery may wait for half a minute at the end of a pool that was busy


@pytest.mark.parametrize("pool", ["prefork", "threads", "gevent"])
def test_a_worker_that_stops_gives_back_what_it_holds_while_its_pool_still_works(broker, tmp_path, pool):
    with make_shop(tmp_path, broker) as shop:
        first = shop.start_worker("-P", pool, concurrency=1)
        shop.wait_for_each([shop.send("until", str(tmp_path / "go"))])
        waiting = [shop.send("slow").id for _ in range(3)] + [shop.send("free").id]
        for name in waiting:
            first.wait_for_output(f"{name}] received")
        first.process.terminate()
        shop.start_worker()
        starts = shop.wait_for_each(waiting, timeout=40)
        assert {start.worker for start in starts} == {"w2@test"}
        assert first.process.poll() is None
        (tmp_path / "go").touch()


def test_a_worker_that_stops_hears_of_a_start_that_has_just_begun(broker, client, tmp_path):
    """Else the broker delivers it again, and its process waits for half a minute until its result is taken."""
    with make_shop(tmp_path, broker) as shop:
        worker = shop.start_worker(concurrency=1, env={"STOPS_AS_IT_SENDS": "1"})
        sent = [shop.send("early").id]
        shop.wait_for(1, "asleep")
        sent.append(shop.send("early").id)
        assert worker.process.wait(20) == 0
        assert ids(shop, "early.ended") == sent
        assert client.llen("celery") == client.hlen("unacked") == 0
