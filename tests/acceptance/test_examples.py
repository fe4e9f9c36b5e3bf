"""The example runs as it stands: its app, the limits in the root's file, a real worker."""

import ast
import gc
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from celery import Celery
from support.servers import RedisServer
from support.workers import Worker

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"


@pytest.fixture(scope="module")
def environ(tmp_path_factory):
    with RedisServer(tmp_path_factory.mktemp("redis")) as redis:
        env = {name: value for name, value in os.environ.items() if not name.startswith("LIMITKIT_")}
        yield {**env, "REDIS_URL": redis.url, "PYTHONPATH": f"{ROOT}:{EXAMPLES}"}


@pytest.fixture(scope="module")
def shop(environ, tmp_path_factory):
    """A sender, while one worker of the example runs as its docstring says: started in examples/, told nothing else."""
    log = tmp_path_factory.mktemp("worker") / "worker.log"
    command = [sys.executable, "-m", "celery", "-A", "shop", "--workdir", str(EXAMPLES), "worker", "-c", "4"]
    worker = Worker([*command, "-l", "INFO", "--without-gossip", "--without-mingle"], environ, log)
    sender = Celery("sender", broker=environ["REDIS_URL"], backend=environ["REDIS_URL"], set_as_current=False)
    try:
        worker.wait_ready()
        yield sender
    finally:
        gc.collect()  # results that nobody waited for unsubscribe as they go, which wants their Redis
        worker.stop()
        sender.close()


def done(results, timeout=20.0):
    """Wait until all are done; returns when the last was."""
    for result in results:
        result.get(timeout=timeout)
    return max(result.date_done.timestamp() for result in results)


def test_a_static_limit_paces(shop):
    began = time.time()
    calls = [shop.send_task("shop.call_external_api", (f"https://api.example/{n}",)) for n in range(4)]
    pushes = [shop.send_task("shop.send_push_notification", ("u1", "hello")) for _ in range(6)]
    assert done(pushes) - began >= 0.45  # five intervals of 0.1 s
    assert done(calls) - began >= 1.75  # three intervals of 0.6 s
    assert calls[0].result == {"url": "https://api.example/0", "status": 200}


def test_a_burst_starts_at_once_and_tasks_without_a_limit_flow_past(shop):
    began = time.monotonic()
    mails = [shop.send_task("shop.send_marketing_email", ([f"{n}@example.org"],)) for n in range(3)]
    charges = [shop.send_task("shop.charge_customer", (f"c{n}", 100)) for n in range(50)]
    others = [shop.send_task("shop.update_search_index", (n,)) for n in range(50)]
    done(charges)
    done(others)
    assert time.monotonic() - began < 60.0  # the second mail is due in 72 s
    assert mails[0].get(timeout=10) == ["mailed 0@example.org"]
    assert [mail.state for mail in mails[1:]] == ["PENDING", "PENDING"]


def test_each_user_has_a_bucket(shop):
    greedy = [shop.send_task("shop.user_api_request", ("greedy", "/cart")) for _ in range(6)]
    modest = [shop.send_task("shop.user_api_request", ("modest", "/cart")) for _ in range(5)]
    done(greedy[:5] + modest)
    assert greedy[5].state == "PENDING"  # 5/m burst 5: the sixth starts after 12 s


def test_the_tasks_know_nothing_of_limits():
    """One line installs limitkit; no task is decorated with a rate, takes self or calls anything of limitkit."""
    tree = ast.parse((EXAMPLES / "shop.py").read_text())
    used = [node for node in ast.walk(tree) if isinstance(node, ast.Name) and node.id == "limitkit"]
    assert len(used) == 1
    tasks = [node for node in tree.body if isinstance(node, ast.FunctionDef)]
    assert len(tasks) == 6
    for task in tasks:
        assert [keyword.arg for keyword in task.decorator_list[0].keywords] == ["name"]


def test_the_file_fits_the_app(environ):
    command = [sys.executable, "-c", "from limitkit.cli import main; main()", "validate", "--strict", "--app", "shop"]
    said = subprocess.run(command, capture_output=True, text=True, cwd=EXAMPLES, env=environ, check=False)
    assert (said.returncode, said.stdout) == (0, "")
    assert said.stderr == f"{ROOT / 'ratelimits.toml'}: fine\n"
