"""Limits hold, and nothing is lost, however the worker was started: its options, and pools that have no pacer."""

import pytest
from celery import chain, chord
from celery.exceptions import TaskRevokedError
from support.measure import excess, waited
from support.messages import RICH, seen

INTERVAL = 1 / 3
"""Seconds between two starts of a ``kept.…`` task."""


def once_each(shop, results):
    """The starts of these messages, each of which started exactly once."""
    starts = shop.wait_for_each(results)
    assert all(len(shop.starts_of(result)) == 1 for result in results)
    return starts


def test_autoscale(make_kept):
    shop = make_kept(env={"AUTOSCALE_KEEPALIVE": "1"})
    worker = shop.start_worker("--autoscale=4,1")
    busy = [shop.send("slow", 2.0) for _ in range(5)]
    limited = [shop.send("kept.result", number) for number in range(4)]
    worker.wait_for_output("Scaling up")
    assert [result.get(timeout=20) for result in limited] == [0, 1, 2, 3]
    assert waited(once_each(shop, limited), INTERVAL)
    assert [result.get(timeout=20) for result in busy] == [2.0] * 5
    worker.wait_for_output("Scaling down")
    more = [shop.send("kept.result", number) for number in range(3)]
    assert [result.get(timeout=20) for result in more] == [0, 1, 2]
    assert waited(once_each(shop, more), INTERVAL)


def test_disabled_prefetch(make_kept):
    shop = make_kept(worker_disable_prefetch=True)
    shop.start_workers(2)
    limited = [shop.send("kept.result", number) for number in range(15)]
    free = [shop.send("plain.add", number) for number in range(20)]
    assert [result.get(timeout=20) for result in free] == list(range(20))
    assert [result.get(timeout=20) for result in limited] == list(range(15))
    starts = once_each(shop, limited)
    assert waited(starts, INTERVAL)
    assert max(start.at for start in once_each(shop, free)) < starts[-1].at  # 4.7 s after the first


def test_recycled_processes(make_kept):
    shop = make_kept()
    shop.start_worker("--max-tasks-per-child=1")
    limited = [shop.send("kept.recycled") for _ in range(5)]
    free = [shop.send("plain.add", number) for number in range(5)]
    assert [result.get(timeout=20) for result in free] == list(range(5))
    starts = once_each(shop, limited)
    assert waited(starts, INTERVAL)
    assert len({start.label for start in starts}) == 5  # each in a process of its own


def test_installed_after_the_tasks_were_registered(make_kept):
    shop = make_kept(env={"WITH_LIMITKIT": "0", "INSTALL_LAST": "1"})
    shop.start_worker()
    sent = {name: [shop.send(name, 1) for _ in range(3)] for name in ("kept.result", "kept.shared", "kept.late")}
    for results in sent.values():
        assert [result.get(timeout=20) for result in results] == [1, 1, 1]
        assert waited(once_each(shop, results), INTERVAL)


def test_what_was_held_as_long_as_it_may_be_goes_back_unchanged(make_kept):
    """Held for a quarter of the visibility timeout at most, here 1.5 s, and so sent back, once or more often."""
    shop = make_kept(broker_transport_options={"visibility_timeout": 6})
    worker = shop.start_worker()
    header = [shop.app.signature("kept.chain", (number,)) for number in range(8)]
    body = chord(header, app=shop.app)(shop.app.signature("plain.collect"))
    ahead = [shop.send("kept.told_back", number) for number in range(6)]
    link = shop.app.signature("plain.add", (1,), immutable=True).set(task_id="link")
    told = shop.send("kept.told_back", 7, link=[link], **RICH)
    plain = shop.send("plain.tell", 7, link=[link.clone().set(task_id="other")], **RICH)
    assert body.get(timeout=30) == list(range(8))
    assert shop.app.AsyncResult("link").get(timeout=30) == 1
    assert worker.output().count(f"[{told.id}] received") > 1
    assert waited(once_each(shop, [*ahead, told]), INTERVAL)
    assert waited(once_each(shop, body.parent.results), INTERVAL)
    assert seen(told.get(timeout=20)) == seen(plain.get(timeout=20))


# -- pools without a pacer: the guard alone ---------------------------------------------------------------------------

GUARDED = """
version = 1

[tasks."kept.*"]
strategy = "token_bucket"
rate = "4/s"

[tasks."kept.result"]
strategy = "token_bucket"
rate = "10/s"
burst = 2
"""


RESENT = ("eta", "ignore_result")
"""What Celery gives another value when it sends a message again: None and False are one to it."""


@pytest.fixture(scope="module", params=["threads", "solo"])
def unpaced(request, make_kept):
    """Two workers of a pool whose processes can't be waited for."""
    shop = make_kept(GUARDED, accept_content=["json", "pickle"])
    shop.start_workers(2, "-P", request.param)
    return shop


def test_guard_alone_keeps_the_limit_and_loses_nothing(unpaced):
    limited = [unpaced.send("kept.result", number) for number in range(30)]
    free = [unpaced.send("plain.add", number) for number in range(30)]
    assert [result.get(timeout=40) for result in limited] == list(range(30))
    assert [result.get(timeout=20) for result in free] == list(range(30))
    starts = once_each(unpaced, limited)
    assert excess([start.at for start in starts], 10) <= 2 + 1 + 0.05 * 10
    assert {start.retries for start in starts} == {0}
    once_each(unpaced, free)


def test_guard_alone_keeps_chains_chords_links_and_errbacks(unpaced):
    signature = unpaced.app.signature
    header = [signature("kept.header", (number,)) for number in range(5)]
    collected = chord(header, app=unpaced.app)(signature("plain.collect"))
    total = chord([signature("plain.add", (number,)) for number in range(3)], app=unpaced.app)(signature("kept.body"))
    chained = chain(*[signature("kept.chain", (number,)) for number in (1, 10, 100)], app=unpaced.app).apply_async()
    linked = f"linked-{total.id}"
    links = [signature("kept.linked", (10,)).set(task_id=linked)]
    link = [unpaced.send("kept.link", 1, link=links if number == 3 else []) for number in range(4)]
    failing = [unpaced.send("kept.failing", link_error=signature("plain.errback")) for _ in range(4)]
    assert collected.get(timeout=30) == [0, 1, 2, 3, 4]
    assert total.get(timeout=30) == 3
    assert chained.get(timeout=30) == 111
    assert unpaced.app.AsyncResult(linked).get(timeout=30) == 11
    for result in failing:
        with pytest.raises(LookupError, match="nothing here"):
            result.get(timeout=30)
    called = unpaced.wait_for(4, "plain.errback")
    assert {start.label.split(" ")[0] for start in called} == {result.id for result in failing}
    for sent in (collected.parent.results, link, failing):
        assert waited(once_each(unpaced, sent), 0.25)


def test_guard_alone_keeps_retries_headers_and_expiry(unpaced):
    retried = [unpaced.send("kept.retry", headers={"tenant": "acme"}) for _ in range(2)]
    autoretried = [unpaced.send("kept.autoretry", 2) for _ in range(2)]
    expiring = [unpaced.send("kept.chain", number, expires=0.4) for number in range(6)]
    staying = unpaced.send("kept.chain", 6, expires=60)
    told = [unpaced.send("kept.tell", 7, **RICH) for _ in range(3)]
    plain = unpaced.send("plain.tell", 7, **RICH)
    for result in retried:
        assert result.get(timeout=30)["headers"] == {"tenant": "acme"}
        assert [start.retries for start in unpaced.starts_of(result)] == [0, 1, 2]
    for result in autoretried:
        assert result.get(timeout=30) == 2
        assert [start.retries for start in unpaced.starts_of(result)] == [0, 1, 2]
    for name in ("kept.retry", "kept.autoretry"):
        assert waited(unpaced.starts(name), 0.25)
    assert waited(once_each(unpaced, told), 0.25)
    for result in told:
        # It was sent back with a countdown, as Celery's own retry sends it.
        assert seen(result.get(timeout=20), *RESENT) == seen(plain.get(timeout=20), *RESENT)
    assert staying.get(timeout=30) == 6
    left = [result for result in expiring if unpaced.starts_of(result)]
    assert len(left) <= 3
    for result in expiring:
        if result in left:
            result.get(timeout=20)
        else:
            with pytest.raises(TaskRevokedError):
                result.get(timeout=20)


def test_guard_alone_keeps_what_json_can_not_carry(unpaced):
    sent = [unpaced.send("kept.serialized", {1, 2}, serializer="pickle") for _ in range(5)]
    assert [result.get(timeout=20) for result in sent] == [3] * 5
    assert waited(once_each(unpaced, sent), 0.25)


def test_guard_alone_limits_every_kind_of_task(unpaced):
    names = ("kept.own_call", "kept.own_call_only", "kept.class_based", "kept.shared", "kept.late")
    sent = {name: [unpaced.send(name, "you") for _ in range(4)] for name in names}
    for results in sent.values():
        assert all("you" in str(result.get(timeout=30)) for result in results)
        assert waited(once_each(unpaced, results), 0.25)
