"""The Kubernetes example: how many pods it asks for, from a real Redis, the exporter and Prometheus; and its probes."""

import contextlib
import json
import math
import subprocess
import sys
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

import pytest
import redis
from support.manifests import manifests
from support.scene import Scene, config, limit
from support.servers import free_port
from support.workers import wait_until

EXAMPLE = Path(__file__).parents[2] / "examples" / "kubernetes"
(SCALED,) = manifests((EXAMPLE / "keda.yaml").read_text())
PROBES = [
    container[kind]["httpGet"]["path"]
    for manifest in manifests((EXAMPLE / "workers.yaml").read_text())
    if manifest["kind"] == "Deployment"
    for container in manifest["spec"]["template"]["spec"]["containers"]
    for kind in ("startupProbe", "livenessProbe")
]
LIMITS = config(limit("paid", "1/m"), limit("until", "1000/s", burst=1000))
SCRAPE = """
global: {{ scrape_interval: 1s }}
scrape_configs:
  - job_name: limitkit-exporter
    static_configs: [{{ targets: ["127.0.0.1:{}"] }}]
"""


class Cluster:
    """What KEDA asks, and reckons from the answers."""

    def __init__(self, scene, folder, prometheus):
        self.scene = scene
        self.redis = redis.Redis(port=scene.broker.port)
        self._exporter_port, self._port = free_port(), free_port()
        (folder / "prometheus.yml").write_text(SCRAPE.format(self._exporter_port))
        self._prometheus = [prometheus, f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/data"]
        self._prometheus += [f"--web.listen-address=127.0.0.1:{self._port}", "--log.level=error"]

    @contextlib.contextmanager
    def prometheus(self):
        with running(self._prometheus):
            yield

    @contextlib.contextmanager
    def exporter(self):
        command = [sys.executable, "-m", "limitkit", "exporter", "-A", self.scene.shop.module]
        with running([*command, "--port", str(self._exporter_port), "--interval", "1"], self.scene.shop.env):
            yield

    def asked(self, query):
        """Return the answer to a query, which has to be one number."""
        url = f"http://127.0.0.1:{self._port}/api/v1/query?{urllib.parse.urlencode({'query': query})}"
        with urllib.request.urlopen(url, timeout=10) as answer:
            (found,) = json.load(answer)["data"]["result"]
        return float(found["value"][1])

    def length(self, name):
        """As KEDA's trigger ``redis`` has it: lists have a length, and so have hashes."""
        return self.redis.hlen(name) if self.redis.type(name) == b"hash" else self.redis.llen(name)

    def parked(self):
        return self.redis.hlen("limitkit:waiting:messages")

    def pods(self):
        """Return the most that a trigger asks for, which is one pod at least when it says more than 0."""
        wanted = []
        for trigger in SCALED["spec"]["triggers"]:
            said = trigger["metadata"]
            if trigger["type"] == "redis":
                wanted.append(self.length(said["listName"]) / int(said["listLength"]))
            else:
                assert trigger["type"] == "prometheus"
                wanted.append(self.asked(said["query"]) / float(said["threshold"]))
        return min(math.ceil(max(wanted)), SCALED["spec"]["maxReplicaCount"])

    def settles_at(self, pods):
        """Wait until Prometheus has what is there now."""
        wait_until(lambda: self.pods() == pods)


@contextlib.contextmanager
def running(command, env=None):
    process = subprocess.Popen(command, env=env)
    try:
        yield
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(10)


@pytest.fixture(scope="module")
def cluster(need_prometheus, tmp_path_factory):
    folder = tmp_path_factory.mktemp("prometheus")
    with Scene(LIMITS) as scene:
        cluster = Cluster(scene, folder, need_prometheus)
        with cluster.prometheus(), cluster.exporter():
            wait_until(lambda: answers(cluster))
            yield cluster
        cluster.redis.close()


def answers(cluster):
    with contextlib.suppress(OSError, ValueError):  # it does not listen yet, or has scraped nothing yet
        return cluster.asked("celery_rate_limit_cluster_up{source='broker'}") == 1
    return False


@pytest.fixture(autouse=True)
def nothing_to_do(cluster, tmp_path):
    """Begin and end with no work; there is a test of this in each test."""
    cluster.settles_at(0)
    yield
    (tmp_path / "go").touch()
    cluster.scene.stop_workers()
    cluster.redis.flushall()


def test_no_pod_while_there_is_no_work_and_more_for_what_is_queued(cluster):
    cluster.scene.send([("free", ())] * 100)
    cluster.settles_at(5)
    cluster.scene.send([("free", ())] * 900)
    cluster.settles_at(20)


def test_a_backlog_that_waits_for_its_rate_is_worth_one_pod_however_long_it_is(cluster):
    cluster.scene.shop.start_worker()
    cluster.scene.send([("paid", ())] * 300)
    wait_until(lambda: cluster.length("celery") == 0 and cluster.parked() > 200)
    cluster.settles_at(1)
    cluster.scene.stop_workers()
    cluster.redis.delete("celery", "unacked")
    assert cluster.parked() > 200
    wait_until(lambda: cluster.asked("sum(celery_rate_limit_cluster_parked)") == cluster.parked())
    assert cluster.pods() == 1, "what is parked is not stranded when it is all that is left"


def test_what_is_parked_for_a_limit_that_the_exporter_does_not_know_counts_too(cluster, tmp_path):
    file = tmp_path / "ratelimits.toml"
    file.write_text(config(limit("slow", "1/m")))
    cluster.scene.shop.start_worker(env={"LIMITKIT_CONFIG": str(file)})
    cluster.scene.send([("slow", ())] * 50)
    wait_until(lambda: cluster.length("celery") == 0 and cluster.parked() > 20)
    wait_until(lambda: cluster.asked("sum(celery_rate_limit_cluster_parked)") == cluster.parked())
    cluster.scene.stop_workers()
    cluster.redis.delete("celery", "unacked")
    assert cluster.pods() == 1


def test_limited_tasks_that_wait_for_a_process_stay_in_their_queue_and_are_worth_more_pods(cluster, tmp_path):
    cluster.scene.shop.start_worker()
    cluster.scene.send([("until", (str(tmp_path / "go"),))] * 100)
    wait_until(lambda: len(cluster.scene.shop.starts("until")) >= 2)
    cluster.settles_at(5)
    assert cluster.length("celery") > 80
    assert cluster.parked() == 0


def test_what_a_killed_worker_had_is_worth_one_pod(cluster, tmp_path):
    worker = cluster.scene.shop.start_worker()
    before = len(cluster.scene.shop.starts("until"))
    cluster.scene.send([("until", (str(tmp_path / "go"),))] * 6)
    wait_until(lambda: len(cluster.scene.shop.starts("until")) == before + 2 and not cluster.length("celery"))
    worker.process.kill()
    worker.wait_stopped()
    assert cluster.length("unacked")
    assert cluster.parked() == 0
    cluster.settles_at(1)


def test_one_pod_while_nobody_says_what_is_parked(cluster):
    cluster.scene.broker.stop()
    query = SCALED["spec"]["triggers"][-1]["metadata"]["query"]
    try:
        wait_until(lambda: cluster.asked(query) == 1)
    finally:
        cluster.scene.broker.start()
    cluster.settles_at(0)


def test_probes_fail_until_the_broker_is_there_and_not_because_all_tasks_wait(cluster):
    port = free_port()

    def probed():
        try:
            found = [urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=10) for path in PROBES]
        except urllib.error.URLError:
            return False
        said = [answer.read() for answer in found]
        return len(said) == 2 and all(b"\ncelery_rate_limit_degraded 0.0\n" in each for each in said)

    cluster.scene.broker.stop()
    worker = cluster.scene.shop.start_worker(wait=False, env={"LIMITKIT_METRICS_PORT": str(port)})
    try:
        worker.wait_for_output("Cannot connect to")
        assert not probed()
    finally:
        cluster.scene.broker.start()
    wait_until(probed)
    cluster.scene.send([("paid", ())] * 100)
    wait_until(lambda: cluster.length("celery") == 0 and cluster.parked() > 50)
    assert probed()
    cluster.scene.broker.stop()
    try:
        worker.wait_for_output("Connection to broker lost")
        answers = urllib.request.urlopen(f"http://127.0.0.1:{port}{PROBES[1]}", timeout=10)
        assert answers.status == 200, "a restart would not bring the broker back"
    finally:
        cluster.scene.broker.start()
