"""The Compose example: its commands run as they stand there, and all that it names exists."""

import os
import re
import shutil
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest
import redis
from support.manifests import manifests
from support.servers import free_port, redis_binary
from support.workers import ROOT, Worker, wait_until

from limitkit.config.load import load

FOLDER = ROOT / "examples" / "compose"
(COMPOSE,) = manifests((FOLDER / "compose.yaml").read_text(encoding="utf-8"))
SERVICES = COMPOSE["services"]
PAGE = (ROOT / "docs" / "how-to" / "docker-compose.md").read_text(encoding="utf-8")


def mounts(name):
    """Return what a service mounts, each as its path in the container and the one beside the file."""
    return {path: (FOLDER / source).resolve() for source, path, *_ in map(split, SERVICES[name].get("volumes", []))}


def split(volume):
    return volume.split(":")


def test_the_file_names_services_volumes_and_files_that_there_are():
    for name, service in SERVICES.items():
        assert {*service.get("depends_on", ())} <= SERVICES.keys()
        assert {"image", "build"} & service.keys()
        for source, _, *_ in map(split, service.get("volumes", [])):
            assert source in COMPOSE["volumes"] or (FOLDER / source).exists(), (name, source)
        if "build" in service:
            context = FOLDER / service["build"]["context"]
            dockerfile = (context / service["build"]["dockerfile"]).read_text(encoding="utf-8")
            copied = " ".join(re.findall(r"^COPY (.*) \S+$", dockerfile, re.MULTILINE)).split()
            assert copied
            assert all((context / each).exists() for each in copied)


def test_the_limits_are_mounted_where_the_services_look():
    for name in ("worker", "exporter"):
        config = Path(SERVICES[name]["environment"]["LIMITKIT_CONFIG"])
        assert (mounts(name)[str(config.parent)] / config.name).is_file()
    assert SERVICES["worker"]["environment"] == SERVICES["exporter"]["environment"]
    (scraped,) = re.findall(r"port: (\d+)", (FOLDER / "prometheus.yml").read_text(encoding="utf-8"))
    text = (FOLDER / "limits" / "ratelimits.toml").read_text(encoding="utf-8")
    assert f"port = {scraped}  " in text
    assert f'exporter:{SERVICES["exporter"]["command"][-1]}"' in (FOLDER / "prometheus.yml").read_text(encoding="utf-8")
    assert load(FOLDER / "limits" / "ratelimits.toml")


def test_what_the_page_shows_stands_in_the_files():
    files = "".join(file.read_text(encoding="utf-8") for file in FOLDER.glob("*.y*ml"))
    lines = {line.split(" #")[0].strip() for line in files.splitlines()}
    for block in re.findall(r"^```yaml\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL):
        assert {line.strip() for line in block.splitlines()} <= lines


def test_prometheus_takes_its_file(need_promtool, tmp_path):
    for name in ("prometheus.yml", "rules.yml"):
        shutil.copy(mounts("prometheus")[f"/etc/prometheus/{name}"], tmp_path)
    checking = [need_promtool, "check", "config", str(tmp_path / "prometheus.yml")]
    done = subprocess.run(checking, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture
def server(tmp_path):
    """The Redis of the example, by its own command on another port."""
    program, *options = SERVICES["redis"]["command"]
    assert program == "redis-server"
    port = free_port()
    with (tmp_path / "redis.log").open("wb") as log:
        process = subprocess.Popen(
            [redis_binary(), *options, "--port", str(port)], cwd=tmp_path, stdout=log, stderr=log
        )
    try:
        with redis.Redis(port=port) as client:
            wait_until(lambda: answers(client))
            yield client, port
    finally:
        process.kill()
        process.wait(20)


def answers(client):
    try:
        return client.ping()
    except redis.ConnectionError:
        return False


def scraped(port):
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
        return answer.read().decode()


def shown(worker, port, metric):
    assert worker.process.poll() is None, worker.output()
    try:
        return metric in scraped(port)
    except OSError:
        return False


def test_redis_worker_and_exporter_run_by_their_commands(server, tmp_path):
    client, port = server
    assert client.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}
    metrics, exported = free_port(), free_port()
    limits = (FOLDER / "limits" / "ratelimits.toml").read_text(encoding="utf-8").replace("9545", str(metrics))
    (tmp_path / "ratelimits.toml").write_text(limits, encoding="utf-8")
    env = {
        **{
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("LIMITKIT_", "CELERY_", "GITHUB_"))
        },
        "REDIS_URL": SERVICES["worker"]["environment"]["REDIS_URL"].replace("redis:6379", f"127.0.0.1:{port}"),
        "LIMITKIT_CONFIG": str(tmp_path / "ratelimits.toml"),
        "PYTHONPATH": f"{ROOT}:{ROOT / 'examples'}",
        "C_FORCE_ROOT": "1",
    }
    own = {"9544": str(exported), "0.0.0.0": "127.0.0.1", "4": "1"}
    running = [
        Worker(
            [sys.executable, "-m", *(own.get(word, word) for word in SERVICES[name]["command"])],
            env,
            tmp_path / f"{name}.log",
        )
        for name in ("worker", "exporter")
    ]
    try:
        wait_until(lambda: shown(running[0], metrics, "celery_rate_limit_degraded"))
        wait_until(lambda: shown(running[1], exported, "celery_rate_limit_cluster_parked"))
    finally:
        for each in running:
            each.stop()
