"""What ``on_error`` says holds while the limit store is gone, and the limits once it is back."""

import contextlib
import os
import signal
import time

import pytest
from support.measure import excess, promised, waited
from support.results import returned
from support.servers import RedisServer
from support.workers import ALONE, wait_until

STORED = """
version = 1

[store]
url = "{url}"
on_error = "{on_error}"
timeout = "{timeout}"

[tasks."kept.*"]
strategy = "token_bucket"
rate = "10/s"

[tasks."kept.bound"]
strategy = "per_user"
rate = "1/s"
key = "user_id"
"""
TOTAL = 40
LOST = "The store can't be asked"
BACK = "The store answers again"


def drain(make_kept, store, on_error, *, timeout="10s", pool="prefork", workers=2, total=TOTAL):
    """Begin to drain at 10/s. A store that is stopped refuses at once; the timeout is for one that hangs."""
    shop = make_kept(STORED.format(url=store.url, on_error=on_error, timeout=timeout))
    workers = shop.start_workers(workers, "-P", pool)
    limited = [shop.send("kept.result", number) for number in range(total)]
    users = [shop.send("kept.bound", f"user {number % 5}") for number in range(10)]
    shop.wait_for(5, "kept.result")
    return shop, workers, limited, users


def all_done(shop, limited, users):
    assert returned(limited) == list(range(len(limited)))
    assert len(returned(users)) == len(users)
    assert all(len(shop.starts_of(result)) == 1 for result in (*limited, *users))
    assert {start.retries for start in shop.starts()} == {0}


def free_tasks_run(shop):
    """Tasks without a limit run at once, whatever became of the store."""
    free = [shop.send("plain.add", number) for number in range(40)]
    shop.wait_for_each(free, timeout=15)
    assert returned(free) == list(range(40))


def why_gone(shop):
    """Why each worker can't ask the store, as it says when it is asked for its status; empty if it can."""
    replies = shop.app.control.broadcast("limitkit_status", reply=True, timeout=2, limit=2)
    return [report["store"] for reply in replies for report in reply.values()] or ["nobody has said"]


def said(workers, text):
    """How often each worker said so; one to which few messages came may never have asked."""
    counts = [worker.output().count(text) for worker in workers]
    assert max(counts) <= 2  # once, unless the machine stands still while it is asked
    return sum(counts)


def back_for_all(shop, workers):
    """Whether all that had lost the store have asked it again: each does after a second, once a limited task comes."""
    if said(workers, BACK) == said(workers, LOST):
        return True
    shop.wait_for_each([shop.send("kept.result", 1) for _ in range(8)])
    return False


@contextlib.contextmanager
def taken_away(store, how="stopped"):
    """Take the store away, and bring it back in the end."""
    if how == "stopped":
        store.stop()
    else:
        os.kill(store.process.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        if how == "stopped":
            store.start()
        else:
            os.kill(store.process.pid, signal.SIGCONT)


@pytest.mark.parametrize(("how", "timeout"), [("stopped", "10s"), ("hung", "500ms")])
def test_hold_keeps_the_tasks_until_the_store_is_back(make_kept, tmp_path, how, timeout):
    with RedisServer(tmp_path) as store:
        shop, workers, limited, users = drain(make_kept, store, "hold", timeout=timeout)
        with taken_away(store, how):
            gone = time.monotonic()
            wait_until(lambda: said(workers, LOST))
            long = shop.send("slow", 2.2)  # the workers ask the store once a second meanwhile
            free_tasks_run(shop)
            assert long.get(timeout=20) == 2.2
            # What was reserved starts in the second before its slot; after that nothing does.
            assert [at for at in shop.times("kept.result") if at > gone + 2.5] == []
            assert len(shop.starts("kept.result")) < TOTAL
        all_done(shop, limited, users)
        assert excess(shop.times("kept.result"), 10) <= promised(10) + (how == "stopped")  # a new store is full
        assert said(workers, LOST) == said(workers, BACK) > 0


def test_allow_runs_the_tasks_until_the_store_is_back(make_kept, tmp_path):
    with RedisServer(tmp_path) as store:
        shop, workers, limited, users = drain(make_kept, store, "allow", total=120)
        with taken_away(store):
            gone = shop.starts()[-1].at
            free_tasks_run(shop)
            all_done(shop, limited, users)
            assert max(shop.times("kept.result")) - gone < 8  # at 10/s it would be 11.5 s
            assert said(workers, LOST) > 0
            wait_until(lambda: all(why_gone(shop)))
        wait_until(lambda: back_for_all(shop, workers))
        again = [shop.send("kept.result", number) for number in range(10)]
        assert waited(shop.wait_for_each(again), 0.1)
        assert said(workers, LOST) == said(workers, BACK) > 0
        wait_until(lambda: not any(why_gone(shop)))


@pytest.mark.parametrize("on_error", ["allow", "hold"])
def test_guard_alone_does_the_same(make_kept, tmp_path, on_error):
    with RedisServer(tmp_path) as store:
        total = 120 if on_error == "allow" else TOTAL
        shop, workers, limited, users = drain(make_kept, store, on_error, pool=ALONE, workers=1, total=total)
        with taken_away(store):
            before = shop.starts("kept.result")
            free_tasks_run(shop)
            if on_error == "allow":
                all_done(shop, limited, users)
                assert max(shop.times("kept.result")) - before[-1].at < 8  # at 10/s it would be 11.5 s
            else:
                wait_until(lambda: said(workers, LOST))
                free_tasks_run(shop)
                # Each of two threads may have had its token.
                assert len(shop.starts("kept.result")) <= len(before) + 2
        all_done(shop, limited, users)
        if on_error == "hold":
            assert excess(shop.times("kept.result"), 10) <= promised(10) + 1
            assert said(workers, BACK) == 1
        assert said(workers, LOST) == 1
