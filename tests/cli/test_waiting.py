"""What ``waiting`` and ``purge`` say of a waiting room in a real Redis; each example is kept in snapshots/parked/."""

import io
import json
import re
import sys
import time
from dataclasses import replace

import pytest
import redis
from support.commands import CLI, compare, transcript
from support.parked import TURN, age, filling
from support.servers import RedisServer, free_port

from limitkit.buckets.named_partition import named
from limitkit.config.load import load
from limitkit.waiting import parked_messages
from limitkit.waiting.parked_messages import ParkedMessages

RULES = load(CLI / "waiting.toml").rules
STRIPE = RULES.named["stripe_api"]
USER = RULES.for_task("shop.user_api_request").limits[0]
PUSH = RULES.for_task("push.send").limits[0]
APP = ["-A", "waitapp"]
SHOWN = "11111111-2222-3333-4444-555555555555"
PARKED_FOR = 5400
"""Seconds; so long that a busy machine doesn't change how it is written."""

EXAMPLES = {
    "waiting": ["waiting"],
    "waiting_json": ["waiting", "--output-format", "json"],
    "waiting_limit": ["waiting", "stripe_api"],
    "waiting_partitions": ["waiting", "shop.user_api_request"],
    "waiting_partitions_json": ["waiting", "shop.user_api_request", "--output-format", "json"],
    "waiting_pattern": ["waiting", "push.send"],
    "waiting_gone_from_the_file": ["waiting", "emails.welcome"],
    "waiting_misspelt": ["waiting", "stripe_apy"],
    "waiting_shared": ["waiting", "shop.charge_customer"],
    "waiting_no_limit": ["waiting", "free"],
    "waiting_both": ["waiting", "stripe_api", "--show", "x"],
    "show": ["waiting", "--show", SHOWN],
    "show_json": ["waiting", "--show", SHOWN, "--output-format", "json"],
    "show_not_parked": ["waiting", "--show", "x"],
    "purge_no_terminal": ["purge"],
    "purge_misspelt": ["purge", "-y", "push.sent"],
}
ELSEWHERE = {
    "waiting_no_app": (["waiting"], ""),
    "waiting_unreachable": (["waiting", *APP], "redis://:s3cret@127.0.0.1:PORT/0"),
    "waiting_rabbitmq": (["waiting", *APP], "amqp://"),
    "waiting_other": (["waiting", *APP], "memory://"),
    "waiting_other_json": (["waiting", *APP, "--output-format", "json"], "memory://"),
    "purge_rabbitmq": (["purge", "-y", *APP], "amqp://"),
    "explain_redis": (["explain", "push.send", *APP, "--config", "waiting.toml"], "redis://"),
    "explain_bad_url": (["explain", "push.send", *APP, "--config", "waiting.toml"], "redis://:s3c/ret@localhost/"),
}


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with RedisServer(tmp_path_factory.mktemp("redis")) as server:
        yield server


@pytest.fixture(scope="module")
def filled(server):
    """Return the URL of a broker in which tasks have been parked for an hour and a half."""
    gone = replace(PUSH, name="emails.welcome", strategy="token_bucket")
    shown = {"task_id": SHOWN, "argsrepr": "('ann', '****')", "headers": {"authorization": "s3cret"}}
    with filling(server.url, ("celery", "mail")) as filler:
        filler.park(STRIPE, "shop.charge_customer", ["ann"], count=3)
        filler.park(STRIPE, "shop.charge_customer", ["ann", "4242 4242"], **shown)
        filler.park(STRIPE, "shop.charge_customer", ["ann"], queue="mail", count=2, priority=6)
        filler.park(USER, "shop.user_api_request", [1], value=1, count=2)
        filler.park(USER, "shop.user_api_request", [2], value=2, count=5)
        filler.park(USER, "shop.user_api_request", [2], value=2, queue="mail")
        filler.park(PUSH, "push.send", [1], count=3, priority=6)
        filler.park(gone, "emails.welcome", count=30)
        age(server.url, PARKED_FOR)
        # One that comes before older ones, since it is more urgent: it is not the oldest.
        filler.park(PUSH, "push.send", [1], priority=0)
    return server.url


def parked_masked(said):
    said = re.sub(r'("(?:oldest|age|due)_seconds": )[\d.]+', r"\1...", said)
    return re.sub(r"gen\d+@[\w.-]+", "gen1@host", said)


@pytest.mark.parametrize("name", EXAMPLES)
def test_example(name, filled, run_at):
    arguments = [*EXAMPLES[name], *APP]
    done = run_at(arguments, filled)
    assert b"s3cret" not in done.stdout + done.stderr
    assert b"4242" not in done.stdout + done.stderr
    compare("parked", name, transcript(arguments, done), mask=parked_masked)


@pytest.mark.parametrize("name", ELSEWHERE)
def test_example_of_another_broker(name, run_at):
    arguments, url = ELSEWHERE[name]
    port = str(free_port())
    done = run_at(arguments, url.replace("PORT", port))
    assert b"s3cret" not in done.stdout + done.stderr
    compare("parked", name, re.sub(rf"{port}\b", "PORT", transcript(arguments, done)), mask=parked_masked)


def test_each_snapshot_has_its_example():
    assert {file.stem for file in (CLI / "snapshots" / "parked").glob("*.txt")} == {*EXAMPLES, *ELSEWHERE}


def test_purge_asks_on_a_terminal_and_removes_that_limit_alone(server, run_at, monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    url = f"{server.url[:-1]}1"
    with filling(url) as filler:
        filler.park(STRIPE, "shop.charge_customer", count=3)
        filler.park(USER, "shop.user_api_request", [1], value=1, count=2)
    monkeypatch.setattr(sys, "stdin", Terminal("n\n"))
    done = run_at(["purge", "stripe_api", *APP], url)
    assert b"3 tasks (stripe_api: 3) would be lost. Remove them? [y/N]" in done.stderr
    assert (done.returncode, done.stdout) == (1, b"")
    monkeypatch.setattr(sys, "stdin", Terminal("y\n"))
    assert run_at(["purge", "stripe_api", *APP], url).stdout == b"Removed 3 tasks.\n"
    limits = json.loads(run_at(["waiting", "--output-format", "json", *APP], url).stdout)["limits"]
    assert [(limit["limit"], limit["parked"]) for limit in limits] == [("shop.user_api_request", 2)]
    assert run_at(["purge", "-y", *APP], url).stdout == b"Removed 2 tasks.\n"
    assert run_at(["purge", "-y", *APP], url).stdout == b"Nothing is parked in the broker's Redis.\n"
    with redis.Redis.from_url(url) as client:
        assert {*client.keys("limitkit:*")} == {b"limitkit:waiting:order", b"limitkit:waiting:clock"}


def test_purge_of_one_partition_by_its_value_or_its_digest(server, run_at):
    url = f"{server.url[:-1]}4"
    with filling(url) as filler:
        for user, count in (("42", 3), ("eve", 2), ("bob", 1)):
            filler.park(USER, "shop.user_api_request", [user], value=user, count=count)
    task = "shop.user_api_request"
    nothing = run_at(["purge", "-y", task, "--partition", "nobody", *APP], url).stdout
    assert nothing == b'Nothing is parked for shop.user_api_request (its own) of "nobody" in the broker\'s Redis.\n'
    assert run_at(["purge", "-y", task, "--partition", "42", *APP], url).stdout == b"Removed 3 tasks.\n"
    digest = named("eve").digest
    assert run_at(["purge", "-y", task, "--partition", digest, *APP], url).stdout == b"Removed 2 tasks.\n"
    assert run_at(["purge", "-y", "--partition", "bob", *APP], url).returncode == 2
    assert run_at(["purge", "-y", *APP], url).stdout == b"Removed 1 task.\n"


def test_purge_removes_what_was_counted_in_parts_and_nothing_that_came_later(server, monkeypatch):
    monkeypatch.setattr(parked_messages, "_CHUNK", 3)
    url = f"{server.url[:-1]}2"
    with redis.Redis.from_url(url) as client:  # the server's clock was set back by an hour
        client.set("app:limitkit:waiting:clock", f"{time.time() + 3600} 0")
    with filling(url, ("celery", "mail"), broker_transport_options={"global_keyprefix": "app:"}) as filler:
        filler.park(STRIPE, "shop.charge_customer", count=8)
        filler.park(STRIPE, "shop.charge_customer", count=1, queue="mail")
        for user in range(5):
            filler.park(USER, "shop.user_api_request", [user], value=user)
        parked = ParkedMessages(filler.channel, "limitkit")
        piles = list(parked.piles())
        assert sum(pile.count for pile in piles) == 14
        late = filler.park(STRIPE, "shop.charge_customer", count=2)
        assert list(parked.purge(piles)) == [3, 3, 3, 3, 1, 1]
        left = list(parked.piles())
        assert [pile.count for pile in left] == [2]
        found = [parked.find(id_) for id_ in late]
        assert [each.place for each in found] == [1, 2]
        assert TURN - 60 < found[0].due < found[1].due <= TURN + 1


def test_the_rights_that_the_docs_name_are_enough(server, run_at):
    look, remove, _ = re.findall(r"`(\+.*?)`", (CLI.parents[1] / "docs" / "waiting.md").read_text())
    url = f"{server.url[:-1]}3"
    with filling(url) as filler:
        (id_,) = filler.park(USER, "shop.user_api_request", [1], value=1)
    with redis.Redis.from_url(url) as client:
        client.execute_command("ACL", "SETUSER", "looks", "on", ">s3cret", "~limitkit:waiting:*", *look.split())
        client.execute_command(
            "ACL", "SETUSER", "removes", "on", ">s3cret", "~limitkit:waiting:*", *look.split(), *remove.split()
        )
    looks, removes = (url.replace("//", f"//{user}:s3cret@") for user in ("looks", "removes"))
    assert b"\nshop.user_api_request (its own)       1 " in run_at(["waiting", *APP], looks).stdout
    assert b"place       1 of 1\n" in run_at(["waiting", "--show", id_, *APP], looks).stdout
    refused = run_at(["purge", "-y", *APP], looks)
    assert refused.returncode == 2
    assert refused.stderr.startswith(b"limitkit: the broker redis://**@127.0.0.1")
    assert run_at(["purge", "-y", *APP], removes).stdout == b"Removed 1 task.\n"
