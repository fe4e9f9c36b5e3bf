"""Where metrics are shown, and to whom: ports, registries, pools, and the events of ``-E``."""

import contextlib
import socket
import threading
import time
from collections import Counter

import pytest
import redis
from support.scene import Scene, config, limit
from support.scrape import scrape, scrape_until, text_of
from support.servers import free_port
from support.workers import ALONE, PATIENCE, wait_until

LIMITS = config(limit("paid", "20/s", burst=5), limit("slow", "3/s"))


@pytest.fixture(scope="module")
def scene():
    with Scene(LIMITS, module="support.seen_app") as scene:
        yield scene


@pytest.fixture(autouse=True)
def left(scene):
    """Leave neither workers nor messages to the test that comes next."""
    yield
    scene.stop_workers()
    with redis.Redis(port=scene.broker.port) as client:
        client.flushall()


def free_ports(count):
    """The first of so many ports in a row that are all free."""
    while True:
        first = free_port()
        with contextlib.ExitStack() as stack, contextlib.suppress(OSError, OverflowError):
            for port in range(first, first + count):
                stack.enter_context(socket.socket()).bind(("127.0.0.1", port))
            return first


def started(seen):
    return seen.outcome("paid", "started")


def test_workers_of_one_host_share_a_range_and_one_too_many_goes_on_without(scene):
    first = free_ports(2)
    env = {"LIMITKIT_METRICS_PORT": f"{first}-{first + 1}"}
    workers = [scene.shop.start_worker(wait=False, env=env) for _ in range(3)]
    for worker in workers:
        worker.wait_ready()
    wait_until(lambda: sum("Metrics can't be shown" in worker.output() for worker in workers) == 1)
    before = len(scene.shop.times("paid"))
    scene.send([("paid", ())] * 60)
    scene.wait_for({"paid": before + 60})
    one, other = (scrape(first + number) for number in range(2))
    assert started(one) > 0
    assert started(other) > 0
    silent = next(worker for worker in workers if "Metrics can't be shown" in worker.output())
    name = silent.log.name.split("-")[0]
    own = sum(start.worker == f"{name}@test" for start in scene.shop.starts("paid"))
    assert own > 0
    wait_until(lambda: started(scrape(first)) + started(scrape(first + 1)) + own == 60)
    scene.stop_workers()
    with pytest.raises(OSError, match="refused"):
        text_of(first)


def test_a_team_s_own_registry_shows_them_beside_its_own(scene):
    port = free_port()
    scene.shop.start_worker(env={"OWN_REGISTRY": str(port)})
    scene.send([("paid", ())] * 10)
    text = scrape_until(port, lambda seen: started(seen) == 10).text
    assert "teams_own_total 0.0" in text
    assert "python_info" not in text
    scene.stop_workers()


def test_multiprocess_mode_of_a_team_is_left_alone(scene, tmp_path):
    """It shows the default registry's metrics of all its processes by itself; limitkit's own port shows the rest."""
    port = free_port()
    scene.shop.start_worker(env={"LIMITKIT_METRICS_PORT": str(port), "PROMETHEUS_MULTIPROC_DIR": str(tmp_path)})
    scene.send([("paid", ())] * 10)
    scrape_until(port, lambda seen: started(seen) == 10)
    assert not list(tmp_path.glob("*"))
    scene.stop_workers()


def test_a_pool_of_threads_counts_the_same(scene):
    port = free_port()
    env = {"LIMITKIT_METRICS_PORT": str(port)}
    scene.shop.start_worker("-P", ALONE, env=env)
    before = scene.sent_back()
    scene.send([("slow", ())] * 6)
    seen = scrape_until(port, lambda seen: seen.outcome("slow", "started") == 6)
    assert seen["retries_total", "slow"] == scene.sent_back() - before > 0
    assert seen["hits_total", "slow"] == seen["retries_total", "slow"]
    assert seen["starts_total", "slow"] == 6
    scene.stop_workers()


def test_a_worker_that_sends_events_tells_who_is_throttled_and_leaves_the_states_of_tasks_alone(scene):
    app = scene.shop.app
    heard, state = [], app.events.State()

    def hear(event):
        state.event(event)  # what Flower does with each event
        if event["type"] == "limitkit-task-throttled" and event["limit"] == "paid":
            heard.append(event)

    def state_of(id_):
        task = state.tasks.get(id_)
        return task and task.state

    with app.connection_for_read() as connection:
        receiver, listens = app.events.Receiver(connection, handlers={"*": hear}), threading.Event()
        receiver.on_consume_ready = lambda *_, **__: listens.set()

        def listen():
            with contextlib.suppress(OSError):
                receiver.capture(limit=None, timeout=30)

        thread = threading.Thread(target=listen, daemon=True)
        thread.start()
        assert listens.wait(PATIENCE)
        ids = scene.send([("paid", ())] * 65)
        began = time.time()
        scene.shop.start_worker("-E")
        late = scene.send([("slow", ())] * 15)[-1]
        app.control.revoke(late)
        wait_until(lambda: len(heard) >= 40)  # of 60 that wait: a token comes each 50 ms, also while the worker is slow
        assert {event["uuid"] for event in heard} <= set(ids)
        assert began < min(event["expected_start"] for event in heard)
        assert max(event["expected_start"] - event["timestamp"] for event in heard) < 4
        wait_until(lambda: Counter(map(state_of, ids)) == {"SUCCESS": 65})
        wait_until(lambda: state_of(late) == "REVOKED")
        receiver.should_stop = True
        thread.join()
    scene.stop_workers()


def test_no_metrics_no_port_and_nothing_imported(scene):
    worker = scene.shop.start_worker(env={"PYTHONUNBUFFERED": "1"})
    worker.wait_for_output("prometheus_client is not imported")
    assert "Metrics" not in worker.output()
    scene.stop_workers()
