"""A worker that was frozen for so long that others have got its messages begins none of them."""

import signal

import pytest
from support.killed_workers import BACK, HELD, RATE, each_started_once, last_seen, make_shop, own_processes, send_to_all
from support.measure import excess, promised
from support.workers import wait_until


@pytest.mark.parametrize("alone", [True, False], ids=["main process", "all processes"])
def test_a_frozen_worker_begins_nothing_that_others_were_given(broker, client, tmp_path, alone):
    with make_shop(tmp_path, broker) as shop:
        victim = shop.start_worker(concurrency=1)
        # It consumes nothing of theirs before the other one is frozen, however long it takes to start.
        other = shop.start_worker("-Q", "elsewhere")
        sent = shop.send_many([("early", ())] * HELD)
        shop.wait_for(5, "early")
        wait_until(lambda: not client.llen("celery") and not client.hlen("limitkit:waiting:messages"))
        frozen = own_processes(victim)[: 1 if alone else None]
        # What runs while it is frozen, and is not acknowledged yet, is rightly begun again elsewhere: so freeze it
        # right after a start, when the next one is a fifth of a second away.
        shop.wait_for(len(shop.starts("early")) + 1, "early")
        wait_until(lambda: client.hlen("unacked") + len(shop.starts("early")) == HELD)
        send_to_all(frozen, signal.SIGSTOP)
        try:
            shop.app.control.add_consumer("celery", destination=["w2@test"])
            other.wait_for_output(BACK)
            shop.wait_for_each(sent)
        finally:
            send_to_all(frozen, signal.SIGCONT)
        victim.wait_for_output("begins anew")
        more = shop.send_many([("early", ())] * 10)
        shop.wait_for_each(more)
        wait_until(lambda: last_seen(client) is not None)
        wait_until(lambda: not client.hlen("unacked"))
        other.stop()
        last = shop.send("early").id
        assert [start.worker for start in shop.wait_for_each([last])] == ["w1@test"]  # it works again
        assert each_started_once(shop, [*sent, *more, last])
        assert excess(shop.times("early"), RATE) <= promised(RATE)
