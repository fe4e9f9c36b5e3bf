"""Each kind of task and of message is limited like any other, and otherwise is what it was."""

import pytest
import redis as redis_client
from celery import Celery
from support.measure import waited
from support.results import returned
from support.workers import POOL, wait_until

import limitkit

INTERVAL = 1 / 3
"""Seconds between two starts of a ``kept.…`` task."""


@pytest.fixture
def broker(kept):
    with redis_client.Redis.from_url(kept.broker_url) as client:
        yield client


def test_a_message_that_waits_is_unacknowledged_and_acks_late_keeps_it_so(kept, broker):
    early = [kept.send("kept.child", 0) for _ in range(12)]
    kept.wait_for_each(early[:1])
    assert broker.hlen("unacked") > 0
    late = [kept.send("kept.acks_late", number) for number in range(3)]
    assert returned(late) == [0, 1, 2]
    assert waited(kept.wait_for_each(early), INTERVAL)
    assert waited(kept.wait_for_each(late), INTERVAL)
    wait_until(lambda: broker.hlen("unacked") == 0)


if POOL == "prefork":  # elsewhere it would kill the worker

    def test_acks_late_with_reject_on_worker_lost(kept, broker):
        """The one process of this worker dies of it, and its successor starts the message again, at the next slot."""
        sent = [kept.send("kept.killed", queue="single") for _ in range(2)]
        assert returned(sent) == ["survived"] * 2
        starts = kept.starts("kept.killed")
        assert len(starts) == 4
        assert {start.retries for start in starts} == {0}
        assert waited(starts, INTERVAL)
        assert kept.send("plain.add", 1, queue="single").get(timeout=20) == 1
        wait_until(lambda: broker.hlen("unacked") == 0)


def test_autoretry_spends_its_retries_on_failures_alone(kept):
    waiting = [kept.send("kept.autoretry", 0) for _ in range(4)]
    sent = kept.send("kept.autoretry", 2)
    assert sent.get(timeout=20) == 2
    assert [start.retries for start in kept.starts_of(sent)] == [0, 1, 2]
    assert returned(waiting) == [0] * 4
    starts = [start for each in (*waiting, sent) for start in kept.starts_of(each)]
    assert len(starts) == 7
    assert waited(starts, INTERVAL)


def test_autoretry_gives_up_when_its_retries_are_spent(kept):
    sent = kept.send("kept.autoretry", 9)
    with pytest.raises(ValueError, match="failure 2"):
        sent.get(timeout=20)
    assert [start.retries for start in kept.starts_of(sent)] == [0, 1, 2]
    assert waited(kept.starts_of(sent), INTERVAL)


def named_like_ours(value):
    """The keys of limitkit that are somewhere in what a task sees, the guard's own mark aside."""
    if not isinstance(value, dict):
        return []
    inner = [found for each in value.values() for found in named_like_ours(each)]
    return inner + [name for name in value if "limitkit" in name and name != "_limitkit_guarded"]


def test_retry_and_no_ticket_goes_along_with_it(kept):
    sent = [kept.send("kept.retry", headers={"tenant": "acme"}) for _ in range(2)]
    for result in sent:
        seen = result.get(timeout=30)
        assert seen["headers"] == {"tenant": "acme"}
        assert named_like_ours(seen) == []
        assert [start.retries for start in kept.starts_of(result)] == [0, 1, 2]
    assert waited(kept.starts("kept.retry"), INTERVAL)


def test_no_ticket_goes_along_with_a_child(kept):
    sent = [kept.send("kept.parent", headers={"tenant": "acme"}) for _ in range(3)]
    for result in sent:
        seen = kept.app.AsyncResult(result.get(timeout=20)).get(timeout=20)
        assert seen["headers"] == {"tenant": "acme"}
        assert named_like_ours(seen) == []
    assert waited(kept.wait_for_each(sent), INTERVAL)


def test_bound_task_is_limited_by_the_user_that_it_names(kept):
    given = [{"args": ("ann",)}, {"kwargs": {"user_id": "ann"}}, {"args": ("ann",), "kwargs": {"greeting": "hi"}}]
    ann = [kept.app.send_task("kept.bound", **each) for each in given]
    bob = [kept.send("kept.bound", "bob") for _ in range(3)]
    others = [kept.send("hourly.user", name) for name in ("ann", "bob", "eve")]
    assert returned(ann) == ["hello ann", "hello ann", "hi ann"]
    assert returned(bob) == ["hello bob"] * 3
    assert waited(kept.wait_for_each(ann), INTERVAL)
    assert waited(kept.wait_for_each(bob), INTERVAL)
    kept.wait_for_each(others)  # none stands behind another, or would for an hour


KINDS = {
    "kept.class_based": "hello you",
    "kept.own_call": ["called", "you"],
    "kept.own_call_only": ["not up", "you"],
    "kept.shared": "you",
    # Registered after the app was finalized and limitkit looked at all tasks:
    "kept.late": "you",
    "kept.late_shared": "you",
    "kept.late_class": "you",
}


@pytest.fixture(scope="module")
def kinds(kept):
    return {name: [kept.send(name, "you") for _ in range(3)] for name in KINDS}


@pytest.mark.parametrize("name", KINDS)
def test_every_way_to_make_a_task(kept, kinds, name):
    assert returned(kinds[name]) == [KINDS[name]] * 3
    assert waited(kept.wait_for_each(kinds[name]), INTERVAL)
    assert "_limitkit_guarded" in kept.send("plain.attributes", name).get(timeout=20)


def test_a_task_without_limits_is_not_touched(kept):
    attributes = kept.send("plain.attributes", "plain.add").get(timeout=20)
    assert [name for name in attributes if name == "run" or "limitkit" in name] == []
    # Shares its class's __call__ with a limited task, and is not held up by it.
    sent = [kept.send("plain.own_call", number) for number in range(60)]
    assert returned(sent) == [["not up", number] for number in range(60)]
    times = [start.at for start in kept.wait_for_each(sent)]
    assert max(times) - min(times) < 40 * INTERVAL  # sixty tokens would take 59


def test_direct_calls_and_apply_are_not_limited(kept):
    limited = [kept.send("kept.direct", number) for number in range(2)]
    called = kept.send("plain.calling", 30)
    assert called.get(timeout=20) == [*range(30)] * 2
    assert len(kept.wait_for(62, "kept.direct")) == 62
    assert waited(kept.wait_for_each(limited), INTERVAL)
    direct = [start.at for start in kept.starts("kept.direct") if start.id not in {result.id for result in limited}]
    assert max(direct) - min(direct) < 40 * INTERVAL  # sixty tokens would take 59


def test_eager_tasks_are_not_limited(tmp_path):
    config = tmp_path / "ratelimits.toml"
    config.write_text('version = 1\n[tasks."eager"]\nstrategy = "token_bucket"\nrate = "1/h"\n')
    app = Celery("eager", set_as_current=False)
    app.conf.update(task_always_eager=True, task_eager_propagates=True)
    limitkit.install(app, config)

    @app.task(name="eager")
    def task():
        return "done"

    assert [task.delay().get() for _ in range(3)] == ["done"] * 3
    assert [task.apply().get() for _ in range(3)] == ["done"] * 3
    assert [task() for _ in range(3)] == ["done"] * 3
    assert "_limitkit_guarded" in vars(app.tasks["eager"])


def test_installing_twice_changes_nothing_and_another_config_is_refused(tmp_path):
    app = Celery("twice", set_as_current=False)
    limitkit.install(app, "one.toml")
    steps = set(app.steps["consumer"])
    limitkit.install(app, "one.toml")
    assert set(app.steps["consumer"]) == steps
    with pytest.raises(ValueError, match=r"with the config one\.toml already"):
        limitkit.install(app, "other.toml")
    with pytest.raises(ValueError, match="install it once, with one config"):
        limitkit.install(app)


def test_static_limit(kept):
    sent = [kept.send("static.add", number, queue="single") for number in range(3)]
    assert returned(sent) == [0, 1, 2]
    assert waited(kept.wait_for_each(sent), INTERVAL)


def test_ignored_results(kept):
    sent = [kept.send("kept.ignoring", 1) for _ in range(3)]
    assert waited(kept.wait_for_each(sent), INTERVAL)
    # When the third has started, the others were done two slots and one slot before.
    assert {result.state for result in sent[:2]} == {"PENDING"}


@pytest.mark.parametrize("serializer", ["json", "pickle"])
def test_serializers(kept, serializer):
    sent = [kept.send("kept.serialized", (1, [2, 3]), serializer=serializer) for _ in range(3)]
    assert returned(sent) == [6] * 3
    assert waited(kept.wait_for_each(sent), INTERVAL)


def test_compressed_messages(kept):
    sent = [kept.send("kept.compressed", "x" * 10_000, compression="gzip") for _ in range(3)]
    seen = returned(sent)
    assert [context["args"] for context in seen] == [["x" * 10_000]] * 3
    assert waited(kept.wait_for_each(sent), INTERVAL)


def test_messages_of_protocol_1(kept):
    with Celery("old", broker=kept.broker_url, backend=kept.env["RESULT_URL"], set_as_current=False) as old:
        old.conf.task_protocol = 1
        sent = [old.send_task("kept.old_protocol", (number,)) for number in range(3)]
        seen = returned(sent)
    assert [context["args"] for context in seen] == [[0], [1], [2]]
    assert [context["id"] for context in seen] == [result.id for result in sent]
    assert waited(kept.wait_for_each(sent), INTERVAL)
