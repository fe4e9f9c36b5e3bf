"""In a pool without a pacer the guard alone keeps the limits, and all that Celery promises."""

import re
import subprocess
import sys

import pytest
from celery import chain, chord
from celery.exceptions import TaskRevokedError
from support.measure import excess, promised, waited
from support.messages import RICH, seen
from support.results import returned
from support.workers import wait_until

GUARDED = """
version = 1

[tasks."kept.*"]
strategy = "token_bucket"
rate = "4/s"

[tasks."kept.result"]
strategy = "token_bucket"
rate = "10/s"
burst = 2

[tasks."slow.stamped"]
strategy = "token_bucket"
rate = "2/h"
"""

RESENT = ("eta", "ignore_result")
"""What Celery gives another value when it sends a message again: None and False are one to it."""


@pytest.fixture(scope="module", params=["foreign-threads", "foreign-solo"])
def unpaced(request, make_kept):
    """Two workers of a pool whose places can't be counted."""
    shop = make_kept(GUARDED, accept_content=["json", "pickle"])
    shop.start_workers(2, "-P", request.param)
    return shop


def test_guard_alone_keeps_the_limit_and_loses_nothing(unpaced):
    limited = [unpaced.send("kept.result", number) for number in range(15)]
    free = [unpaced.send("plain.add", number) for number in range(30)]
    assert returned(limited) == list(range(15))
    assert returned(free) == list(range(30))
    starts = unpaced.wait_for_each_once(limited)
    assert excess([start.at for start in starts], 10) <= promised(10, 2)
    assert {start.retries for start in starts} == {0}
    unpaced.wait_for_each_once(free)


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
        assert waited(unpaced.wait_for_each_once(sent), 0.25)


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
    assert waited(unpaced.wait_for_each_once(told), 0.25)
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
    assert returned(sent) == [3] * 5
    assert waited(unpaced.wait_for_each_once(sent), 0.25)


def test_guard_alone_limits_every_kind_of_task(unpaced):
    names = ("kept.own_call", "kept.own_call_only", "kept.class_based", "kept.shared", "kept.late")
    sent = {name: [unpaced.send(name, "you") for _ in range(4)] for name in names}
    for results in sent.values():
        assert all("you" in str(each) for each in returned(results))
        assert waited(unpaced.wait_for_each_once(results), 0.25)


def test_status_counts_the_starts_where_the_guard_is_alone(unpaced):
    unpaced.wait_for_each_once([unpaced.send("kept.result", number) for number in range(3)])

    def started():
        replies = unpaced.app.control.broadcast("limitkit_status", reply=True, timeout=2, limit=2)
        return sum(said["limits"]["task=kept.result"]["started"] for reply in replies for said in reply.values())

    wait_until(lambda: started() >= 3)


def said_by_why(shop, result):
    command = [sys.executable, "-m", "limitkit", "why", result.id, "-A", shop.module]
    options = {"env": shop.env, "cwd": shop.folder, "capture_output": True, "text": True}
    return subprocess.run(command, check=True, **options).stdout


def test_why_knows_what_celery_itself_holds_for_its_own_rate_limit(unpaced):
    unpaced.app.control.rate_limit("plain.add", "2/m", reply=True)
    held = [unpaced.send("plain.add", 1) for _ in range(6)][-1]
    wait_until(lambda: "own rate_limit" in said_by_why(unpaced, held))
    assert re.fullmatch(
        r"plain\.add is in w[12]@test, held by Celery's own rate_limit, 2/m: it does not wait because of limitkit\.\n",
        said_by_why(unpaced, held),
    )
    unpaced.app.control.revoke(held.id)
    unpaced.app.control.rate_limit("plain.add", "0", reply=True)


def test_why_knows_that_what_was_sent_back_waits_for_its_limit(unpaced):
    """Celery keeps it until its ETA, which is limitkit's own."""
    sent = [unpaced.send("slow.stamped") for _ in range(2)]
    theirs = unpaced.send("slow.stamped", countdown=3600)

    def why(result):
        return said_by_why(unpaced, result)

    unpaced.wait_for(1, "slow.stamped")
    (started,) = unpaced.starts("slow.stamped")
    (waits,) = (result for result in sent if result.id != started.id)
    wait_until(lambda: "looks whether" in why(waits))
    assert re.fullmatch(
        r"slow\.stamped waits for tasks\.slow\.stamped \(2/h, burst 1\), sent back to its queue with an ETA\.\n"
        r"w[12]@test has fetched it again, and looks whether it may start in [0-9]+s\.\n",
        why(waits),
    )
    assert re.fullmatch(
        r"slow\.stamped is in w[12]@test, which keeps it until its ETA, in (59m [0-9]+s|1h): "
        r"it does not wait because of limitkit\.\n",
        why(theirs),
    )
    unpaced.app.control.revoke([waits.id, theirs.id])
