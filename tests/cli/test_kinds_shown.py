"""What the commands say of limits of each kind, and of their partitions, with a real Redis and without workers."""

import re
import time
from dataclasses import replace

import pytest
from support.commands import CLI, Runner, compare, masked_widths
from support.parked import age, filling
from support.scrape import Scrape
from support.servers import RedisServer

from limitkit.buckets.decision import Take
from limitkit.buckets.named_partition import named
from limitkit.buckets.partition import bucket_key
from limitkit.buckets.slots import new_member
from limitkit.cli.why_words import turn_of
from limitkit.config.load import load
from limitkit.control.bucket_state import state_of
from limitkit.control.in_force import InForce
from limitkit.stores.redis import RedisStore

RULES = load(CLI / "shown.toml").rules
APP = ["-A", "shownapp"]
PARKED = {
    "reports": ("reports.build", (), None, 2),
    "exports": ("reports.export", ("acme",), "acme", 3),
    "calls": ("ads.read", ("globex",), "globex", 5),
    "daily": ("ads.read", ("globex",), None, 5),
    "openai": ("llm.ask", (500,), None, 2),
}
"""By limit: what is parked for it, for which partition, and how many."""
EXAMPLES = {
    "status": ["status"],
    "status_slots": ["status", "exports"],
    "status_window": ["status", "calls"],
    "top": ["top", "exports"],
    "status_json": ["status", "exports", "--output-format", "json"],
    "status_window_json": ["status", "daily", "--output-format", "json"],
    "waiting": ["waiting"],
    "waiting_slots": ["waiting", "exports"],
    "waiting_json": ["waiting", "--output-format", "json"],
    "drift": ["drift"],
}


def bucket_for(limit, partition=None):
    whom = named(partition) if partition is not None else None
    state = state_of(InForce(), limit, "", partition=whom.digest if whom is not None else None)
    return replace(state.bucket, key=bucket_key("limitkit", limit, whom))


@pytest.fixture(scope="module")
def filled(tmp_path_factory):
    """Return the runner of commands, where each limit is used, and has tasks that wait for it; and their ids."""
    with RedisServer(tmp_path_factory.mktemp("redis")) as server:
        store = RedisStore(server.url, 5.0)
        limits = {name: bucket_for(RULES.named[name]) for name in RULES.named}
        for number in range(3):
            store.take([Take((limits["reports"],), member=new_member(time.time() - 41 - number))])
        acme = bucket_for(RULES.named["exports"], "acme")
        for _ in range(4):
            store.take([Take((acme,), member=new_member(time.time()))])
        store.take([Take((limits["daily"],), costs=(12_400,))])
        store.take([Take((limits["recent"],), costs=(4,))])
        store.take([Take((bucket_for(RULES.named["calls"], "globex"),), costs=(40,))])
        store.take([Take((limits["openai"],), costs=(3_220,))])
        ids = {}
        with filling(server.url) as filler:
            for name, (task, args, value, count) in PARKED.items():
                limit = RULES.named[name]
                ids[name] = filler.park(limit, task, args, value=value, count=count)
        age(server.url, 5400)
        yield Runner(CLI, BROKER_URL=server.url), ids, store
        store.close()


def hidden(said):
    """Mask also what depends on the hour at which the test runs."""
    said = re.sub(r"schedule until (?:\d\S+ )?\d\d:\d\d", "schedule until NOON", masked_widths(said))
    return re.sub(r'("(?:resets_at|oldest_running_seconds|drain_seconds)": )\d[\d.]*', r"\1...", said)


@pytest.mark.parametrize("name", EXAMPLES)
def test_example(name, filled):
    compare("kinds_shown", name, filled[0].transcript(*EXAMPLES[name], *APP), mask=hidden)


@pytest.mark.parametrize("name", PARKED)
def test_why(name, filled):
    runner, ids, _ = filled
    compare("kinds_shown", f"why_{name}", runner.transcript("why", ids[name][-1], *APP), mask=hidden)


def test_lines_of_several_values_say_whose_turn_it_is():
    limit = replace(RULES.named["night"], fair_by=RULES.named["calls"].key)
    said = turn_of(limit, "=acme", 3.0, 5.0, "w1@test")
    assert said == "The values of tenant take turns: acme has weight 3 of 5 that wait in w1@test."


def test_what_the_exporter_shows(filled):
    runner, _, _ = filled
    seen = Scrape(runner.run("exporter", "--once", *APP).stdout.decode())
    assert (seen["cluster_slots_running", "reports"], seen["cluster_slots_limit", "reports"]) == (3, 3)
    assert (seen["cluster_window_counted", "daily"], seen["cluster_window_limit", "daily"]) == (12_400, 15_000)
    assert seen["cluster_window_reset_timestamp_seconds", "daily"] % 3600 == 0
    assert ("cluster_window_reset_timestamp_seconds", "recent") not in seen
    assert seen["cluster_debt_tokens", "openai"] == -seen["cluster_tokens", "openai"] == pytest.approx(3_200, abs=5)
    assert seen["cluster_tokens", "mail"] == 1, "a limit that only a queue has"
    assert seen["cluster_drain_seconds", "daily"] == 0.0, "all that waits is within the window"
    for name in ("reports", "exports", "disk"):
        gauges = ("cluster_rate", "cluster_declared_rate", "cluster_burst", "cluster_drain_seconds")
        assert not [gauge for gauge in gauges if (gauge, name) in seen]
    assert ("cluster_slots_running", "exports") not in seen, "it has partitions, which are never looked for"
    assert "acme" not in seen.text
    assert "globex" not in seen.text
