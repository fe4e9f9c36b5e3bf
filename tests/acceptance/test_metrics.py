"""Metrics of real workers: each is moved by what it is about, and by nothing else."""

import contextlib
import json
import subprocess
import time
from collections import Counter
from pathlib import Path
from types import SimpleNamespace

import pytest
from support.scene import Scene, config, limit
from support.scrape import scrape, scrape_until, text_of
from support.servers import free_port
from support.workers import wait_until

from limitkit.buckets.override import Override, Target
from limitkit.config.model.units import parse_rate
from limitkit.metrics import families
from limitkit.stores.overrides import OverrideStore
from limitkit.stores.redis import RedisStore

pytestmark = pytest.mark.quiet  # some are parked only where a worker fetches faster than it starts

LIMITS = config(
    limit("paid", "20/s", burst=5),
    limit("slow", "2/s", strategy="static"),
    limit("user", "1/s", strategy="per_user", key="user_id"),
    limit('"late.*"', "1/s"),
    limit("dropped", "1/h") + 'on_limit = "drop"\n',
    limit("failed", "1/h") + 'on_limit = "fail"\n',
    limit("ghost", "1/h") + 'mode = "shadow"\n',
    """
[limits.partner]
strategy = "token_bucket"
rate = "50/s"

[limits.partner.feedback]
on = ["re:slow down"]
resend = false

[tasks.refused]
limits = ["partner"]
""",
)


def shown_on(port):
    return f"\n[metrics]\nport = {port}\n"


@pytest.fixture(scope="module")
def scene():
    """One prefork worker, whose store is apart from its broker."""
    port = free_port()
    with Scene(LIMITS + shown_on(port), own_store=True, module="support.seen_app") as scene:
        scene.port = port
        scene.signals = scene.shop.folder / "signals"
        scene.signals.touch()
        scene.worker = scene.shop.start_worker("-E", env={"SIGNAL_LOG": str(scene.signals)})
        scene.fresh = scrape(port)
        yield scene


RUSH = {"paid": 100, "free": 20, "slow": 5, "user": 8}


@pytest.fixture(scope="module")
def rush(scene):
    """Many tasks at once, and what is shown before, meanwhile, and afterwards."""
    before = scrape(scene.port)
    started = Counter(start.task for start in scene.shop.starts())
    tasks = [(task, (f"u{number % 4}",) if task == "user" else ()) for task in RUSH for number in range(RUSH[task])]
    ids = scene.send(tasks)
    busy = scrape_until(scene.port, lambda seen: seen["held", "paid"] > 0 and seen["parked", "paid"] > 0)
    scene.wait_for(started + Counter(RUSH))
    limited = ("paid", "slow", "user")
    after = scrape_until(
        scene.port, lambda seen: sum(seen.since(before).outcome(task, "started") for task in limited) == 113
    )
    return SimpleNamespace(ids=set(ids), busy=busy, after=after, grown=after.since(before))


def told(scene, name):
    lines = [json.loads(line) for line in scene.signals.read_text().splitlines()]
    return [(sender, said) for signal, sender, said, _ in lines if signal == name]


def test_what_is_known_in_advance_is_shown_as_zero(scene):
    shown = scene.fresh
    for task in ("paid", "slow", "user", "late.one"):
        assert shown["hits_total", task] == shown["retries_total", task] == 0
        for word in ("started", "held", "parked"):
            assert shown.outcome(task, word) == 0
        assert shown["starts_total", task] == shown["held", task] == shown["parked", task] == 0
    assert shown.outcome("dropped", "dropped") == shown.outcome("failed", "failed") == 0
    assert shown["rate", "paid", "file"] == shown["declared_rate", "paid"] == 20
    assert shown["degraded",] == shown["config_refused",] == 0
    assert ("hits_total", "free") not in shown
    missing = [each.shown for each in families.WORKER if f"# TYPE {each.shown} {each.kind}\n" not in shown.text]
    assert not missing


def test_starts_and_waits_are_counted_as_they_happen(scene, rush):
    assert rush.busy["near_limit", "paid"] == 1
    seen = rush.grown
    for task in ("paid", "slow", "user"):
        count = RUSH[task]
        assert seen.outcome(task, "started") == seen["starts_total", task] == count
        assert seen["wait_seconds_count", task] == count
        assert seen["hits_total", task] >= seen.outcome(task, "held") > 0
    assert seen["hits_total", "paid"] >= 90
    assert seen["hits_total", "slow"] == 4
    assert seen["hits_total", "user"] == 4
    assert seen.outcome("paid", "parked") > 0
    assert 5 / 20 * 100 < seen["wait_seconds_sum", "paid"] < 5 * 100
    # One that is so late that its tokens are stale takes new ones at its start, and counts no lateness.
    assert 60 <= seen["start_lateness_seconds_count",] <= 113
    assert seen["start_lateness_seconds_sum",] / seen["start_lateness_seconds_count",] < 0.25
    assert seen["store_call_seconds_count",] > 10
    assert seen["store_errors_total",] == seen.outcome("paid", "failed_open") == 0
    assert 0.0 < rush.after["utilization_ratio", "paid"] <= 1.5
    assert (
        scrape_until(scene.port, lambda seen: seen["held", "paid"] == seen["parked", "paid"] == 0)["near_limit", "user"]
        == 0
    )


def test_a_throttled_task_is_reported_by_signals_and_none_of_them_harms(scene, rush):
    throttled, admitted, parked = (
        [(sender, said) for sender, said in told(scene, f"task_{word}") if said["task_id"] in rush.ids]
        for word in ("throttled", "admitted", "parked")
    )
    assert len([1 for sender, _ in throttled if sender == "paid"]) == rush.grown["hits_total", "paid"]
    assert len([1 for sender, _ in parked if sender == "paid"]) == rush.grown.outcome("paid", "parked")
    ids = {said["task_id"] for sender, said in admitted if sender == "paid"}
    assert len(ids) == len([1 for sender, _ in admitted if sender == "paid"]) == 100
    assert {said["limit"] for sender, said in throttled if sender == "paid"} == {"paid"}
    assert all(set(said) == {"task_id", "limit", "wait"} for _, said in throttled + parked)
    # Longer than what is held: those that are parked. How much longer, the pace of the sender says.
    assert 2 < max(said["wait"] for sender, said in throttled if sender == "paid") < 10
    assert "a receiver's own fault" in scene.worker.output()


def test_what_may_not_wait_is_counted_as_dropped_or_failed(scene):
    scene.send([("dropped", ())] * 4 + [("failed", ())] * 3)
    seen = scrape_until(
        scene.port, lambda seen: seen.outcome("dropped", "dropped") == 3 and seen.outcome("failed", "failed") == 2
    )
    assert seen["hits_total", "dropped"] == 3
    assert seen["hits_total", "failed"] == 2
    assert seen.outcome("dropped", "started") == seen.outcome("failed", "started") == 1


def test_what_a_pool_process_sends_back_is_counted_once(scene):
    before = scene.sent_back()
    scene.send([("late.one", ())] * 4)
    scene.wait_for({"late.one": 4})
    seen = scrape_until(scene.port, lambda seen: seen.outcome("late.one", "started") == 4)
    assert seen["retries_total", "late.one"] == scene.sent_back() - before > 0
    assert seen["starts_total", "late.one"] == 4


def test_what_would_have_waited_in_shadow_mode(scene):
    scene.send([("ghost", ())] * 3)
    scene.wait_for({"ghost": 3})
    seen = scrape_until(scene.port, lambda seen: seen.outcome("ghost", "shadowed") == 2)
    assert seen["shadow_wait_seconds_count", "ghost"] == 2
    assert seen["shadow_wait_seconds_sum", "ghost"] > 3600
    assert seen["hits_total", "ghost"] == 0


def test_the_other_side_says_slow_down(scene):
    assert scrape(scene.port)["feedback_total", "slow", "partner"] == 0
    scene.send([("refused", ())])
    scrape_until(scene.port, lambda seen: seen["feedback_total", "slow", "partner"] == 1)


def test_rates_that_are_set_at_run_time(scene):
    before, known = scrape(scene.port), len(told(scene, "limit_changed"))
    assert not [key for key in before if key[0].startswith("override")]
    with contextlib.closing(RedisStore(scene.store.url, 5.0)) as store:
        override_store = OverrideStore(store, "limitkit")
        slower = Override(target=Target("tasks", "paid"), kind="rate", rate=parse_rate("5/s"), by="eve")
        pause = Override(target=Target("limits", "partner"), kind="pause")
        override_store.post([(slower, 600.0), (pause, None)])
        scene.shop.app.control.rate_limit("slow", "4/s")
        seen = scrape_until(
            scene.port, lambda seen: ("rate", "paid", "override") in seen and ("rate", "slow", "control") in seen
        )
        assert seen["rate", "paid", "override"] == seen["override_rate", "paid"] == 5
        assert seen["override_end_timestamp_seconds", "paid"] == pytest.approx(time.time() + 600, abs=60)
        assert seen["rate", "partner", "pause"] == seen["override_rate", "partner"] == 0
        assert ("override_end_timestamp_seconds", "partner") not in seen
        assert seen["rate", "slow", "control"] == 4
        assert seen["declared_rate", "paid"] == 20
        changed = wait_until(lambda: (new := told(scene, "limit_changed")[known:]) and len(new) >= 2 and new)
        assert {sender: (said["rate"], said["source"]) for sender, said in changed} == {
            "paid": (5.0, "override"),
            "partner": (0.0, "pause"),
        }
        override_store.post([], [slower.name, pause.name])
        scene.shop.app.control.rate_limit("slow", "0")
        back = [("rate", name, "file") for name in ("paid", "slow", "partner")]
        scrape_until(scene.port, lambda seen: all(key in seen for key in back))


def test_a_store_that_is_gone_and_comes_back(scene):
    before, started, sent = scrape(scene.port), len(scene.shop.times("paid")), len(scene.sent)
    scene.store.stop()
    scene.send([("paid", ())] * 20)
    scene.wait_for({"paid": started + 20})
    gone = scrape_until(scene.port, lambda seen: seen.since(before).outcome("paid", "failed_open") == 20)
    assert gone["degraded",] == 1
    grown = gone.since(before)
    assert grown["store_errors_total",] > 0
    assert grown.outcome("paid", "started") == 0
    assert grown["starts_total", "paid"] == 20
    scene.store.start()
    scene.send([("paid", ())])
    scene.wait_for({"paid": started + 21})

    def again(seen):
        scene.send([("paid", ())])
        return not seen["degraded",]

    scrape_until(scene.port, again)
    sent = len(scene.sent) - sent
    scene.wait_for({"paid": started + sent})
    scrape_until(scene.port, lambda seen: seen.since(before)["starts_total", "paid"] == sent)
    assert [sender for sender, _ in told(scene, "store_failed")] == [None]
    assert len(told(scene, "store_recovered")) == 1


def test_a_file_that_changes_and_one_that_is_wrong(scene):
    file = scene.shop.folder / "ratelimits.toml"
    good = file.read_text()
    before = scrape(scene.port)
    file.write_text(good.replace('rate = "20/s"', 'rate = "40/s"'))
    seen = scrape_until(scene.port, lambda seen: seen["config_reloads_total",] == 1)
    assert seen["rate", "paid", "file"] == seen["declared_rate", "paid"] == 40
    assert seen["config_hash",] != before["config_hash",]
    assert before["config_timestamp_seconds",] < seen["config_timestamp_seconds",] <= time.time()
    faster = ("paid", {"rate": 40.0, "burst": 5, "source": "file", "ends": None})
    wait_until(lambda: told(scene, "limit_changed")[-1] == faster)
    assert told(scene, "config_reloaded") == [(str(file), {})]
    file.write_text(good + "nonsense")
    seen = scrape_until(scene.port, lambda seen: seen["config_reload_failures_total",] == 1)
    assert seen["config_refused",] == seen["config_reloads_total",] == 1
    file.write_text(good)
    scrape_until(scene.port, lambda seen: seen["rate", "paid", "file"] == 20)


def test_promtool_finds_nothing_to_say(scene, need_promtool):
    checked = subprocess.run(
        [need_promtool, "check", "metrics"], input=text_of(scene.port), text=True, capture_output=True, check=False
    )
    assert (checked.returncode, checked.stdout, checked.stderr) == (0, "", "")


def test_nothing_is_shown_in_a_pool_process(scene):
    """Its port is the main process's alone, or a worker that is started again could not have it."""
    children = subprocess.run(
        ["ps", "-o", "pid=", "--ppid", str(scene.worker.process.pid)], text=True, capture_output=True, check=True
    ).stdout.split()
    listening = f"{scene.port:04X} 00000000:0000 0A"
    assert len(children) >= 2
    inode = next(line.split()[9] for line in Path("/proc/net/tcp").read_text().splitlines() if listening in line)
    for pid in children:
        links = subprocess.run(["ls", "-l", f"/proc/{pid}/fd"], text=True, capture_output=True, check=True).stdout
        assert f"socket:[{inode}]" not in links
