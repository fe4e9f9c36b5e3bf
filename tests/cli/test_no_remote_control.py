"""What the commands say where workers can't be asked: at once, from the store; each is kept in snapshots/unasked/."""

import json

import pytest
from celery import Celery
from support.commands import CLI, Runner, compare
from support.plain_transport import Transport
from support.servers import RedisServer

from limitkit import RateLimitManager
from limitkit.control.workers import NoRemoteControlError, need_remote_control

APP = ("-A", "runningapp")
STEPS = {
    "drift_none": ["drift"],
    "set": ["set", "stripe_api", "10/s", "--reason", "429s", "--by", "eve"],
    "pause": ["pause", "push.send", "--by", "eve"],
    "status": ["status"],
    "status_limit": ["status", "stripe_api"],
    "top": ["top"],
    "drift": ["drift"],
    "set_worker": ["set", "push.send", "10/s", "--worker", "w1@test"],
    "why": ["why", "some-id"],
    "reload": ["reload"],
    "reset": ["reset", "stripe_api"],
    "reset_static": ["reset", "push.send"],
    "resume": ["resume", "push.send"],
    "waiting": ["waiting"],
    "purge": ["purge", "-y"],
    "restore": ["restore"],
    "restore_without_store": ["restore", "--config", "without_store.toml"],
    "status_broken_file": ["status", "--config", "bad.toml"],
}
"""In this order: what one has set, the next one finds."""


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with RedisServer(tmp_path_factory.mktemp("redis")) as server:
        yield server


@pytest.fixture(scope="module")
def runner(server, tmp_path_factory):
    folder = tmp_path_factory.mktemp("files")
    text = (CLI / "running.toml").read_text()
    (folder / "without_store.toml").write_text(f'{text}\n[store]\nurl = "memory://"\n')
    (folder / "bad.toml").write_text(text.replace("25/s", "25/sec"))
    (folder / "ratelimits.toml").write_text(f'{text}\n[store]\nurl = "${{STORE_URL}}"\n')
    return Runner(folder, STORE_URL=server.url, BROKER_URL="plain://localhost")


@pytest.fixture(scope="module")
def said(runner):
    before = Transport.connections
    said = {name: runner.transcript(*words, *APP) for name, words in STEPS.items()}
    return said | {"connections": Transport.connections - before}


@pytest.mark.parametrize("name", STEPS)
def test_what_the_commands_say(said, name):
    compare("unasked", name, said[name])


def test_programs_are_told_so_too(runner):
    for command in ("status", "drift"):
        done = runner.run(command, "--output-format", "json", *APP)
        values = json.loads(done.stdout)
        assert done.returncode == 0
        assert values["workers"] is None
        assert "no broadcasts" in values["workers_error"]


def test_none_waits_for_answers(said):
    """The broker is not even connected to."""
    assert said["connections"] == 0


def test_the_manager_says_so_too(runner):
    app = Celery("unasked", broker="plain://localhost", set_as_current=False)

    @app.task(name="push.send", shared=False)
    def push(): ...

    manager = RateLimitManager(app, runner.folder / "without_store.toml")
    for command in (manager.restore_defaults, lambda: manager.pause("push.*"), lambda: manager.reset("push.*")):
        with pytest.raises(NoRemoteControlError, match="no broadcasts"):
            command()
    app.close()


def test_it_may_be_switched_off():
    app = Celery("unasked", broker="memory://", set_as_current=False)
    need_remote_control(app)
    app.conf.worker_enable_remote_control = False
    with pytest.raises(NoRemoteControlError, match="worker_enable_remote_control"):
        need_remote_control(app)
    app.close()
