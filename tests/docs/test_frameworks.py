"""The examples for Django, Flask and FastAPI: their web apps send, and a worker of each keeps the declared rate."""

import importlib.util
import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass

import pytest
from celery import Celery
from support.measure import JITTER
from support.servers import RedisServer
from support.workers import ROOT, Worker, wait_until

INTERVAL = 0.1  # seconds; each of the examples declares 10/s
SENT = 15
COMMANDS = """
import json, sys
from limitkit.cli import limitkit
for words in {commands}:
    limitkit.main(words, prog_name="limitkit", standalone_mode=False)
SENT = {sent}
"""
DJANGO = """
import os
os.environ["DJANGO_SETTINGS_MODULE"] = "project.settings"
import django; django.setup()
from django.test import Client
from django.core.management import call_command
call_command("slow_down", "mail", "9/s")
client = Client()
answers = [client.get(f"/welcome/user-{number}/") for number in range(SENT)]
print(json.dumps([[answer.status_code, answer.json()["task"]] for answer in answers]))
"""
FLASK = """
from app import create_app
client = create_app().test_client()
answers = [client.post(f"/invoices/customer-{number}") for number in range(SENT)]
print(json.dumps([[answer.status_code, answer.json["task"]] for answer in answers]))
"""
FASTAPI = """
import asyncio, httpx
from web import app
async def send():
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://web") as client:
        answers = [await client.post(f"/reports/tenant-{number}") for number in range(SENT)]
        seen = await client.get(f"/reports/tasks/{answers[0].json()['task']}")
        assert seen.json()["state"] in {"PENDING", "SUCCESS"}, seen.text
        return answers
answers = asyncio.run(send())
print(json.dumps([[answer.status_code, answer.json()["task"]] for answer in answers]))
"""


@dataclass(frozen=True)
class Example:
    """A folder of examples/: its app, its task and limit, how its web app sends, and what the first task returns."""

    name: str
    app: str
    task: str
    limit: str
    script: str
    first: str


EXAMPLES = [
    Example("django", "project", "mails.tasks.send_welcome", "mail", DJANGO, "welcome user-0"),
    Example("flask", "worker", "invoices.send", "post", FLASK, "invoice for customer-0"),
    Example("fastapi", "tasks", "reports.build", "reports", FASTAPI, "report of tenant-0"),
]


@pytest.fixture(scope="module")
def redis(tmp_path_factory):
    with RedisServer(tmp_path_factory.mktemp("redis")) as server:
        yield server


@pytest.fixture
def environ(redis):
    env = {
        name: value for name, value in os.environ.items() if not name.startswith(("LIMITKIT_", "CELERY_", "GITHUB_"))
    }
    return {**env, "REDIS_URL": redis.url, "PYTHONPATH": str(ROOT), "C_FORCE_ROOT": "1"}


@pytest.fixture(autouse=True)
def _framework(request):
    name = request.node.callspec.params["example"].name
    if importlib.util.find_spec(name) is None:
        pytest.skip(f"{name} is not installed")


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.name)
def test_a_worker_of_the_example_keeps_its_rate(example, environ, redis, tmp_path):
    folder = ROOT / "examples" / example.name
    command = [sys.executable, "-m", "celery", "-A", example.app, "--workdir", str(folder), "worker", "-c", "2"]
    worker = Worker([*command, "-l", "INFO", "--without-gossip", "--without-mingle"], environ, tmp_path / "worker.log")
    results = Celery("results", backend=redis.url, set_as_current=False)
    try:
        worker.wait_ready()
        began = time.time()
        commands = [["validate", "--strict", "--app", example.app], ["explain", example.task, "--app", example.app]]
        program = COMMANDS.format(commands=commands, sent=SENT) + example.script  # one process: importing takes longest
        said = subprocess.run(
            [sys.executable, "-c", program], cwd=folder, env=environ, capture_output=True, text=True, check=False
        )
        assert said.returncode == 0, said.stdout + said.stderr
        assert "ratelimits.toml: fine\n" in said.stderr
        *explained, answered = said.stdout.splitlines()
        assert any(line.startswith(f"{example.limit}  ") for line in explained)
        assert ("mail is at 9/s for an hour." in explained) == (example.name == "django")
        answers = json.loads(answered)
        assert [status for status, _ in answers] == [202] * SENT
        sent = [results.AsyncResult(id_) for _, id_ in answers]
        wait_until(lambda: all(result.ready() for result in sent))
        ends = sorted(result.date_done.timestamp() for result in sent)
        assert sent[0].result == example.first
        assert all(end >= began + number * INTERVAL - JITTER for number, end in enumerate(ends))
    finally:
        worker.stop()
        results.close()
