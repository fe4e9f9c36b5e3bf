"""What workers answer: files, queues, pools, versions and clocks."""

import time

import pytest
from celery import Celery
from doctor.conftest import TOML, Examined
from support.impostor import answering
from support.workers import Shop

import limitkit
from limitkit.doctor.finding import Sheet
from limitkit.doctor.queues import look_at_queues
from limitkit.doctor.workers import look_at_workers

SHOP = """\
version = 1

[tasks."shop.paid"]
strategy = "token_bucket"
rate = "{rate}"

[queues.urgent]
limits = []
"""


@pytest.fixture(scope="module")
def shop(server, tmp_path_factory):
    """A worker that consumes from one queue, with a file of its own."""
    with Shop(tmp_path_factory.mktemp("shop"), server.url, SHOP.format(rate="10/s")) as shop:
        shop.start_worker("-P", "solo", "-Q", "consumed")
        yield shop


def looked(app, config, ahead=0.0, patience=1.0):
    sheet = Sheet()
    consumed = look_at_workers(sheet, config, app, patience, ahead)
    look_at_queues(sheet, config, app, consumed)
    return Examined(sheet=sheet, app=app)


@pytest.fixture
def sender(shop):
    """The same app, in this process."""
    with Celery("sender", broker=shop.broker_url, set_as_current=False) as app:
        app.conf.task_default_queue = "consumed"
        yield app


def test_a_worker_that_is_as_the_file_says(shop, sender):
    said = looked(sender, limitkit.load(shop.env["LIMITKIT_CONFIG"]))
    assert said.check("workers", "answers").seen == "1 worker: w1@test"
    assert said.check("workers", "limits").status == "ok"
    assert said.check("workers", "clocks").status == "ok"
    assert said.check("workers", "limitkit").status == "ok"
    assert said.check("workers", "pools").seen == "solo:TaskPool"
    assert said.codes == {"LK160"}  # of the queue that the file alone names
    assert "urgent" in said.of("LK160").message


def test_another_file_a_queue_nobody_consumes_from_and_an_hour_between_clocks(shop, sender, tmp_path):
    """In one look: each takes a second."""
    file = tmp_path / "ratelimits.toml"
    file.write_text(SHOP.format(rate="20/s").replace("[queues.urgent]\nlimits = []\n", ""))
    sender.conf.task_routes = ({"shop.*": {"queue": "forgotten"}}, [("other.*", "consumed")])
    sender.send_task("shop.paid", queue="forgotten")
    said = looked(sender, limitkit.load(file), ahead=3600.0)
    assert "two files are in force" in said.of("LK132").message
    assert "w1@test uses another file" in said.of("LK132").message
    assert said.of("LK132").severity == "error"
    assert "1 message there, which never starts" in said.of("LK160").message
    assert said.of("LK160").severity == "error"
    assert "the clock of w1@test is" in said.of("LK157").message
    assert "behind the store's" in said.of("LK157").message
    assert said.codes == {"LK132", "LK157", "LK160"}


def test_one_without_limitkit_and_one_of_another_version(server, app_with):
    """Both answer as such workers do."""
    url = server.url.replace("/0", "/1")  # the other worker is not there
    app, config = app_with(TOML, broker=url)
    report = {
        "limitkit": "9.9.9", "now": time.time() + 60, "path": "ratelimits.toml", "digest": config.digest, "since": 1.0,
        "refused": "", "mode": "enforce", "paced": True, "unguarded": [], "caps": {}, "limits": {}, "prefix": "lim",
        "passing": [["the Strategy of paid is none of Celery's", "look"]],
    }  # fmt: skip
    stats = {"pool": {"implementation": "others.pool:Pool"}}
    nothing = {"error": "unknown"}
    old = {"stats": lambda: stats, "limitkit_status": lambda **_: nothing}
    new = {"stats": dict, "limitkit_status": lambda **_: report}
    queues = {"active_queues": lambda: [{"name": "celery"}]}
    with answering(url, "old@test", **queues, **old), answering(url, "new@test", **queues, **new):
        said = looked(app, config)
    assert "old@test unknown; the tasks that it starts count for no limit" in said.of("LK133").message
    assert "new@test runs limitkit 9.9.9" in said.of("LK134").message
    assert "the clock of new@test is" in said.of("LK157").message
    assert "ahead of" in said.of("LK157").message
    assert "new@test: the Strategy of paid" in said.of("LK057").message
    assert "others.pool:Pool" in said.of("LK058").message
    assert said.codes == {"LK133", "LK134", "LK157", "LK057", "LK058"}
