"""What ``limitkit doctor`` prints, and its exit status; what it finds is in ``tests/doctor``."""

import json
import re

import pytest
from support.commands import CLI, Runner, compare, masked
from support.servers import RedisServer

APP = ("-A", "doctorapp")


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with RedisServer(tmp_path_factory.mktemp("redis")) as server:
        yield server


@pytest.fixture(scope="module")
def runner(server, tmp_path_factory):
    folder = tmp_path_factory.mktemp("files")
    (folder / "ratelimits.toml").write_text((CLI / "doctor.toml").read_text())
    (folder / "bad.toml").write_text('version = 1\n[limits.api]\nstrategy = "token_bucket"\nrate = "25/sec"\n')
    return Runner(folder, BROKER_URL=server.url)


def plain(said):
    """Mask what differs from machine to machine, and from run to run."""
    said = re.sub(r"127\.0\.0\.1:\d+", "redis:6379", said)
    said = re.sub(r"clock [+-]\d+\.\d ms", "clock +0.3 ms", said)
    said = re.sub(r"Redis \d+\.\d+\.\d+", "Redis 7.0.15", said)
    said = re.sub(
        r"(packages: ).*", r"\1Python 3.12.3, celery-limitkit 0.1.0, celery 5.7.0, kombu 5.7.0, redis 8.1.0", said
    )
    return masked(re.sub(r"is installed \d+ times, in .*? and [^;]*", "is installed twice", said))


def test_what_it_says(runner):
    said = runner.transcript("doctor", "--timeout", "0.1", *APP)
    compare("running_doctor", "doctor", re.sub(r"127\.0\.0\.1:\d+", "redis:6379", said), mask=plain)


def test_programs_get_all_of_it(runner):
    done = runner.run("doctor", "--timeout", "0.1", "--output-format", "json", *APP)
    said = json.loads(done.stdout)
    assert said["version"] == 1
    assert {each["subject"] for each in said["checks"]} == {"config", "app", "broker", "store", "workers", "versions"}
    assert {each["status"] for each in said["checks"]} <= {"ok", "warning", "error", "not known"}
    fetched = next(each for each in said["checks"] if each["name"] == "prefetch")
    assert (fetched["status"], fetched["codes"]) == ("warning", ["LK144"])
    problem = next(each for each in said["problems"] if each["code"] == "LK144")
    assert problem.keys() == {"path", "line", "column", "code", "severity", "message", "hint"}
    assert problem["message"].endswith(problem["hint"])
    own = next(each for each in said["problems"] if each["code"] == "LK044")
    assert (own["path"], own["line"]) == ("ratelimits.toml", 7)
    assert done.returncode == 0


def test_warnings_count_if_they_shall(runner):
    assert runner.run("doctor", "--timeout", "0.1", "--strict", *APP).returncode == 1


def test_without_an_app_there_is_nothing_to_look_at(runner):
    done = runner.run("doctor")
    assert done.returncode == 2
    assert b"limitkit doctor --app APP" in done.stderr


@pytest.mark.parametrize(("file", "status"), [("bad.toml", 1), ("none.toml", 2)])
def test_a_file_that_cannot_be_used(runner, file, status):
    done = runner.run("doctor", "--config", file, *APP)
    assert done.returncode == status
    assert f"  error      {file}:".encode() in done.stdout
    assert b"fix that first" in done.stdout
    assert b"versions" in done.stdout


def test_what_comes_from_outside_is_escaped(runner, monkeypatch):
    hostile = Runner(runner.folder, BROKER_URL="redis://127.0.0.1:1/\x1b[31m")
    done = hostile.run("doctor", *APP)
    assert done.returncode == 2
    assert b"\x1b" not in done.stdout + done.stderr
