"""What comes from outside never reaches the terminal raw, nor ends a command with a traceback.

A real Redis holds what another client has set; the one who answers as a worker says whatever it likes.
"""

import json
import re

import pytest
import redis
from support.commands import CLI, Runner
from support.impostor import answering
from support.servers import RedisServer

from limitkit.config.load import load

RAW = "evil\x1b[2J\x1b]0;t\x07\n2026 forged: line\r\u202egnp\u2028\x9b31m[red]"
SHOWN = "evil\\u001B[2J"
WORKER = "w1\x1b[2J\n@host"
FORBIDDEN = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2066-\u2069]")
APP = ("-A", "runningapp")


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with RedisServer(tmp_path_factory.mktemp("redis")) as server:
        yield server


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("hostile")
    text = (CLI / "running.toml").read_text()
    hostile = json.dumps(RAW + "*")
    (folder / "running.toml").write_text(f'{text}\n[tasks.{hostile}]\nstrategy = "token_bucket"\nrate = "1/s"\n')
    return folder


@pytest.fixture
def run(server, folder):
    """Return what runs a command, and gives back all that it has written."""
    runner = Runner(folder, BROKER_URL=server.url, LIMITS_FILE="running.toml")

    def run(*words):
        return checked(runner.run(*words, *APP))

    return run


def checked(done):
    """Return all that was written."""
    said = (done.stdout + done.stderr).decode()
    assert not FORBIDDEN.search(said)
    assert not [line for line in said.splitlines() if line.startswith("2026 forged")]
    assert done.returncode in (0, 1, 2)
    return said


@pytest.fixture
def posted(server):
    """Have another client set something."""
    client = redis.Redis.from_url(server.url)

    def post(name, value):
        client.hset("limitkit:{overrides}", mapping={"#": "1", name: value})

    yield post
    client.flushdb()
    client.close()


OTHERS = {
    "all is hostile": json.dumps({"rate": "10/s", "by": RAW, "reason": RAW, "declared_rate": RAW, "at": 0}),
    "no JSON": RAW,
    "no text": b"0\n\xff\xfe",
    "no end": b"tomorrow",
    "a list": "[1]",
    "a burst that is none": json.dumps({"rate": "10/s", "burst": RAW}),
    "a burst of nothing": json.dumps({"rate": "10/s", "burst": 0}),
    "a time that is none": json.dumps({"rate": "10/s", "at": 1e300}),
    "a rate that is none": json.dumps({"rate": RAW}),
    "a rate that is a table": json.dumps({"rate": {}}),
    "deep": "[" * 100_000,
}


@pytest.mark.parametrize("name", ["rate limits stripe_api", f"rate limits {RAW}", RAW, b"rate limits \xff"])
def test_what_another_client_has_set(name, posted, server, folder):
    text = (CLI / "running.toml").read_text()
    (folder / "ratelimits.toml").write_text(f'{text}\n[store]\nurl = "{server.url}"\n')
    for other, value in OTHERS.items():
        posted(name, value if isinstance(value, bytes) else f"0\n{value}")
        said = checked(Runner(folder).run("status"))
        assert (SHOWN in said) == (other == "all is hostile" and name != RAW), other


def test_names_and_reasons_that_somebody_has_set(run, server):
    said = run("set", "stripe_api", "10/s", "--reason", RAW, "--by", RAW)
    assert SHOWN in said + run("status")
    run("pause", RAW + "*", "--reason", RAW, "--by", RAW)
    for words in (
        ("status", "--all"),
        ("status", "stripe_api"),
        ("top",),
        ("waiting",),
        ("promote", RAW + "*"),
        ("explain", RAW + "*"),
        ("why", RAW),
        ("purge", "-y", RAW),
        ("reset", RAW + "*"),
        ("resume", RAW + "*"),
        ("restore", RAW),
        ("set", RAW, RAW, "--for", RAW),
        ("validate",),
        ("validate", "--config", RAW),
        ("reduce", RAW),
    ):
        run(*words)
    run("restore")


def test_what_the_exporter_prints_is_read_by_prometheus(run):
    from prometheus_client.parser import text_string_to_metric_families

    said = run("exporter", "--once")
    names = {sample.labels.get("limit") for family in text_string_to_metric_families(said) for sample in family.samples}
    assert "stripe_api" in names


def report(folder):
    return {
        "path": RAW,
        "digest": load(folder / "running.toml").digest,
        "since": 0.0,
        "refused": RAW,
        "mode": RAW,
        "paced": True,
        "pid": 1,
        "unguarded": [RAW],
        "caps": {RAW: 2.0},
        "limits": {},
    }


def test_what_one_answers_who_is_no_worker_of_limitkit_s(run, server, folder):
    said = {
        "limitkit_status": lambda: report(folder),
        "limitkit_why": lambda **_: {"task": RAW, "bucket": RAW, "held": 1.0, "place": 1, "starts_in": 1.0},
        "limitkit_reload": lambda: {"error": RAW, "lines": [RAW, RAW]},
        "limitkit_override": lambda **_: {"error": RAW},
    }
    with answering(server.url, WORKER, **said):
        for words in (
            ("status",),
            ("drift",),
            ("top",),
            ("why", "x"),
            ("reload",),
            ("set", "push.*", "1/s", "--worker", WORKER),
        ):
            assert "\\u001B[2J" in run(*words), words


@pytest.mark.parametrize("answer", [None, {"limits": {"stripe_api": 5}}], ids=["nothing", "another shape"])
def test_an_answer_of_another_shape(answer, run, server):
    commands = ("limitkit_status", "limitkit_why", "limitkit_reload", "limitkit_override", "query_task")
    with answering(server.url, "w1@host", **dict.fromkeys(commands, lambda **_: answer)):
        for words in (("status", "--output-format", "json"), ("drift",), ("why", "x"), ("reload",)):
            run(*words)
        run("set", "push.*", "1/s", "--worker", "w1@host")
