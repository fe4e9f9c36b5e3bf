"""What the commands and the metrics say of slots and true costs of tasks that run in a real worker."""

import json

import pytest
from support.commands import CLI, Runner
from support.scrape import scrape
from support.servers import RedisServer, free_port
from support.workers import ROOT, Shop, wait_until

APP = ("-A", "shownapp")


@pytest.fixture(scope="module")
def port():
    return free_port()


@pytest.fixture(scope="module")
def scene(tmp_path_factory, port):
    """Return what runs the commands, and the ids of what waits: three reports run, and one task of each worker."""
    folder = tmp_path_factory.mktemp("kinds")
    env = {"GATE": str(folder / "gate"), "PYTHONPATH": f"{ROOT}:{CLI}", "LIMITKIT_METRICS_PORT": str(port)}
    with RedisServer(folder) as server, Shop(folder, server.url, module="shownapp", env=env) as shop:
        del shop.env["LIMITKIT_CONFIG"]
        (folder / "shown.toml").write_text((CLI / "shown.toml").read_text())
        shop.start_worker(concurrency=5, name="w1")
        shop.send("llm.ask", 10)
        ids = {name: [shop.send(name).id for _ in range(count)] for name, count in COUNTS.items()}
        runner = Runner(folder, BROKER_URL=server.url, GATE=env["GATE"])
        wait_until(lambda: _running(runner) == {"limits.reports": 3, "limits.disk": 1})
        try:
            yield runner, ids
        finally:
            (folder / "gate").touch()


COUNTS = {"reports.build": 5, "disk.write": 2}


def _limits(runner):
    return {
        each["limit"]: each
        for each in json.loads(runner.run("status", "--output-format", "json", *APP).stdout)["limits"]
    }


def _running(runner):
    return {name: each["running"] for name, each in _limits(runner).items() if each["running"]}


def test_status_counts_what_runs_and_what_waits(scene):
    runner, _ = scene
    limits = _limits(runner)
    reports, disk = limits["limits.reports"], limits["limits.disk"]
    assert (reports["running"], reports["held"] + reports["parked"]) == (3, 2)
    assert reports["oldest_running_seconds"] > 0
    assert (disk["running"], disk["held"] + disk["parked"]) == (1, 1)
    said = runner.run("status", *APP).stdout.decode()
    assert "3 of 3 run" in said
    assert "1 run" in said


@pytest.mark.parametrize(
    ("task", "slot"),
    [
        ("reports.build", "waits for a slot of limits.reports (3 at once): 3 of 3 run, the oldest for "),
        ("disk.write", "waits for a slot of limits.disk (1 at once): 1 of 1 run, "),
    ],
)
def test_why_names_the_slot_that_it_waits_for(task, slot, scene):
    runner, ids = scene
    said = runner.run("why", ids[task][-1], *APP).stdout.decode()
    assert said.startswith(f"{task} {slot}")
    assert "starts when a slot is free" in said


def test_a_file_that_cannot_be_used_hides_no_kind(scene):
    runner, _ = scene
    file = runner.folder / "shown.toml"
    text = file.read_text()
    try:
        file.write_text(text.replace("max_running = 3", "max_running = 0"))
        said = runner.run("status", *APP).stdout.decode()
    finally:
        file.write_text(text)
    rows = {line.split()[0]: line for line in said.splitlines() if line.startswith("limits.")}
    assert "3 at once" in rows["limits.reports"]
    assert "3 run" in rows["limits.reports"]
    assert "15000/d in a window" in rows["limits.daily"]
    assert "limits.mail" in rows, "a limit of a queue alone"


def test_metrics_of_the_worker(scene, port):
    seen = scrape(port)
    assert (seen["slots_running", "reports"], seen["slots_limit", "reports"]) == (3, 3)
    assert (seen["slots_running", "disk"], seen["slots_limit", "disk"]) == (1, 1)
    assert (seen["slots_running", "exports"], seen["slots_limit", "exports"]) == (0, 2)
    assert seen["leases_lost_total", "reports"] == 0
    assert not [name for name in ("declared_rate", "utilization_ratio") if (name, "reports") in seen]
    wait_until(lambda: scrape(port)["tokens_estimated_total", "openai"] == 10)
    assert scrape(port)["tokens_settled_total", "openai"] == 7
