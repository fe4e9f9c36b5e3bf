"""What real workers do is recorded as it was, without its payload, and a replay of it comes to the same."""

import json
import random
import signal
import subprocess
import sys
import time

import pytest
from support.servers import RedisServer
from support.workers import ROOT, Shop, wait_until

from limitkit.config.load import load
from limitkit.control.workers import ask
from limitkit.trial.agreement import compare
from limitkit.trial.play import play
from limitkit.trial.trace import read_trace

LIMITS = """
version = 1

[limits.tenant]
strategy = "per_user"
rate = "4/s"
burst = 2
key = "user_id"

[tasks.user]
limits = ["tenant"]

[tasks.paid]
strategy = "token_bucket"
rate = "10/s"
burst = 3

[tasks.report]
strategy = "concurrency"
max_running = 2

[tasks.llm]
strategy = "token_bucket"
rate = "100/s"
burst = 100
cost = "estimate"

[tasks.other]
strategy = "token_bucket"
rate = "1/h"
on_limit = "drop"
"""
LIMIT = {"hard": 1}
HEARD = 0.2
"""Seconds that a task which kills its process waits before."""
SOON = 0.7
"""Seconds in which a worker that says that it comes up is told to record; else within two."""
LONG = 5.5
"""Seconds after which a worker that is not heard has gone."""
SECRETS = ("alice@example.com", "bob@example.com", "carol@example.com")


class Recording:
    """``limitkit record`` in a process of its own."""

    def __init__(self, shop, name="t.trace", *options, seconds="120s"):
        self.path = shop.folder / name
        self.log = shop.folder / f"{name}.log"
        command = [sys.executable, "-m", "limitkit", "record", "--for", seconds, "-o", str(self.path), *options]
        with self.log.open("wb") as out:
            self.process = subprocess.Popen(
                [*command, "-A", shop.module], env=shop.env, cwd=ROOT, stdout=out, stderr=out
            )

    def said(self):
        return self.log.read_text()

    def wait_begun(self):
        wait_until(lambda: "Recording " in self.said() or self.process.poll() is not None)
        assert self.process.poll() is None, self.said()
        return self

    def end(self, how=signal.SIGINT):
        self.process.send_signal(how)
        return self.process.wait(30)

    def lines(self):
        return [json.loads(each) for each in self.path.read_text().splitlines()]


@pytest.fixture
def shop(tmp_path):
    with RedisServer(tmp_path) as redis:
        env = {"RESULT_URL": f"{redis.url[:-1]}1"}
        with Shop(tmp_path, redis.url, LIMITS, module="support.kinds_app", env=env, task_send_sent_event=True) as found:
            yield found


def send_at_random(shop, seconds):
    """Send messages at random moments, of limited tasks several at once; returns their ids."""
    rolled, sent = random.Random(13), []
    began, at = time.monotonic(), 0.0
    while (at := at + rolled.expovariate(5.0)) < seconds:
        time.sleep(max(0.0, began + at - time.monotonic()))
        roll, several = rolled.random(), range(1 + int(rolled.random() * 20))
        if roll < 0.55:
            sent.append(shop.send("free", 0.04))
        elif roll < 0.75:
            sent += [shop.send("paid", 0.02) for _ in several]
        elif roll < 0.9:
            user = SECRETS[int(rolled.random() * 3)]
            sent += [shop.send("user", user, 0.02) for _ in several]
        else:
            sent += [shop.send("report", 1.2, "nobody") for _ in several[:4]]
    return [each.id for each in sent]


def recorded(shop, name):
    """Record what is sent at random, and judge the recording; returns it, and what was seen of it."""
    recording = Recording(shop, name).wait_begun()
    sent = send_at_random(shop, 15.0)
    starts = shop.wait_for_each_once(sent)
    wait_until(lambda: len(shop.ends("report")) == len(shop.starts("report")))
    assert recording.end() == 0, recording.said()
    trace = read_trace(str(recording.path))
    assert trace.warnings == (f"{recording.path}: it is not complete, since it was stopped",)
    seen = list(trace.observed())
    assert len(seen) == len(sent)
    assert [each.task for each in starts] == [each.task for each in seen]  # in the order in which they were sent
    offset = time.monotonic() - (time.time() - trace.began)
    apart = sorted(abs(start.at - offset - each.start) for start, each in zip(starts, seen, strict=True))
    assert apart[len(apart) * 9 // 10] < 0.05
    assert not [secret for secret in (*SECRETS, "nobody") if secret in recording.path.read_text()]
    assert len({each.kwargs["user_id"] for each in trace.arrivals() if each.task == "user"}) == len(SECRETS)
    return trace, seen


@pytest.mark.quiet
def test_a_replay_of_what_was_recorded_agrees_with_it(shop):
    """A machine that is busy for a moment makes them differ; no chance makes them agree: so one of three must."""
    shop.start_workers(2)
    rules = load(str(shop.folder / "ratelimits.toml")).rules
    found = []
    for attempt in range(3):
        trace, seen = recorded(shop, f"{attempt}.trace")
        agreements = compare(play(rules, trace.scenario()), seen)
        assert {each.task for each in agreements} == {"", "free", "paid", "user", "report"}
        assert agreements[0].recorded.p95 > 0.5
        # Of a single task, which of two that wait comes first, and so when its last one starts, is chance.
        found.append(agreements[0])
        if agreements[0].holds:
            return
    pytest.fail(f"none of them agrees: {found}")


@pytest.mark.parametrize("pool", ["prefork", "threads"])
def test_each_message_is_recorded_however_it_ends(shop, pool):
    shop.start_worker("-P", pool)
    recording = Recording(shop).wait_begun()
    shop.wait_for_each([shop.send("other")])
    shop.send("other")  # which is dropped
    ways = ["returns", "raises", "retries", *(["hard", "killed"] if pool == "prefork" else [])]
    sent = [shop.app.send_task("varied", [each, 0.1], time_limit=LIMIT.get(each)) for each in ways]
    shop.wait_for_each([*sent, shop.send("llm", 50, 7)])
    later = shop.app.send_task("varied", ["returns"], countdown=300)
    wait_until(lambda: recording.path.read_text().count('"task"') == len(ways) + 4)
    assert recording.end() == 0, recording.said()
    _, *lines, tail = recording.lines()
    ran = sorted(each["seconds"] for each in lines if each["task"] == "varied" and "seconds" in each)
    assert len(ran) == len(ways) + 1  # one is tried again
    least = [0.1] * 4 + ([0.1 + HEARD, 1.0] if pool == "prefork" else [])
    assert [each for each, wanted in zip(ran, least, strict=True) if each < wanted or each > wanted + 1.0] == []
    assert sorted("start" in each for each in lines if each["task"] == "other") == [False, True]
    assert [each["kwargs"] for each in lines if each["task"] == "llm"] == [{"estimate": 50}]
    (waits,) = (each for each in lines if each["at"] > 200.0)
    assert "start" not in waits
    assert (tail["messages"], tail["started"], tail["refused"]) == (len(lines), len(lines) - 2, 0)
    shop.app.control.revoke(later.id)


def test_one_that_is_killed_leaves_nothing_on(shop):
    shop.start_worker()
    words = {"name": "another", "secret": "00", "seconds": 60.0}
    assert "ok" in ask(shop.app, "limitkit_record", **words)["w1@test"]
    refused = Recording(shop, "refused.trace")
    assert refused.process.wait(30) == 2
    assert refused.said() == (
        'limitkit: w1@test can\'t record: the recording "another" is under way; end that recording, or wait 20 s after '
        "it was killed\n"
    )
    assert not refused.path.exists()
    answers = ask(shop.app, "limitkit_record", **{**words, "seconds": 1.0})  # the last that it has said
    assert answers["w1@test"] == {"ok": "another", "processes": 2, "prefetch_multiplier": 4, "running": 0}
    wait_until(lambda: "ok" in ask(shop.app, "limitkit_record", **{**words, "name": "next"}).get("w1@test", {}))
    assert ask(shop.app, "limitkit_record", **{**words, "name": "next", "seconds": 0.0})["w1@test"] == {"ok": "next"}


def test_a_worker_that_starts_later_is_recorded_and_a_killed_recorder_leaves_a_trace(shop):
    shop.start_worker("-Q", "nothing")
    recording = Recording(shop).wait_begun()
    shop.start_worker("-Q", "celery", name="late")
    wait_until(lambda: shop.send("free") and '"free"' in recording.path.read_text())
    recording.end(signal.SIGKILL)
    trace = read_trace(str(recording.path))
    assert {each.task for each in trace.arrivals()} == {"free"}
    assert "its end is missing" in trace.warnings[0]


def test_what_a_worker_took_before_it_was_told_to_record_is_said(shop):
    """Celery's own way to say that a worker comes up is switched off in these workers."""
    shop.start_worker("-Q", "nothing")
    recording = Recording(shop).wait_begun()
    sent = [shop.send("free") for _ in range(5)]
    shop.start_worker("-Q", "celery", name="late")
    shop.wait_for_each_once([each.id for each in sent])
    wait_until(lambda: sent.append(shop.send("free")) or '"free"' in recording.path.read_text())
    shop.wait_for_each_once([each.id for each in sent])
    assert recording.end() == 1, recording.said()
    tail = recording.lines()[-1]
    missed = tail["unrecorded"]["late@test"]
    assert missed["started"] == len(sent) - tail["messages"] >= 5
    assert 0.0 < missed["seconds"] < 5.0
    assert (tail["complete"], tail["not_received"]) == (False, missed["started"])
    assert tail["why"].startswith("it was stopped; late@test was not recorded for ")
    assert "limitkit: late@test was not recorded for " in recording.said()
    assert "clock" not in recording.said()


def test_a_worker_that_says_that_it_comes_up_is_told_at_once(shop):
    shop.start_worker("-Q", "nothing")
    recording = Recording(shop).wait_begun()
    shop.heartbeats = True
    names = [f"late{number}" for number in range(3)]
    for name in names:
        shop.start_worker("-Q", "celery", name=name)
        shop.wait_for_each([shop.send("free")])
    shop.start_worker("-Q", "nothing", name="last")  # until it is up, the one before was told
    recording.end()
    tail = recording.lines()[-1]
    assert {each.split("@")[0] for each in tail["unrecorded"]} >= set(names)
    assert max(each["seconds"] for each in tail["unrecorded"].values()) < SOON
    assert tail["messages"] + sum(each["started"] for each in tail["unrecorded"].values()) == len(names)


def test_workers_that_replace_others_are_not_added_to_them(shop):
    """As when a deployment rolls."""
    shop.start_workers(2)
    recording = Recording(shop).wait_begun()
    for number, old in enumerate(list(shop.workers)):
        old.stop()
        shop.start_worker(name=f"new{number}")
    time.sleep(LONG)
    assert recording.end() == 0, recording.said()
    trace = read_trace(str(recording.path))
    assert len(trace.workers) == 4
    assert trace.scenario().workers == 2
    assert trace.workers["w2@test"].last > 2.0  # though it had nothing to tell
    assert recording.lines()[-1]["clocks"] == {}  # of the first that left, hardly more than its first event came
    assert "2 workers came and 2 went while it was recorded" in trace.warnings[-1]


@pytest.mark.parametrize("there", [False, True])
def test_it_takes_the_place_of_an_old_trace_once_it_records(shop, there):
    shop.start_worker()
    path = shop.folder / "t.trace"
    if there:
        path.write_text("old")
    recording = Recording(shop, "t.trace", "--force").wait_begun()
    assert "limitkit_trace" in path.read_text()
    assert recording.end() == 0, recording.said()
    assert not list(shop.folder.glob("*.part"))


def test_it_ends_when_the_file_is_full(shop):
    shop.start_worker()
    recording = Recording(shop, "t.trace", "--max-size", "100KB").wait_begun()
    shop.send_many(("free", ()) for _ in range(1_500))
    assert recording.process.wait(60) == 1
    assert recording.path.stat().st_size <= 100_000
    assert recording.lines()[-1]["why"] == "the file is full"
    assert "ended early, since the file is full" in recording.said()
    assert 400 < len(read_trace(str(recording.path))) <= 1_500
