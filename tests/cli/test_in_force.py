"""What is in force now is what all commands say, whoever has set it: without a worker, on a real Redis."""

import fcntl
import json
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from contextlib import closing
from pathlib import Path

import pytest
import redis
from rich.cells import cell_len
from support.commands import CLI, Runner
from support.parked import filling
from support.servers import RedisServer
from support.workers import ROOT

from limitkit.buckets.decision import Bucket, Refusal
from limitkit.config.declared import Feedback
from limitkit.config.load import load
from limitkit.stores.redis import RedisStore

TOML = """
version = 1

[limits.paused]
strategy = "token_bucket"
rate = "1/s"
feedback = { on = ["partner.SlowDown"], action = "pause" }

[limits.slow]
strategy = "token_bucket"
rate = "10/s"
burst = 10
feedback = { on = ["partner.SlowDown"] }

[tasks."shop.charge_customer"]
limits = ["paused"]

[tasks."reports.build"]
limits = ["slow"]

[tasks."shop.user_api_request"]
strategy = "per_user"
rate = "1/s"
key = "user_id"
feedback = { on = ["partner.SlowDown"] }

[tasks."push.*"]
strategy = "token_bucket"
rate = "2/s"

[tasks.free]
strategy = "token_bucket"
rate = "1/m"
mode = "MODE"
"""
FEEDBACK = Feedback("x", ("partner.SlowDown",))
APP = ("-A", "runningapp")
TASKS = {
    "paused": "shop.charge_customer",
    "slow": "reports.build",
    "user": "shop.user_api_request",
    "push": "push.send",
}


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with RedisServer(tmp_path_factory.mktemp("redis")) as server:
        yield server


@pytest.fixture
def folder(tmp_path, server):
    """A folder with a file: the other side has just paused one limit of it, and slowed down another and a partition."""
    with redis.Redis.from_url(server.url) as client:
        client.flushdb()
    file = tmp_path / "ratelimits.toml"
    file.write_text(f'{TOML.replace("MODE", "shadow")}\n[store]\nurl = "{server.url}"\n')
    rules = load(file).rules
    limits = {name: rules.for_task(task).limits[0] for name, task in TASKS.items()}
    with filling(server.url, ("celery",)) as filler:
        for name, task in TASKS.items():
            value = {"value": 1} if name == "user" else {}
            filler.park(limits[name], task, [1], count=19, turn=1.0, **value)
            filler.park(limits[name], task, [1], turn=1.0, task_id=f"{name}-20", **value)
    (digest,) = _digests(server)
    with closing(RedisStore(server.url, 5.0)) as store:
        for key, action, wait in (
            ("limitkit:{paused}:g1", "pause", 600.0),
            ("limitkit:{slow}:g1", "slow", None),
            (f"limitkit:{{task=shop.user_api_request}}:g1:{digest}", "slow", 600.0),
        ):
            burst = 10 if "slow" in key else 1
            told = Feedback("x", ("partner.SlowDown",), action)
            store.back_off(Refusal(Bucket(key, 1_000_000 // burst, burst, feedback=told), 0.0, wait))
    return tmp_path


def _digests(server):
    with redis.Redis.from_url(server.url) as client:
        names = b" ".join(client.zrange("limitkit:waiting:line:celery", 0, -1))
    return {each.decode() for each in re.findall(rb"g1:([0-9a-f]{32})", names)}


@pytest.fixture
def runner(server, folder):
    return Runner(folder, BROKER_URL=server.url, LIMITS_FILE="ratelimits.toml", GATE="")


@pytest.fixture
def by_hand(runner):
    """Pause a limit by hand, and set the rate of none, for as long as a test takes."""
    assert runner.run("pause", "push.*", "--by", "ann", "--reason", "disk is full").returncode == 0
    yield
    assert runner.run("restore").returncode == 0


def limits(runner, *words):
    said = json.loads(runner.run("status", "--output-format", "json", *words).stdout)
    return {each["limit"]: each for each in said["limits"]}


def test_status_says_what_the_other_side_has_done(runner):
    said = limits(runner, *APP)
    paused, slow, user = (said[name] for name in ("limits.paused", "limits.slow", "tasks.shop.user_api_request"))
    assert paused["in_force"] == {"rate": "paused", "burst": 0, "source": "feedback"}
    assert 590 < paused["drain_seconds"] <= 620
    assert (paused["tokens"], paused["parked"]) == (0.0, 20)
    assert "the other side has refused, until " in paused["why"][0]
    assert slow["in_force"]["source"] == "feedback"
    assert slow["slowed"] == slow["in_force"]["rate"] != "10/s"
    assert 2.0 < slow["drain_seconds"] < 2.5
    assert "the other side has refused" in slow["why"][0]
    assert user["in_force"]["rate"] == "1/s", "another partition has it"
    assert 600 < user["drain_seconds"] < 640
    assert user["partitions"][0]["in_force"] == "paused"
    assert user["why"] == ["1 of its partitions is paused: the other side has refused"]
    text = runner.run("status", *APP).stdout.decode()
    assert re.search(r"limits\.paused +1/s, burst 1 +paused .*paused: the other side has refused, until ", text)
    assert re.search(r"limits\.slow +10/s, burst 10 +9\.?\d*/s, burst [89] .*slowed down to 9", text)


def test_waiting_says_when_it_really_starts(runner, by_hand):
    said = json.loads(runner.run("waiting", "--output-format", "json", *APP).stdout)
    seconds = {each["limit"]: each["drain_seconds"] for each in said["limits"]}
    assert 590 < seconds["paused"] <= 620
    assert 2.0 < seconds["slow"] < 2.5
    assert 600 < seconds["shop.user_api_request"] < 640
    assert seconds["push.send"] is None, "until it is resumed"
    text = runner.run("waiting", *APP).stdout.decode()
    assert re.search(
        r"push\.send .* not while paused .*paused for push\.\* by ann: disk is full, until it is resumed", text
    )
    assert re.search(r"paused .* 9m 5\ds|10m .* paused: the other side has refused", text)
    one = runner.run("waiting", "push.send", *APP).stdout.decode()
    assert "not while paused" in one
    assert runner.run("set", "slow", "1/s").returncode == 0
    said = json.loads(runner.run("waiting", "slow", "--output-format", "json", *APP).stdout)
    assert said["limits"][0]["drain_seconds"] == pytest.approx(20, abs=3)


def test_why_says_when_it_really_starts(runner, by_hand):
    paused = runner.run("why", "paused-20", *APP).stdout.decode()
    assert "waits for limits.paused (paused: the other side has refused, until " in paused
    assert re.search(r"and starts in about (9m 5\ds|10m[ \d]*s?)\.\n", paused)
    assert "limits.slow (slowed down to 9" in runner.run("why", "slow-20", *APP).stdout.decode()
    user = runner.run("why", "user-20", *APP).stdout.decode()
    assert "paused" in user.splitlines()[0]
    assert re.search(r"starts in about (9m|10m)", user)
    push = runner.run("why", "push-20", *APP).stdout.decode()
    assert "(paused by ann: disk is full)" in push
    assert "does not start while that is paused, until it is resumed" in push


def test_explain_says_what_holds_now_in_place_of_what_is_declared(runner, by_hand):
    text = runner.run("explain", "shop.charge_customer", *APP).stdout.decode()
    assert "In force now for paused: paused: the other side has refused, until " in text
    assert "In force now for slow: slowed down to 9" in runner.run("explain", "reports.build", *APP).stdout.decode()
    push = runner.run("explain", "push.send", *APP).stdout.decode()
    assert "In force now for its own limit: paused for push.* by ann: disk is full, until it is resumed.\n" in push
    assert "In force now" not in runner.run("explain", "push.send").stdout.decode(), (
        "without an app it is what is declared"
    )


def test_the_exporter_says_it_too(runner, by_hand):
    text = runner.run("exporter", "--once", *APP).stdout.decode()
    shown = dict(re.findall(r'celery_rate_limit_(cluster_\w+\{limit="[\w.]+"\}) (\S+)\n', text))
    assert shown['cluster_rate{limit="paused"}'] == "0.0"
    assert 8.9 < float(shown['cluster_rate{limit="slow"}']) < 10.0
    assert shown['cluster_burst{limit="slow"}'] in ("8.0", "9.0")
    assert 590 < float(shown['cluster_drain_seconds{limit="paused"}']) <= 620
    assert 600 < float(shown['cluster_drain_seconds{limit="shop.user_api_request"}']) < 640
    assert shown['cluster_drain_seconds{limit="push.send"}'] == "+Inf"
    assert float(shown['cluster_tokens{limit="paused"}']) <= 0


@pytest.mark.parametrize("mode", ["shadow", "off"])
def test_a_limit_that_delays_nobody_is_not_in_force(runner, folder, mode):
    file = Path(folder / "ratelimits.toml")
    text = file.read_text()
    file.write_text(re.sub('"(shadow|off)"', f'"{mode}"', text))
    free = limits(runner, *APP)["tasks.free"]
    file.write_text(text)
    assert free["in_force"] == {"rate": mode, "burst": 0, "source": "mode"}
    assert (free["started_last_minute"], free["tokens"]) == (None, None)
    assert mode in free["why"][0]


def _screen(runner, width, height, *words):
    """Return what a command shows on a terminal of this size; ``top`` is ended once it has drawn."""
    leader, follower = pty.openpty()
    fcntl.ioctl(follower, termios.TIOCSWINSZ, struct.pack("HHHH", height, width, 0, 0))
    environ = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES", "NO_COLOR")}
    environ |= {**runner.environ, "PYTHONPATH": f"{ROOT}:{CLI}", "TERM": "xterm"}
    command = [sys.executable, "-m", "limitkit", *words]
    process = subprocess.Popen(
        command, stdin=follower, stdout=follower, stderr=follower, cwd=runner.folder, env=environ
    )
    os.close(follower)
    said = b""
    while piece := _more(leader):
        said += piece
        if words[0] == "top" and b"q ends" in said and said.rstrip().endswith(b"shows them"):
            os.write(leader, b"q")
    os.close(leader)
    assert process.wait(30) == 0
    plain = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", said.decode())
    return [line for line in re.split(r"\r?\n|\r", plain) if line]


def _more(leader):
    try:
        return os.read(leader, 100_000)
    except OSError:  # nobody is at the other end any more
        return b""


@pytest.mark.parametrize("words", [("status", *APP), ("waiting", *APP), ("status", "shop.user_api_request", *APP)])
@pytest.mark.parametrize("width", [40, 80])
def test_a_table_on_a_terminal_is_no_wider_and_says_what_is_left_out(runner, width, words):
    lines = _screen(runner, width, 24, *words)
    table = lines[lines.index(next(line for line in lines if line.startswith(("limit ", "queue ")))) :]
    assert all(cell_len(line) <= width for line in table)
    assert any("refused" in line for line in table), "the reason is below its row"
    if width == 40 or words[0] == "status":
        assert "Not shown, since this window is too narrow" in " ".join(table)


def test_top_on_a_small_terminal_says_what_it_leaves_out(runner):
    for width, height in ((80, 10), (40, 12)):
        lines = _screen(runner, width, height, "top", *APP)
        assert all(cell_len(line) <= width for line in lines)
        assert any(re.match(r"\d+ more lines: a higher window shows them", line) for line in lines)
