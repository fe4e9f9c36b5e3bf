"""What comes from outside never reaches the terminal raw, nor ends a command with a traceback.

A real Redis holds what another client has set; the one who answers as a worker says whatever it likes.
"""

import json
import os
import re

import pytest
import redis
from stories import HERE, Teller
from support.impostor import answering
from support.servers import RedisServer

from limitkit.config import load

RAW = "evil\x1b[2J\x1b]0;t\x07\n2026 forged: line\r\u202egnp\u2028\x9b31m[red]"
SHOWN = "evil\\u001B[2J"
WORKER = "w1\x1b[2J\n@host"
FORBIDDEN = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2066-\u2069]")
APP = ("-A", "dialapp")


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with RedisServer(tmp_path_factory.mktemp("redis")) as server:
        yield server


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("hostile")
    text = (HERE / "dials.toml").read_text()
    hostile = json.dumps(RAW + "*")
    (folder / "dials.toml").write_text(f'{text}\n[tasks.{hostile}]\nstrategy = "token_bucket"\nrate = "1/s"\n')
    return folder


@pytest.fixture
def tell(server, folder):
    """Return what runs a command, and gives back all that it has written."""
    teller = Teller(folder, BROKER_URL=server.url, DIALS="dials.toml")

    def tell(*words):
        done = teller.run(*words, *APP)
        said = (done.stdout + done.stderr).decode()
        assert not FORBIDDEN.search(said), words
        assert not [line for line in said.splitlines() if line.startswith("2026 forged")]
        assert "Traceback" not in said
        assert done.returncode in (0, 1, 2)
        return said

    return tell


@pytest.fixture
def posted(server):
    """Have another client set something, for a limit that there is, and for one that there is not."""
    kept = json.dumps({"rate": "10/s", "by": RAW, "reason": RAW, "at": 0})
    with redis.Redis.from_url(server.url) as client:
        key = "limitkit:overrides"
        assert client.keys("limitkit:*") == [] or True
        yield client, key, kept
        client.flushdb()


def test_names_and_reasons_that_somebody_has_set(tell, server):
    said = tell("set", "stripe_api", "10/s", "--reason", RAW, "--by", RAW)
    assert SHOWN in said + tell("status")
    tell("pause", RAW + "*", "--reason", RAW, "--by", RAW)
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
        tell(*words)
    tell("restore")


def test_what_the_exporter_prints_is_read_by_prometheus(tell):
    from prometheus_client.parser import text_string_to_metric_families

    said = tell("exporter", "--once")
    names = {sample.labels.get("limit") for family in text_string_to_metric_families(said) for sample in family.samples}
    assert "stripe_api" in names


def report(folder):
    return {
        "path": RAW,
        "digest": load(folder / "dials.toml").digest,
        "since": 0.0,
        "refused": RAW,
        "mode": RAW,
        "paced": True,
        "pid": 1,
        "unguarded": [RAW],
        "caps": {RAW: 2.0},
        "limits": {},
    }


def test_what_one_answers_who_is_no_worker_of_limitkit_s(tell, server, folder):
    said = {
        "limitkit_status": lambda: report(folder),
        "limitkit_why": lambda task_id: {"task": RAW, "bucket": RAW, "held": 1.0, "place": 1, "starts_in": 1.0},
        "limitkit_reload": lambda: {"error": RAW},
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
            assert "\\u001B[2J" in tell(*words), words


STRANGE = {
    "nothing": None,
    "a text": RAW,
    "a list": [1],
    "a number": 3,
    "an empty table": {},
    "a digest alone": {"digest": 3},
    "no digest": {"path": RAW, "error": {"x": RAW}},
    "tables that are none": {
        "path": 1, "digest": "x", "since": [], "refused": {}, "mode": 0, "paced": "x", "pid": [], "unguarded": 5,
        "caps": [], "limits": [],
    },
    "limits that are none": {
        "path": "p", "digest": "x", "since": 0, "refused": "", "mode": "enforce", "paced": True, "pid": 1,
        "unguarded": [], "caps": {RAW: RAW}, "limits": {"stripe_api": {"limit": 3}, "x": 5},
    },
}  # fmt: skip


@pytest.mark.parametrize("name", STRANGE)
def test_an_answer_of_another_shape(name, tell, server):
    said = dict.fromkeys(
        ("limitkit_status", "limitkit_why", "limitkit_reload", "limitkit_override", "query_task"),
        lambda **_: STRANGE[name],
    )
    with answering(server.url, "w1@host", **said):
        for words in (("status",), ("status", "--output-format", "json"), ("drift",), ("why", "x"), ("reload",)):
            tell(*words)
        tell("set", "push.*", "1/s", "--worker", "w1@host")
