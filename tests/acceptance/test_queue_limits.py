"""Limits of a queue hold for whatever task comes from it, beside the task's own; other queues are free."""

import contextlib

import pytest
from redis import Redis
from support.measure import excess, promised
from support.workers import Shop, wait_until

LIMITS = """
version = 1

[limits.smtp]
strategy = "token_bucket"
rate = "20/s"
burst = 2

[limits.tenant]
strategy = "per_user"
rate = "1/h"
key = ["headers:X-Tenant", "user_id"]
show_key = true

[queues."mail*"]
limits = ["smtp"]

[tasks.paid]
strategy = "token_bucket"
rate = "4/s"

[tasks.user]
limits = ["tenant"]
"""


@pytest.fixture(scope="module", params=["prefork", "threads", "foreign-threads"])
def shop(request, redis, tmp_path_factory):
    """Two workers that serve a queue with limits and one without; the last pool has no pacer."""
    with Shop(tmp_path_factory.mktemp("shop"), redis.url, LIMITS) as shop:
        shop.start_workers(2, "-P", request.param, "-Q", "mails,plain", concurrency=2)
        yield shop
    with contextlib.closing(Redis.from_url(redis.url)) as client:
        client.flushall()


def test_a_queue_s_limit_holds_for_all_its_tasks_and_theirs_hold_in_every_queue(shop):
    mails = [shop.send(name, queue="mails") for _ in range(20) for name in ("free", "other", "slow")]
    paid = [shop.send("paid", queue=queue) for _ in range(4) for queue in ("mails", "plain")]
    plain = [shop.send(name, queue="plain") for _ in range(15) for name in ("free", "other")]
    mailed = [start.at for start in shop.wait_for_each_once([*mails, *paid[::2]])]
    assert excess(mailed, 20) <= promised(20, 2)
    charged = shop.wait_for_each_once(paid)
    assert excess([start.at for start in charged], 4) <= promised(4)
    free = shop.wait_for_each_once(plain)
    assert max(start.at for start in free) < max(mailed), "the other queue does not wait for this one"
    assert {start.retries for start in (*charged, *free)} == {0}


def test_a_header_and_an_argument_make_a_partition_that_may_be_shown(shop, redis):
    tenants = ["acme", "x}:g1:{y", "acme", "\x1b[2J"]
    first = [shop.send("user", 1, headers={"x-tenant": tenant}, queue="plain") for tenant in tenants]
    shop.send("user", 1, headers={"x-tenant": "acme"}, queue="mails")
    other = shop.send("user", 2, headers={"X-Tenant": "acme"}, queue="plain")
    shop.wait_for_each([other])
    wait_until(lambda: len(shop.starts("user")) == 4)
    started = {start.id for start in shop.starts("user")}
    assert len(started & {first[0].id, first[2].id}) == 1
    with contextlib.closing(Redis.from_url(redis.url)) as client:
        keys = {key.decode() for key in client.keys("limitkit:{tenant}:*")}
    assert {"limitkit:{tenant}:g1:=acme,1", "limitkit:{tenant}:g1:=acme,2"} <= keys
    assert "limitkit:{tenant}:g1:=x%7D%3Ag1%3A%7By,1" in keys
    assert len(keys) == 4
