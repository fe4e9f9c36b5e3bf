"""Names that workers and commands of several versions share, as they meet in a deploy: a new name breaks the older."""

import json
from functools import partial

import pytest
import redis as client
from support.workers import Shop, wait_until

from limitkit import RateLimitManager
from limitkit.control.workers import ask
from limitkit.stores.take_script import adapted_key

CONFIG = """
version = 1

[waiting]
per_limit = 2

[tasks.paid]
strategy = "token_bucket"
rate = "1/h"
mode = "enforce"

[tasks.paid.feedback]
on = ["requests.HTTPError:429"]

[tasks.user]
strategy = "per_user"
rate = "1/h"
key = "user_id"
mode = "shadow"
"""
REPORT = """
caps digest learnt limitkit limits mode now overrides paced passing path pid prefix refused since store unguarded
workers
"""
LIMIT = """
burst declared declared_burst dialled feedback held interval limit local mode oldest on_error partitions pattern running
running_partitions shadow source started strategy version
"""
HELD = "bucket cost held id interval place running starts_in task turn weight weights"
KEYS = {
    "limitkit:workers",
    "limitkit:{overrides}",
    "limitkit:{overrides}:declared",
    "limitkit:{overrides}:files",
    "limitkit:{task=paid}:g1",
    "limitkit:waiting:clock",
    "limitkit:waiting:due:celery",
    "limitkit:waiting:intervals:celery",
    "limitkit:waiting:line:celery",
    "limitkit:waiting:messages",
    "limitkit:waiting:order",
    "limitkit:waiting:queues",
}


@pytest.fixture(scope="module")
def shop(redis, tmp_path_factory):
    """A shop whose worker holds and parks tasks; an override is set."""
    with Shop(tmp_path_factory.mktemp("shop"), redis.url, CONFIG) as shop:
        shop.start_worker()
        shop.send("user", "a")
        shop.ids = [shop.send("paid").id for _ in range(8)]
        RateLimitManager(shop.app, shop.env["LIMITKIT_CONFIG"]).adjust_rate("user", "2/h")
        with client.Redis.from_url(redis.url) as server:
            wait_until(lambda: server.hlen("limitkit:waiting:messages") >= 5)
        yield shop


def test_a_worker_answers_by_the_names_that_other_versions_know(shop):
    def counted():
        """Return the report once a limit in shadow has counted, which it does a moment after the task has come."""
        (report,) = wait_until(lambda: ask(shop.app, "limitkit_status")).values()
        return report if report["limits"]["task=user"]["shadow"] else None

    report = wait_until(counted)
    assert sorted(report) == REPORT.split()
    assert {tag: sorted(limit) for tag, limit in report["limits"].items()} == {
        "task=paid": LIMIT.split(),
        "task=user": LIMIT.split(),
    }
    assert sorted(report["limits"]["task=user"]["shadow"]) == ["came", "delayed", "longest", "seconds"]
    whys = [partial(ask, shop.app, "limitkit_why", task_id=each) for each in shop.ids[1:]]
    answers = (wait_until(why)["w1@test"] for why in whys)
    assert sorted(next(filter(None, answers))) == HELD.split()


def test_the_store_has_the_keys_that_other_versions_know(shop, redis):
    with client.Redis.from_url(redis.url, decode_responses=True) as server:
        keys = set(server.keys("limitkit*"))
        posted = server.hgetall("limitkit:{overrides}")
        declared = server.hvals("limitkit:{overrides}:declared")
        parked = server.hvals("limitkit:waiting:messages")
    assert keys >= KEYS  # others end by themselves
    assert posted.keys() == {"#", "rate tasks user"}
    end, text = posted["rate tasks user"].split("\n")
    assert end == "0"
    assert sorted(json.loads(text)) == ["at", "by", "declared_burst", "declared_rate", "rate"]
    assert declared == ['[["tasks","paid",3600000000,1,"token_bucket ",0,[],{}]]']
    queue, message = parked[0].split("\n")
    assert queue == "celery"
    assert "limitkit_order" in json.loads(message)["properties"]
    assert adapted_key("limitkit:{task=paid}:g1") == "limitkit:{task=paid}:f1"
