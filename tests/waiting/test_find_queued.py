"""Finding a message in the queues of a real Redis broker, as kombu's own producers put it there."""

import pytest
from celery import Celery
from support.servers import RedisServer

from limitkit.cli.commands.why import _elsewhere
from limitkit.control.manager import RateLimitManager
from limitkit.control.workers import connection
from limitkit.waiting import find_queued, room_names

QUEUES = ("celery", "mail")


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with RedisServer(tmp_path_factory.mktemp("redis")) as server:
        yield server


@pytest.fixture(params=["", "app:"])
def app(server, request):
    database = 1 if request.param else 0
    app = Celery("sender", broker=f"{server.url[:-1]}{database}", set_as_current=False)
    app.conf.update(task_ignore_result=True, broker_transport_options={"global_keyprefix": request.param})
    yield app
    with app.connection_for_write() as connection:
        for queue in QUEUES:
            connection.default_channel.queue_purge(queue)
    app.close()


def find(app, task_id):
    with connection(app) as lent:
        return find_queued.find(lent.channel(), QUEUES, task_id)


def test_its_place_counts_from_the_next_and_over_priorities(app):
    first, *_, last = [app.send_task("free").id for _ in range(120)]
    later = app.send_task("later", priority=6, queue="mail", eta="2100-01-01T00:00:00").id
    behind = app.send_task("behind", priority=9).id
    assert find(app, first) == find_queued.Queued("free", "celery", 1, "")
    assert find(app, last) == find_queued.Queued("free", "celery", 120, "")
    assert find(app, behind) == find_queued.Queued("behind", "celery", 121, "")
    assert find(app, later) == find_queued.Queued("later", "mail", 1, "2100-01-01T00:00:00")
    assert find(app, "no-such-id") is None


def test_one_that_a_worker_has_fetched_and_not_acknowledged(app):
    kept = app.send_task("free", queue="mail").id
    with app.connection_for_read() as other:
        message = other.default_channel.basic_get("mail")
        assert find(app, kept) == find_queued.Queued("free", "", 0, "")
        message.ack()
        assert find(app, kept) is None


def test_an_id_in_an_argument_is_not_the_message_s_own(app):
    app.send_task("free", ["wanted-id"], argsrepr="('wanted-id',)")
    assert find(app, "wanted-id") is None


@pytest.mark.filterwarnings("ignore:Call to deprecated setex")  # of Celery's backend
def test_why_takes_a_retry_for_what_was_sent_back_and_looks_into_the_queues(app, server, tmp_path):
    """A start that was sent back has that state, and its message may be in its queue."""
    (tmp_path / "f.toml").write_text("version = 1\n")
    app.conf.result_backend = f"{server.url[:-1]}2"
    manager = RateLimitManager(app, tmp_path / "f.toml")
    task_id = app.send_task("free").id
    app.backend.mark_as_retry(task_id, None)
    assert _elsewhere(manager, room_names.REDIS, task_id) == [
        "free is in its queue, celery, number 1: no worker has fetched it yet."
    ]
    app.backend.mark_as_retry("running", None)
    assert _elsewhere(manager, room_names.REDIS, "running") == [
        "The result backend says RETRY: it starts again, and where it is meanwhile is not known."
    ]
    app.backend.mark_as_done("done", 1)
    assert _elsewhere(manager, room_names.REDIS, "done") == [
        "The result backend says SUCCESS: it does not wait because of limitkit."
    ]
