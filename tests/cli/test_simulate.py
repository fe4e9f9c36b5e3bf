"""The command simulate, with what is really played."""

import json
import os
import subprocess
import sys

import pytest
from support.commands import CLI, Runner, compare
from support.workers import ROOT

from limitkit.trial.test_file.read import read_scenario

FOLDER = CLI / "trial"


@pytest.fixture
def run():
    return lambda *arguments, **environ: Runner(FOLDER, **environ).run("simulate", *arguments)


def values(done):
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def as_json(run, *arguments):
    return values(run(*arguments, "--output-format", "json"))


def test_a_scenario_is_played_and_shown():
    said = Runner(FOLDER).transcript("simulate", "campaign.toml", "--no-chart")
    compare("simulate", "campaign", said, mask=str)


def test_charts_come_with_it_unless_nobody_wants_them(run):
    assert "gateway: starts a second" in run("campaign.toml", COLUMNS="80").stdout.decode()
    assert "starts a second" not in run("campaign.toml", "--no-chart").stdout.decode()


def test_what_is_left_to_chance_is_decided_by_the_seed(run):
    first, same, other = (as_json(run, "campaign.toml", "--seed", seed) for seed in "778")
    assert first == same
    assert first["all"]["sent"] == other["all"]["sent"] == 355
    assert first["seed"] == 7
    assert other["all"]["lost"] == 0


def test_workers_and_processes_can_be_others(run):
    found = as_json(run, "campaign.toml", "--workers", "5", "--processes", "2")
    assert (found["workers"], found["processes"], len(found["by_worker"])) == (5, 2, 5)


def test_a_worker_that_is_not_there_can_t_be_stopped(run):
    done = run("campaign.toml", "--workers", "1")
    assert done.returncode == 2
    assert b'something happens to "worker-2", and there is 1 worker; raise --workers, or take it out of' in done.stderr


@pytest.mark.parametrize(("kind", "times"), [("kill", 1), ("stop", 0)])
def test_what_a_killed_worker_ran_is_said_to_be_lost(run, tmp_path, kind, times):
    file = tmp_path / "a.toml"
    file.write_text(f'[[send]]\ntask = "a"\n[[fault]]\nat = "1s"\n{kind} = "worker-1"\n')
    said = run(str(file), "--no-chart", "--config", "ratelimits.toml").stdout.decode()
    assert said.count("with acks_late it would start again") == times


def test_the_config_may_be_another(run, tmp_path):
    (tmp_path / "slow.toml").write_text((FOLDER / "ratelimits.toml").read_text().replace("20/s", "10/s"))
    slow = as_json(run, "campaign.toml", "--config", str(tmp_path / "slow.toml"))
    assert slow["limits"][0]["declared"]["rate"] == "10/s"
    assert slow["all"]["drained_at"] > as_json(run, "campaign.toml")["all"]["drained_at"] + 10


def test_the_first_test_of_a_test_file_is_played_or_the_one_that_is_named(run):
    done = run("shop.limits.toml", "--output-format", "json")
    assert values(done)["all"]["sent"] == 1
    assert b'shop.limits.toml has 2 tests; "one receipt" is played; --test names another' in done.stderr
    assert as_json(run, "shop.limits.toml", "--test", "two receipts")["all"]["sent"] == 2


@pytest.mark.parametrize("name", ["-", "/dev/stdin"])
@pytest.mark.parametrize("kind", ["simulate", "test", "plan"])
def test_what_a_shell_passes_is_played_under_the_config_of_the_working_folder(kind, name, tmp_path):
    (tmp_path / "old.toml").write_text((FOLDER / "ratelimits.toml").read_text().replace("20/s", "10/s"))
    arguments = {
        "simulate": ["simulate", name, "--no-chart"],
        "test": ["test", name],
        "plan": ["plan", str(tmp_path / "old.toml"), "ratelimits.toml", "--scenario", name],
    }[kind]
    text = (FOLDER / ("shop.limits.toml" if kind == "test" else "campaign.toml")).read_bytes()
    command = [sys.executable, "-m", "limitkit", *arguments]
    environ = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=FOLDER, env=environ, input=text, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    says = {"simulate": f"{name} under ratelimits.toml: 355 messages", "test": "2 tests: 2 held", "plan": "emails."}
    assert says[kind] in done.stdout.decode()


def test_a_pipe_in_a_folder_without_a_config_is_told_where_it_was_looked_for(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "limitkit", "simulate", "-"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        input=b'[[send]]\ntask = "a"\n',
        capture_output=True,
        check=False,
    )
    assert done.returncode == 2
    assert b"there is no ratelimits.toml in the working folder or in a folder above" in done.stderr


def test_a_recording_is_played_with_its_own_times(run):
    recorded = CLI / "plan_files" / "morning.trace"
    done = run("--trace", str(recorded), "--output-format", "json")
    found = values(done)
    assert found["recorded"]
    assert found["all"]["sent"] == len(recorded.read_text().splitlines()) - 2, "all lines but the first and the last"
    assert "Tasks run as long as they did when they were recorded." in found["not_known"]


@pytest.mark.parametrize("hash_seed", ["1", "2"])
def test_the_output_does_not_depend_on_the_order_of_sets(run, hash_seed):
    arguments = ["simulate", "campaign.toml", "--output-format", "json", "--seed", "3"]
    environ = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONHASHSEED": hash_seed}
    command = [sys.executable, "-m", "limitkit", *arguments]
    done = subprocess.run(command, cwd=FOLDER, env=environ, capture_output=True, check=True)
    assert done.stdout == run(*arguments[1:]).stdout


def test_a_picture_is_drawn(run, tmp_path):
    file = tmp_path / "out.svg"
    assert run("campaign.toml", "--plot", str(file)).returncode == 0
    assert file.read_text(encoding="utf-8").count('<g id="axes_') == 4


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ([], "nothing is named that could be played; name a scenario file, or a recording by --trace"),
        (["campaign.toml", "--trace", "a"], "a scenario file and a recording are both named; name only one of the two"),
        (["--trace", "a", "--test", "b"], "--test is of a test file, and a recording has no tests"),
        (["campaign.toml", "--plot", "a.gif"], """must end with ".svg" or ".png\""""),
        (["shop.limits.toml", "--test", "two receipt"], 'has no test "two receipt"; did you mean "two receipts"?'),
        (["not_there.toml"], "not_there.toml:1:1: LK001"),
        (["--trace", "not_there.jsonl"], "not_there.jsonl: can't be read"),
        (["--trace", "campaign.toml"], "campaign.toml:1: "),
    ],
)
def test_what_can_t_be_read_or_meant_has_exit_status_2(run, arguments, says):
    done = run(*arguments)
    assert done.returncode == 2
    assert says in done.stderr.decode()
    assert b"Traceback" not in done.stderr


def test_problems_of_a_file_have_exit_status_1(run, tmp_path):
    file = tmp_path / "wrong.toml"
    file.write_text('[[send]]\ntask = "a"\ncount = 0\n')
    done = run(str(file), "--config", str(FOLDER / "ratelimits.toml"), "--output-format", "json")
    assert done.returncode == 1
    assert json.loads(done.stdout)["problems"][0]["line"] == 3
    assert b"wrong.toml:3:9: LK0" in done.stderr


def test_a_mode_of_the_environment_is_said(run):
    done = run("campaign.toml", "--no-chart", LIMITKIT_MODE="off")
    assert b"LIMITKIT_MODE is set" in done.stderr
    assert b"limit  " not in done.stdout


def test_the_example_of_a_day_can_be_played():
    case = read_scenario(ROOT / "examples" / "day" / "day.toml")
    assert sum(each.count for each in case.sendings) == 100_000
    assert case.workers == 4
    assert len(case.config.rules.named) == 10
    assert max(each.at + each.count * each.every for each in case.sendings) < 86_400
