"""What must not stop a worker: odd arguments under a per-user limit, and a limit store that is gone."""

import contextlib
import os
import signal
import time

import pytest
from support.measure import excess, promised, waited
from support.servers import RedisServer
from support.workers import ALONE, wait_until

PER_USER = """
version = 1

[tasks."user.*"]
strategy = "per_user"
rate = "2/s"
key = "user_id"

[tasks."kept.bound"]
strategy = "per_user"
rate = "2/s"
key = "user_id.name.first"

[tasks."hourly.user"]
strategy = "per_user"
rate = "1/h"
key = "user_id"

[tasks."hourly.name"]
strategy = "per_user"
rate = "1/h"
key = "user_id.name.first"
"""

INTERVAL = 0.5
"""Seconds between two starts for one user."""

ODD_KEYS = [
    None,
    "",
    "x" * 1_000_000,
    ":",
    "{}",
    "{limitkit}:g1",
    "a\nb\r\n\x00",
    "🦊 ünï",
    "\ud800",
    42,
    -1,
    10**400,
    4.2,
    42.0,
    1e400,
    True,
    False,
    "true",
    "None",
    [],
    [1, [2]],
    {},
    {"id": {"of": [None]}},
    {"": 1},
]


@pytest.fixture(scope="module")
def users(make_kept):
    shop = make_kept(PER_USER, accept_content=["json", "pickle"])
    shop.start_workers(2)
    return shop


def send(shop, user_id, note):
    options = {"serializer": "pickle"} if user_id == "\ud800" else {}
    return shop.app.send_task("user.odd", kwargs={"user_id": user_id, "note": note}, **options)


def test_each_odd_key_has_a_bucket_of_its_own(users):
    sent = [[send(users, key, str(number)) for number, key in enumerate(ODD_KEYS)] for _ in range(2)]
    first, second = (users.wait_for_each(results) for results in sent)
    # One bucket for all would need 12 seconds for the first ones, and none would let the second ones start at once.
    assert max(start.at for start in first) - min(start.at for start in first) < 8
    for number in range(len(ODD_KEYS)):
        assert waited([first[number], second[number]], INTERVAL)
    assert {result.get(timeout=20) for results in sent for result in results} == {None}


@pytest.mark.parametrize(
    ("one", "other"),
    [(77, "77"), (float("nan"), float("nan")), ([1, {"b": 2, "a": 1}], [1, {"a": 1, "b": 2}])],
    ids=["number and text", "not a number", "order of a dict"],
)
def test_equal_keys_share_a_bucket(users, one, other):
    assert waited(users.wait_for_each([send(users, one, "one"), send(users, other, "other")]), INTERVAL)


@pytest.mark.parametrize(
    ("one", "other"),
    [(1, True), (0, False), ("null", None), (5, 5.0), ("[]", []), ("nan", float("nan"))],
)
def test_keys_of_different_types_share_none(users, one, other):
    users.wait_for_each([users.send("hourly.user", one), users.send("hourly.user", other)])


def test_messages_without_the_key_share_a_bucket_and_one_warning(users):
    missing = users.wait_for_each([users.app.send_task("user.odd", (1, 2)) for _ in range(3)])
    assert waited(missing, INTERVAL)
    warnings = [worker.output().count("user.odd was sent without user_id") for worker in users.workers]
    assert max(warnings) == 1


def test_an_argument_that_is_not_given_counts_with_its_default(users):
    sent = [users.app.send_task("user.default", args) for args in ((), ("nobody",), ())]
    assert waited(users.wait_for_each(sent), INTERVAL)


def test_a_path_into_what_has_none_is_a_key_that_is_missing(users):
    missing = [None, "ann", [], {"name": None}]
    assert waited(users.wait_for_each([users.send("kept.bound", user_id) for user_id in missing]), INTERVAL)
    given = [{"name": None}, {"name": {"first": "ann"}}, {"name": {"first": "bob"}}]
    users.wait_for_each([users.send("hourly.name", user_id) for user_id in given])


# -- the store is gone ------------------------------------------------------------------------------------------------

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


def drain(make_kept, store, on_error, *, timeout="2s", pool="prefork", workers=2, total=TOTAL):
    """Begin to drain at 10/s. A store that is stopped refuses at once; the timeout is for one that hangs."""
    shop = make_kept(STORED.format(url=store.url, on_error=on_error, timeout=timeout))
    workers = shop.start_workers(workers, "-P", pool)
    limited = [shop.send("kept.result", number) for number in range(total)]
    users = [shop.send("kept.bound", f"user {number % 5}") for number in range(10)]
    shop.wait_for(5, "kept.result")
    return shop, workers, limited, users


def all_done(shop, limited, users):
    assert [result.get(timeout=40) for result in limited] == list(range(len(limited)))
    assert len([result.get(timeout=40) for result in users]) == len(users)
    assert all(len(shop.starts_of(result)) == 1 for result in (*limited, *users))
    assert {start.retries for start in shop.starts()} == {0}


def free_tasks_run(shop):
    """Tasks without a limit run at once, whatever became of the store."""
    free = [shop.send("plain.add", number) for number in range(40)]
    shop.wait_for_each(free, timeout=15)
    assert [result.get(timeout=20) for result in free] == list(range(40))


def said(workers, text):
    """How often each worker said so; one to which few messages came may never have asked."""
    counts = [worker.output().count(text) for worker in workers]
    assert max(counts) <= 1
    return sum(counts)


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


@pytest.mark.parametrize(("how", "timeout"), [("stopped", "2s"), ("hung", "500ms")])
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
        # In force again once a worker has asked it, which it does when a limited task comes.
        for _ in range(20):
            if said(workers, BACK) == said(workers, LOST):
                break
            shop.wait_for_each([shop.send("kept.result", 1) for _ in range(8)])
        again = [shop.send("kept.result", number) for number in range(10)]
        assert waited(shop.wait_for_each(again), 0.1)
        assert said(workers, LOST) == said(workers, BACK) > 0


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
