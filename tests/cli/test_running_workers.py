"""What the commands say of two real workers that run meanwhile, on a real Redis; all of it is recorded in one go."""

import json
import os
import pty
import re
import subprocess
import sys

import pytest
from support.commands import CLI, Runner, compare
from support.servers import RedisServer
from support.workers import ROOT, Shop, wait_until

APP = ("-A", "runningapp")
RUNNING = (CLI / "running.toml").read_text()
OTHER = RUNNING.replace("1/h", "2/h").replace("burst = 100", "burst = 80")
REFUSED = RUNNING.replace("1/h", "1/hour")
EXAMPLES = (
    "drift_none",
    "drift",
    "drift_json",
    "status",
    "status_limit",
    "status_json",
    "top",
    "reload",
    "reload_refused",
    "set_worker",
    "set_worker_unknown",
    "set_worker_shared",
    "why_held",
    "why_paused",
    "why_parked",
    "why_runs",
    "why_reserved",
    "why_queued",
    "why_done",
    "why_unknown",
    "status_broken_file",
    "drift_broken_file",
    "status_missing_file",
)


class Scene:
    """A shop with two workers, of which the second has a file and a queue of its own."""

    def __init__(self, shop, runner):
        self.shop, self.runner, self.said = shop, runner, {}
        self.other = shop.folder / "other.toml"

    def record(self, name, *words):
        self.said[name] = self.runner.transcript(*words, *APP)

    def record_all(self):
        self.record("drift_none", "drift")
        done, *reports = [self.shop.send("reports.build").id for _ in range(5)]
        users = [self.shop.send("shop.user_api_request", user).id for user in (1, 1, 2)]
        self.wait_for({"limits.reports": 4, "tasks.shop.user_api_request": 1})
        self.change_limits()
        self.record("status", "status")
        self.record("top", "top")
        self.record("status_limit", "status", "shop.user_api_request")
        self.record("status_json", "status", "stripe_api", "--output-format", "json")
        self.record("drift", "drift")
        self.record("drift_json", "drift", "--output-format", "json")
        self.record("why_paused", "why", users[1])
        self.record_why(done, reports)

    def record_why(self, done, reports):
        free = [self.shop.send("free").id for _ in range(12)]
        runs, *reserved = wait_until(self.fetched)
        self.record("why_held", "why", reports[0])
        self.record("why_parked", "why", reports[-1])
        self.record("why_runs", "why", runs)
        self.record("why_reserved", "why", reserved[0])
        self.record("why_queued", "why", free[-1])
        self.record("why_done", "why", done)
        self.record("why_unknown", "why", "no-such-id")
        self.break_file()

    def break_file(self):
        """Have a file that can't be used, then none: the workers go on with what they have."""
        file = self.shop.folder / "ratelimits.toml"
        file.write_text(REFUSED)
        self.record("status_broken_file", "status")
        self.record("drift_broken_file", "drift")
        file.unlink()
        self.record("status_missing_file", "status", "stripe_api")

    def change_limits(self):
        self.other.write_text(OTHER)
        self.record("reload", "reload")
        self.other.write_text(REFUSED)
        self.record("reload_refused", "reload")
        self.record("set_worker", "set", "push.*", "1/s", "--worker", "w1@test")
        self.record("set_worker_unknown", "set", "push.*", "1/s", "--worker", "w9@test")
        self.record("set_worker_shared", "set", "stripe_api", "1/s", "--worker", "w1@test")
        self.shop.app.control.rate_limit("shop.charge_customer", "3/m", destination=["w1@test"])
        self.runner.run("set", "stripe_api", "10/s", "--reason", "429s", "--by", "eve", "--for", "2h", *APP)
        self.runner.run("pause", "shop.user_api_request", "--by", "ann", *APP)
        wait_until(lambda: not self.behind())

    def limits(self):
        done = self.runner.run("status", "--output-format", "json", *APP)
        return {each["limit"]: each for each in json.loads(done.stdout)["limits"]}

    def behind(self):
        """Say whether the first worker has not taken up yet what was set for all."""
        return any(each["apart"] for name, each in self.limits().items() if not name.startswith("tasks.push"))

    def wait_for(self, counts):
        """Wait until so many wait for each of these limits."""
        wait_until(lambda: _waits(self.limits(), counts) == counts)

    def fetched(self):
        """Return the ids of what runs in the first worker, and what comes next; nothing until it does."""
        inspect = self.shop.app.control.inspect(["w1@test"], timeout=1.0)
        active, reserved = ((getattr(inspect, name)() or {}).get("w1@test", ()) for name in ("active", "reserved"))
        runs = [each["id"] for each in active if each["name"] == "free"]
        waits = [each["id"] for each in reserved if each["name"] == "free" and each["id"] not in runs]
        return runs and waits and runs + waits


def _waits(limits, names):
    return {name: limits[name]["held"] + limits[name]["parked"] for name in names}


def test_status_counts_all_who_wait_wherever_they_do(scene):
    """What snapshots can't say, since it depends on the machine's pace who is held and who was parked."""
    rows = [
        re.split("  +", line) for line in scene.said["status"].splitlines() if line.startswith(("limits.", "tasks."))
    ]
    waits = {name: int(held) + int(parked) for name, _, _, _, held, parked, *_ in rows}
    assert (waits["limits.reports"], waits["tasks.shop.user_api_request"]) == (4, 1)
    assert waits["limits.stripe_api"] == 0


@pytest.fixture(scope="module")
def scene(tmp_path_factory):
    folder = tmp_path_factory.mktemp("running")
    gate = folder / "gate"
    environ = {"GATE": str(gate), "LIMITS_FILE": "ratelimits.toml", "PYTHONPATH": f"{ROOT}:{CLI}"}
    with RedisServer(folder) as server, Shop(folder, server.url, module="runningapp", env=environ) as shop:
        del shop.env["LIMITKIT_CONFIG"]
        for name in ("ratelimits.toml", "other.toml"):  # the shop has written one of its own
            (folder / name).write_text(RUNNING)
        shop.start_worker(concurrency=1, name="w1", wait=False)
        shop.start_worker("-Q", "other", concurrency=1, name="w2", env={"LIMITS_FILE": "other.toml"}).wait_ready()
        shop.workers[0].wait_ready()
        scene = Scene(shop, Runner(folder, BROKER_URL=server.url, LIMITS_FILE="ratelimits.toml", GATE=str(gate)))
        try:
            scene.record_all()
            yield scene
        finally:
            gate.touch()


@pytest.mark.parametrize("name", EXAMPLES)
def test_example(name, scene):
    compare("running", name, scene.said[name])


def test_each_snapshot_has_its_example():
    assert {file.stem for file in (CLI / "snapshots" / "running").glob("*.txt")} == {*EXAMPLES}


def test_top_goes_on_until_q(scene):
    leader, follower = pty.openpty()
    environ = {
        **os.environ,
        **scene.runner.environ,
        "PYTHONPATH": f"{ROOT}:{CLI}",
        "TERM": "xterm",
        "COLUMNS": "200",
        "LINES": "50",
    }
    command = [sys.executable, "-c", "from limitkit.cli import main; main()", "top", *APP]
    process = subprocess.Popen(
        command, stdin=follower, stdout=follower, stderr=follower, cwd=scene.shop.folder, env=environ
    )
    os.close(follower)
    said = b""
    while said.count(b"limits.stripe_api") < 2:  # it was drawn anew
        said += os.read(leader, 100_000)
    os.write(leader, b"q")
    while _more(leader):
        pass
    os.close(leader)
    assert process.wait(20) == 0
    assert b"q ends" in said


def _more(leader):
    try:
        return os.read(leader, 100_000)
    except OSError:  # nobody is at the other end any more
        return b""


def test_a_broken_file_hides_nothing_from_programs(scene):
    (scene.shop.folder / "ratelimits.toml").write_text(REFUSED)
    said = scene.runner.run("status", "--output-format", "json", *APP)
    assert said.returncode == 1
    told = json.loads(said.stdout)
    assert (told["digest"], [each["code"] for each in told["problems"]]) == (None, ["LK012"])
    assert [each["path"] for each in told["workers"]] == ["ratelimits.toml", "other.toml"]
    limits = {each["limit"]: each for each in told["limits"]}
    assert limits["limits.stripe_api"]["in_force"] == {"rate": "10/s", "burst": 100, "source": "override"}
    assert limits["tasks.shop.user_api_request"]["in_force"]["rate"] == "paused"
    drift = scene.runner.run("drift", "--output-format", "json", *APP)
    assert drift.returncode == 1
    kinds = [each["kind"] for each in json.loads(drift.stdout)["drift"]]
    assert {"broken file", "other file", "override", "pause", "cap"} <= set(kinds)
    nobody = scene.runner.run("status", "nobody", *APP)
    assert nobody.returncode == 2
    assert b"no worker has said that it has a limit" in nobody.stderr


def test_no_worker_answers(scene, tmp_path):
    (tmp_path / "ratelimits.toml").write_text(RUNNING)
    with RedisServer(tmp_path) as server:
        alone = Runner(tmp_path, BROKER_URL=server.url, LIMITS_FILE="ratelimits.toml", GATE="")
        for name, what in (("drift", "it is not known what runs"), ("reload", "none has loaded the file")):
            done = alone.run(name, *APP)
            assert (done.returncode, done.stdout) == (2, b"")
            assert done.stderr.decode() == f"limitkit: no worker answered, so {what}; start one\n"
