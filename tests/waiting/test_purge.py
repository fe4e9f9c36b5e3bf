"""What purges a queue purges what is parked of it, too: by Celery's own ways, on a real Redis, over each connection."""

import logging
import subprocess
import sys

import pytest
import redis
from celery import Celery
from celery.apps.worker import Worker
from kombu import Exchange, Queue
from support.parked import filling
from support.servers import RedisServer
from support.workers import ROOT, wait_until

import limitkit
from limitkit.waiting.rabbitmq_room import wait_queue

TOML = """
version = 1

[limits.api]
strategy = "token_bucket"
rate = "1/s"
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with RedisServer(tmp_path_factory.mktemp("redis")) as running:
        yield running


@pytest.fixture
def config(tmp_path):
    path = tmp_path / "ratelimits.toml"
    path.write_text(TOML)
    return path


@pytest.fixture
def make_app(server, config):
    made = []

    def make(**conf):
        app = Celery("purges", broker=server.url, set_as_current=False)
        limitkit.install(app, config)
        app.conf.update(task_queues=[Queue("one"), Queue("two")], task_default_queue="one", **conf)
        made.append(app)
        return app

    yield make
    for app in made:
        app.close()


@pytest.fixture
def app(make_app):
    return make_app()


@pytest.fixture
def parked(server, config):
    """Three messages are parked of the queue "one", four of "two", one lies in each."""
    with redis.Redis.from_url(server.url) as client:
        client.flushdb()
    return park(server, config)


def park(server, config, **conf):
    limit = limitkit.load(config).rules.named["api"]
    with filling(server.url, ("one", "two"), **conf) as filler:
        for queue, count in (("one", 3), ("two", 4)):
            filler.park(limit, "paid", queue=queue, count=count - 1)
            filler.park(limit, "paid", queue=queue, value="acme")
            filler.app.send_task("paid", queue=queue)


def left(server):
    """Messages that are still parked, by queue."""
    with redis.Redis.from_url(server.url) as client:
        return {
            queue: sum(client.zcard(key) for key in client.keys(f"*limitkit:waiting:line:{queue}"))
            for queue in ("one", "two")
        }


def test_all_queues(app, server, parked):
    assert app.control.purge() == 9
    assert left(server) == {"one": 0, "two": 0}
    with redis.Redis.from_url(server.url) as client:
        assert not client.keys("limitkit:waiting:messages")
    assert app.control.purge() == 0


def test_one_queue(app, server, parked):
    with app.connection_for_write() as connection:
        assert connection.default_channel.queue_purge(queue="two") == 5
        assert left(server) == {"one": 3, "two": 0}
        assert Queue("one", channel=connection.channel()).purge() == 4
    assert left(server) == {"one": 0, "two": 0}


def test_a_worker_that_starts_with_it(app, server, parked, capsys):
    Worker.purge_messages(type("Starting", (), {"app": app, "_ensure_connected": lambda _, connection: connection})())
    assert "Erased 9 messages" in capsys.readouterr().out
    assert left(server) == {"one": 0, "two": 0}


@pytest.mark.parametrize(("options", "count"), [(["-Q", "two"], 5), (["-X", "two"], 4)])
@pytest.mark.usefixtures("parked")
def test_the_command(server, tmp_path, options, count):
    (tmp_path / "purges.py").write_text(
        f"from celery import Celery\nfrom kombu import Queue\nimport limitkit\n"
        f"app = Celery('purges', broker='{server.url}')\nlimitkit.install(app)\n"
        f"app.conf.task_queues = [Queue('one'), Queue('two')]\n"
    )
    command = [sys.executable, "-m", "celery", "-A", "purges", "purge", "-f", *options]
    done = subprocess.run(
        command, cwd=tmp_path, env={"PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=True
    )
    assert f"Purged {count} messages" in done.stdout
    assert list(left(server).values()) == ([3, 0] if options[0] == "-Q" else [0, 4])


def test_with_a_key_prefix(make_app, server, config, parked):
    options = {"broker_transport_options": {"global_keyprefix": "mine-"}}
    park(server, config, **options)
    assert make_app(**options).control.purge() == 9
    assert left(server) == {"one": 3, "two": 4}  # those of others


def test_what_is_parked_of_many_buckets(app, server, config, parked):
    limit = limitkit.load(config).rules.named["api"]
    with filling(server.url, ("one", "two")) as filler:
        for number in range(230):
            filler.park(limit, "paid", queue="one", value=number)
    assert app.control.purge() == 239


@pytest.fixture(params=["rights", "config"])
def hindered(make_app, server, config, parked, request):
    """Make an app whose user may not touch what is parked, or whose config can't be used."""
    if request.param == "config":
        config.write_text("version =")
        yield make_app()
        return
    with redis.Redis.from_url(server.url) as admin:
        admin.execute_command("ACL", "SETUSER", "nobody", "on", ">s3cret", "+@all", "~one*", "~two*", "~_kombu*", "&*")
        yield make_app(broker_url=server.url.replace("://", "://nobody:s3cret@"))
        admin.execute_command("ACL", "DELUSER", "nobody")


def test_what_can_not_be_purged_is_said_in_a_line(hindered, server, caplog):
    with caplog.at_level(logging.WARNING, "limitkit"):
        assert hindered.control.purge() == 2
    assert left(server) == {"one": 3, "two": 4}
    said = [message for message in caplog.messages if "can't be purged (" in message]
    assert len(said) == 2
    assert all("\n" not in message for message in said)
    assert {record.exc_info for record in caplog.records} == {None}
    assert "s3cret" not in caplog.text


@pytest.mark.parametrize("queue", ["one", "x" * 230])
def test_queues_of_rabbitmq_in_which_messages_wait(rabbit, config, queue, caplog):
    app = Celery("purges", broker=rabbit.url, set_as_current=False)
    limitkit.install(app, config)
    app.conf.update(task_queues=[Queue(queue)], task_default_queue=queue)
    with app.connection_for_write() as connection:
        channel, names = connection.default_channel, [queue]
        channel.queue_declare(queue, durable=True, auto_delete=False)
        for step, quorum in ((1, False), (60, False), (60, True)):
            name, arguments = wait_queue(queue, step, quorum=quorum)
            arguments["x-message-ttl"] = 600_000  # so long does the test take at most
            channel.queue_declare(name, durable=True, arguments=arguments, auto_delete=False)
            names.append(name)
        for name in names:
            app.send_task("paid", queue=Queue(name, exchange=Exchange(""), routing_key=name, no_declare=True))
        wait_until(lambda: all(channel.queue_declare(name, passive=True).message_count for name in names))
        assert app.control.purge() == 4
        assert app.control.purge() == 0
    assert "can't be purged" not in caplog.text
    app.close()
