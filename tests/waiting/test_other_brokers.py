"""Limits hold over brokers that have no room of their own, also over one that kombu does not know."""

import json
import os
import subprocess
import sys
from importlib.util import find_spec

import pytest
from celery import Celery
from support.measure import excess, promised
from support.plain_transport import in_files
from support.servers import RedisServer
from support.workers import ROOT, Shop, patient

import limitkit
from limitkit.waiting.room_names import OTHER, kind_of

TOML = """version = 1

[store]
url = "{url}"

[tasks.paid]
strategy = "token_bucket"
rate = "10/s"
burst = 2
"""
pytestmark = pytest.mark.filterwarnings("ignore:The ``noload``")  # of SQLAlchemy 2.1, of which kombu makes use
BROKERS = ["filesystem", "plain", "sqlite"]
if find_spec("celery_redis_plus"):  # it needs Python 3.13, and Redis 7 or Valkey
    BROKERS.append("valkey")


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    with RedisServer(tmp_path_factory.mktemp("redis")) as server:
        yield server


@pytest.fixture(params=BROKERS)
def broker(request, tmp_path, store):
    """The URL of a broker, and what an app has to say of it besides."""
    if request.param == "sqlite":
        pytest.importorskip("sqlalchemy")
        return f"sqla+sqlite:///{tmp_path}/messages.db", {}
    if request.param == "valkey":
        import celery_redis_plus  # noqa: F401 (names it)

        return f"valkey{store.url.removeprefix('redis')[:-1]}5", {}
    return f"{request.param}://localhost", {"broker_transport_options": in_files(tmp_path)}


def test_limits_hold_and_nothing_is_lost(broker, store, tmp_path):
    url, conf = broker
    with Shop(tmp_path, url, TOML.format(url=store.url), module="support.plain_shop", **conf) as shop:
        # Sent before: kombu's messages in files are lost when they are fetched before they are whole.
        sent = shop.send_many([("paid", ())] * 20 + [("free", ())] * 20)
        workers = [shop.start_worker() for _ in range(2)]
        starts = shop.wait_for_each_once(sent)
        assert excess([start.at for start in starts if start.task == "paid"], 10) <= promised(10, 2)
        assert {start.retries for start in starts} == {0}
        assert all("1 limit in force" in worker.output() for worker in workers)
        assert not [line for worker in workers for line in worker.output().splitlines() if "ERROR" in line]


def test_what_can_not_be_held_comes_again_by_its_own_queue(store, tmp_path):
    toml = f"{TOML.format(url=store.url)}\n[waiting]\nper_worker = 5\n"
    conf = {"broker_transport_options": in_files(tmp_path)}
    with Shop(tmp_path, "plain://localhost", toml, module="support.plain_shop", **conf) as shop:
        sent = shop.send_many([("paid", ())] * 30 + [("free", ())] * 20)
        workers = shop.start_workers(2)
        starts = shop.wait_for_each_once(sent)
        assert excess([start.at for start in starts if start.task == "paid"], 10) <= promised(10, 2)
        assert all("parked in their own queue" in worker.output() for worker in workers)
        assert sum(worker.output().count("] received") for worker in workers) > len(sent)
        assert not [line for worker in workers for line in worker.output().splitlines() if "ERROR" in line]


def test_a_purge_takes_what_is_in_the_queue(broker, tmp_path):
    url, conf = broker
    config = tmp_path / "ratelimits.toml"
    config.write_text(TOML.format(url="memory://"))
    app = Celery("purged", broker=url, set_as_current=False)
    app.conf.update(conf)
    limitkit.install(app, config)
    assert kind_of(app) == OTHER
    for _ in range(3):
        app.send_task("paid")
    app.send_task("paid", countdown=60)  # as one that waits there
    assert app.control.purge() == 4
    assert app.control.purge() == 0
    app.close()


def test_a_broker_in_memory_serves_a_worker_in_the_same_process(store, tmp_path):
    config = tmp_path / "ratelimits.toml"
    config.write_text(patient(TOML.format(url=store.url)))
    command = [sys.executable, "-m", "support.embedded", str(config), "8"]
    env = {**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'tests'}"}
    done = subprocess.run(command, env=env, check=True, capture_output=True, timeout=120)
    starts = json.loads(done.stdout)
    assert sorted(number for number, _ in starts) == list(range(8))
    assert excess([at for _, at in starts], 10) <= promised(10, 2)
