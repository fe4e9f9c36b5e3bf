"""The one line that a worker says of itself when it starts."""

import pytest
from celery import Celery

from limitkit.config.declared import StoreSettings
from limitkit.config.load import load
from limitkit.stores.choice import store_shown
from limitkit.worker.startup_line import start_line

LIMITS = """
version = 1

[limits.stripe]
strategy = "token_bucket"
rate = "25/s"

[limits.unused]
strategy = "token_bucket"
rate = "1/s"

[tasks."shop.charge"]
limits = ["stripe"]

[tasks."shop.refund"]
limits = ["stripe"]

[tasks."emails.*"]
strategy = "static"
rate = "10/s"

[tasks."emails.receipt"]
limits = []

[tasks."reports.build"]
strategy = "static"
rate = "1/m"
mode = "shadow"

[tasks."old.import"]
strategy = "static"
rate = "1/m"
mode = "off"
"""
NAMES = ("shop.charge", "shop.refund", "emails.welcome", "emails.goodbye", "emails.receipt", "reports.build", "free")


@pytest.fixture
def line(tmp_path, monkeypatch):
    for name in ("LIMITKIT_MODE", "LIMITKIT_CONFIG"):
        monkeypatch.delenv(name, raising=False)

    def line(*names, toml=LIMITS, broker="redis://:s3cret@broker:6379/1", paced=True, mode=""):
        if mode:
            monkeypatch.setenv("LIMITKIT_MODE", mode)
        app = Celery("x", broker=broker, set_as_current=False)
        for name in names:
            app.task(name=name, shared=False)(charge)
        path = tmp_path / "ratelimits.toml"
        path.write_text(toml)
        config = load(path)
        said = start_line(config, app, "threads (4)", paced=paced)
        return said.replace(str(path), "FILE").replace(config.digest, "DIGEST")

    def charge(): ...

    return line


def test_it_says_what_holds_for_whom_and_where_what_waits_is(line):
    assert line(*NAMES) == (
        "Limits by FILE (DIGEST): 2 limits in force, 1 in shadow, for 5 tasks. "
        "Store: redis://broker:6379/1 (from the app). Pool: threads (4), paced. "
        "Tasks that can't start within 2s are parked in the broker's Redis."
    )


def test_each_part_follows_what_there_is(line):
    assert "2 limits in force, 1 in shadow, 1 off, for 5 tasks." in line(*NAMES, "old.import")
    assert "1 limit in force, for 1 task." in line("shop.charge")
    assert "no limit in force, 1 in shadow, for 1 task." in line("reports.build")
    assert "(DIGEST): no task of this app has a limit in it." in line("free", "emails.receipt")
    queues = '\n[queues."mail*"]\nlimits = ["unused"]\n[queues.try]\nlimits = ["unused", "stripe"]\nmode = "off"\n'
    said = line(*NAMES, toml=LIMITS + queues)
    assert "3 limits in force, 1 in shadow, for 5 tasks, for all that comes from 1 queue of the file." in said
    assert "(DIGEST): 1 limit in force, 1 off, for all that comes from 1 queue of the file." in line(
        "free", toml=LIMITS + queues
    )
    assert line(*NAMES, paced=False).endswith(
        " Pool: threads (4), not paced. "
        "What can't start at once goes back to its queue, since this worker has no pacer."
    )


def test_a_mode_of_the_environment_counts(line):
    assert "no limit in force, 3 off." in line(*NAMES, mode="off")
    assert "no limit in force, 3 in shadow, for 5 tasks." in line(*NAMES, mode="shadow")


def test_it_names_other_stores_and_other_rooms(line):
    store = '\n[store]\nurl = "rediss://user:s3cret@one:6380/2?ssl_cert_reqs=none"\n'
    said = line(*NAMES, toml=LIMITS + store, broker="amqp://guest:s3cret@rabbit//")
    assert "Store: rediss://one:6380/2. " in said
    assert said.endswith("are parked in queues of RabbitMQ with a time to live.")
    assert "Store: none. " in line(*NAMES, broker="amqp://guest:s3cret@rabbit//")
    assert "Store: this worker's memory. " in line(*NAMES, toml=LIMITS + '\n[store]\nurl = "memory://"\n')


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("redis://:p%40ss@h:6379/0", "redis://h:6379/0"),
        ("redis://user:p@ss@h/0", "redis://h/0"),
        ("redis://:a/b@h/0", "redis://h/0"),
        ("redis://:a?b@h/0", "redis://…"),
        ("redis://h/0?password=s3cret", "redis://h/0"),
        ("redis://h/0?password=s3@cret", "redis://…"),
        ("sentinel://:s3cret@a:26379,b:26379/0?master=m", "sentinel://a:26379,b:26379/0"),
        ("unix://user:s3cret@/run/redis.sock?db=1", "unix:///run/redis.sock"),
    ],
)
def test_no_secret_of_an_address_is_shown(url, shown):
    assert store_shown(None, StoreSettings(url, "limitkit", 0.25, "allow")) == shown
