"""What the exporter says of all workers together, from a real Redis that is store and broker."""

import os
import re
import signal
import subprocess
import sys
import time
from contextlib import closing
from dataclasses import replace

import pytest
import redis
from celery import Celery
from support.commands import CLI, ROOT
from support.parked import PREFIX, age, filling
from support.scrape import Scrape, scrape, scrape_until
from support.servers import RedisServer, free_port
from support.workers import wait_until

from limitkit.buckets.decision import Bucket, Take
from limitkit.buckets.override import Override, Target
from limitkit.buckets.partition import bucket_key
from limitkit.config.load import load
from limitkit.config.model.units import parse_rate
from limitkit.metrics import families
from limitkit.metrics.cluster import Cluster
from limitkit.stores.choice import open_store
from limitkit.stores.overrides import OverrideStore
from limitkit.stores.redis import RedisStore

APP = ["-A", "waitapp"]
RULES = load(CLI / "waiting.toml").rules
STRIPE, USER, PUSH = (
    RULES.for_task(task).limits[0] for task in ("shop.charge_customer", "shop.user_api_request", "push.send")
)
STRIPE_BUCKET = Bucket(bucket_key(PREFIX, STRIPE, None), STRIPE.rate.interval_us, STRIPE.burst)


@pytest.fixture
def server(tmp_path):
    with RedisServer(tmp_path) as server:
        yield server


@pytest.fixture
def store(server):
    with closing(RedisStore(server.url, 5.0)) as store:
        yield store


def once(run_at, url):
    done = run_at(["exporter", "--once", *APP], url)
    return Scrape(done.stdout.decode()), done


def test_nothing_waits_and_all_is_full(server, run_at):
    seen, done = once(run_at, server.url)
    assert (done.returncode, done.stderr) == (0, b"")
    assert seen["cluster_tokens", "stripe_api"] == seen["cluster_burst", "stripe_api"] == 100
    assert seen["cluster_rate", "stripe_api"] == seen["cluster_declared_rate", "stripe_api"] == 25
    for limit in ("stripe_api", "shop.user_api_request", "push.send"):
        assert seen["cluster_parked", limit] == seen["cluster_drain_seconds", limit] == 0
    assert seen["cluster_workers",] == 0
    assert seen["cluster_up", "store"] == seen["cluster_up", "broker"] == 1
    assert time.time() - 60 < seen["cluster_asked_timestamp_seconds",] <= time.time()
    assert not [each.shown for each in families.EXPORTER if f"# TYPE {each.shown} {each.kind}\n" not in seen.text]


def test_what_is_parked_taken_and_set(server, store, run_at):
    with filling(server.url, ("celery", "mail")) as filler:
        filler.park(STRIPE, "shop.charge_customer", ["ann"], count=50)
        filler.park(USER, "shop.user_api_request", [1], value=1, count=2)
        filler.park(USER, "shop.user_api_request", [2], value=2, count=5)
        filler.park(PUSH, "push.send", [1], queue="mail", count=4)
    age(server.url, 600)
    store.take([Take((STRIPE_BUCKET,), 90, 90)])
    for name in ("a", "b"):
        store.note(f"{PREFIX}:workers", name)
    override_store = OverrideStore(store, PREFIX)
    slower = Override(target=Target("limits", "stripe_api"), kind="rate", rate=parse_rate("1/s"), burst=200, by="eve")
    override_store.post([(slower, 3600.0), (Override(target=Target("tasks", "push.*"), kind="pause"), None)])
    seen, _ = once(run_at, server.url)
    assert seen["cluster_parked", "stripe_api"] == 50
    assert seen["cluster_parked", "shop.user_api_request"] == 7
    assert seen["cluster_parked", "push.send"] == 4
    assert seen["cluster_drain_seconds", "stripe_api"] == pytest.approx(50), "at the rate that is in force"
    assert seen["cluster_drain_seconds", "push.send"] == float("inf"), "it is paused, and nobody has said until when"
    assert seen["cluster_drain_seconds", "shop.user_api_request"] == pytest.approx(60)
    assert seen["cluster_oldest_parked_timestamp_seconds", "stripe_api"] == pytest.approx(time.time() - 600, abs=30)
    assert seen["cluster_workers",] == 2
    assert seen["cluster_rate", "stripe_api"] == 1
    assert seen["cluster_burst", "stripe_api"] == 200
    assert seen["cluster_rate", "push.send"] == 0
    # 90 tokens of 40 ms each take 3.6 s to come back, which is 3.6 tokens of a second.
    assert 196 < seen["cluster_tokens", "stripe_api"] <= 200
    ends = seen["cluster_override_end_timestamp_seconds", "stripe_api"]
    assert ends == pytest.approx(time.time() + 3600, abs=30)
    with redis.Redis(port=server.port) as client:
        assert client.zcard(f"{PREFIX}:workers") == 2, "the exporter is no worker"


def test_a_bucket_that_is_empty(server, store, run_at):
    store.take([Take((replace(STRIPE_BUCKET, interval_us=3_600_000_000, burst=1),))])  # an hour ahead
    assert -1 <= once(run_at, server.url)[0]["cluster_tokens", "stripe_api"] <= 0


def test_a_server_that_is_gone(run_at):
    seen, done = once(run_at, f"redis://:s3cret@127.0.0.1:{free_port()}/0")
    assert done.returncode == 1
    assert seen["cluster_up", "store"] == seen["cluster_up", "broker"] == 0
    assert ("cluster_parked", "stripe_api") not in seen
    assert seen["cluster_declared_rate", "stripe_api"] == 25
    assert b"s3cret" not in done.stdout + done.stderr


def test_it_asks_anew_and_outlives_its_server(server, need_promtool):
    port = free_port()
    env = {**os.environ, "BROKER_URL": server.url, "PYTHONPATH": f"{CLI}:{ROOT}"}
    command = [sys.executable, "-m", "celery", *APP, "limitkit", "exporter", "--port", str(port), "--interval", "1"]
    exporter = subprocess.Popen(command, cwd=CLI, env=env, stderr=subprocess.PIPE, text=True)
    try:
        assert "are shown on" in exporter.stderr.readline()
        assert scrape(port)["cluster_parked", "push.send"] == 0
        with filling(server.url) as filler:
            filler.park(PUSH, "push.send", [1], count=4)
        seen = scrape_until(port, lambda seen: seen["cluster_parked", "push.send"] == 4)
        checked = subprocess.run([need_promtool, "check", "metrics"], input=seen.text, text=True, check=False)
        assert checked.returncode == 0
        taken = subprocess.run([*command], cwd=CLI, env=env, capture_output=True, text=True, check=False, timeout=30)
        assert taken.returncode == 2
        assert f"the port {port} of 127.0.0.1 is taken; name another: --port" in taken.stderr
        server.stop()
        scrape_until(port, lambda seen: seen["cluster_up", "store"] == seen["cluster_up", "broker"] == 0)
        server.start()
        scrape_until(port, lambda seen: seen["cluster_up", "store"] == seen["cluster_up", "broker"] == 1)
        exporter.send_signal(signal.SIGTERM)
        assert exporter.wait(20) == 0, "it ends by itself: signals that nobody handles do not end a container"
    finally:
        exporter.kill()
        exporter.wait(10)
        exporter.stderr.close()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            ["--host", "a..b"],
            'the host "a..b" can\'t be found (it is not written as a name is); name an address of this',
        ),
        (["--host", "203.0.113.1"], '"203.0.113.1" is not an address of this machine; name an address of this machine'),
    ],
)
def test_where_it_can_not_listen(words, said, run_at):
    done = run_at(["exporter", *words, *APP], f"redis://127.0.0.1:{free_port()}/0")
    (line,) = done.stderr.decode().splitlines()
    assert (done.returncode, line.startswith(f"limitkit: {said}"), line.endswith(": --host")) == (2, True, True)


@pytest.mark.parametrize("words", [["--once"], []])
def test_a_broker_that_can_not_ever_be_asked(words, run_at):
    done = run_at(["exporter", *words, *APP], "redis://:s3c/ret@localhost/")
    said = b"limitkit: the app's broker can't be used: its URL can't be read\n"
    assert (done.returncode, done.stdout, done.stderr) == (2, b"", said)


def test_what_can_not_be_asked_is_said_once_of_each(server, tmp_path, caplog):
    file = tmp_path / "ratelimits.toml"
    file.write_text('version = 1\n[tasks.push]\nstrategy = "token_bucket"\nrate = "1/s"\n')
    app, rules = Celery(broker=server.url), load(file).rules
    with closing(open_store(app, rules.store)) as store:
        cluster = Cluster(app, rules, store)

        def complaints():
            caplog.clear()
            for _ in range(3):
                cluster.look()
            return sorted(record.getMessage() for record in caplog.records)

        assert complaints() == []
        for _ in range(2):  # when it is gone again, that is said again
            server.stop()
            broker, lost = complaints()
            assert re.fullmatch(r"The broker redis://\S+ can't be asked: .+; its metrics are left out until .+", broker)
            assert re.fullmatch(r"The store can't be asked: .+; its metrics are left out until .+", lost)
            server.start()
            wait_until(cluster.look)
