"""What Celery promises of messages holds for those that wait for their limit, too: here each truly waits."""

import time
from datetime import datetime, timedelta, timezone

import pytest
from celery import chain, chord, group
from celery.exceptions import TaskRevokedError
from support.measure import JITTER, waited
from support.messages import RICH, seen
from support.results import returned
from support.workers import POOL

INTERVAL, SLOW = 1 / 3, 3.0
"""Seconds between two starts of a ``kept.…`` task, and of a ``slow.…`` task."""


@pytest.fixture
def signature(kept):
    return kept.app.signature


def take_the_token(kept, name, *args, **options):
    """Send one message and let it start, so that the next has to wait; returns its start."""
    return kept.wait_for_each([kept.send(name, *args, **options)])[0]


def test_results(kept):
    sent = [kept.send("kept.result", number) for number in range(3)]
    assert returned(sent) == [0, 1, 2]
    assert all(result.state == "SUCCESS" for result in sent)
    assert waited(kept.wait_for_each(sent), INTERVAL)


def test_chain(kept, signature):
    steps = [signature("kept.chain", (number,)) for number in (1, 10, 100)]
    assert chain(*steps, app=kept.app).apply_async().get(timeout=20) == 111
    assert waited(kept.starts("kept.chain"), INTERVAL)


def test_group(kept, signature):
    sent = group([signature("kept.group", (number,)) for number in range(4)], app=kept.app).apply_async()
    assert sent.get(timeout=20) == [0, 1, 2, 3]
    assert waited(kept.wait_for_each(sent.results), INTERVAL)


def test_chord_with_a_limited_header(kept, signature):
    header = [signature("kept.header", (number,)) for number in (1, 2, 3)]
    body = chord(header, app=kept.app)(signature("plain.add"))
    assert body.get(timeout=20) == 6
    starts = kept.starts("kept.header")
    assert waited(starts, INTERVAL)
    assert kept.wait_for_each([body])[0].at > starts[-1].at


def test_chord_with_a_limited_body(kept, signature):
    before = take_the_token(kept, "kept.body")
    body = chord([signature("plain.add", (number,)) for number in (1, 2)], app=kept.app)(signature("kept.body"))
    assert body.get(timeout=20) == 3
    assert waited([before, *kept.wait_for_each([body])], INTERVAL)


def test_link(kept, signature):
    links = [[signature("kept.linked", (number,)).set(task_id=f"link-{number}")] for number in (100, 200, 300)]
    sent = [kept.send("kept.link", number, link=link) for number, link in enumerate(links)]
    linked = [kept.app.AsyncResult(f"link-{number}") for number in (100, 200, 300)]
    assert returned(linked) == [100, 201, 302]
    starts = kept.wait_for_each(sent)
    assert waited(starts, INTERVAL)
    assert waited(kept.wait_for_each(linked), INTERVAL, since=min(start.at for start in starts))


def test_errbacks(kept, signature):
    errbacks = [signature("plain.errback"), signature("kept.errback")]
    sent = [kept.send("kept.failing", link_error=errbacks) for _ in range(3)]
    for result in sent:
        with pytest.raises(LookupError, match="nothing here"):
            result.get(timeout=20)
        assert result.state == "FAILURE"
    starts = kept.wait_for_each(sent)
    assert waited(starts, INTERVAL)
    called, received = kept.wait_for(3, "plain.errback"), kept.wait_for(3, "kept.errback")
    assert {start.label for start in called} == {f"{result.id} LookupError('nothing here')" for result in sent}
    assert {start.label for start in received} == {result.id for result in sent}
    assert waited(received, INTERVAL, since=min(start.at for start in starts))


def revoked(kept, results):
    for result in results:
        with pytest.raises(TaskRevokedError):
            result.get(timeout=20)
    assert {result.state for result in results} == {"REVOKED"}
    started = {start.id for start in kept.starts()}
    return started.isdisjoint(result.id for result in results)


def test_what_expires_while_it_waits_never_starts_and_takes_no_token(kept):
    before = take_the_token(kept, "slow.expiring")
    late = [kept.send("slow.expiring", expires=0.3) for _ in range(6)]
    after = kept.send("slow.expiring", expires=60)
    (start,) = kept.wait_for_each([after])
    assert waited([before, start], SLOW)
    assert start.at - before.at < 4 * SLOW  # six tokens more would be seven slots
    assert revoked(kept, late)


def test_what_is_revoked_while_it_waits_never_starts_and_takes_no_token(kept):
    before = take_the_token(kept, "slow.revoked")
    held = [kept.send("slow.revoked") for _ in range(6)]
    after = kept.send("slow.revoked")
    kept.app.control.revoke([result.id for result in held[:3]])
    kept.app.control.revoke([result.id for result in held[3:]], terminate=True)
    (start,) = kept.wait_for_each([after])
    assert waited([before, start], SLOW)
    assert start.at - before.at < 4 * SLOW
    assert revoked(kept, held)


def test_what_is_revoked_by_a_stamp_while_it_waits_never_starts(kept, signature):
    before = take_the_token(kept, "slow.stamped")
    stamp = {"stamped_headers": ["tenant"], "stamps": {"tenant": "gone"}, "tenant": "gone"}
    held = [kept.send("slow.stamped", **stamp) for _ in range(4)]
    after = kept.send("slow.stamped", stamped_headers=["tenant"], stamps={"tenant": "here"}, tenant="here")
    kept.app.control.revoke_by_stamped_headers({"tenant": ["gone"]})
    (start,) = kept.wait_for_each([after])
    assert waited([before, start], SLOW)
    assert start.at - before.at < 4 * SLOW
    assert revoked(kept, held)


def test_eta_comes_first_and_the_limit_after_it(kept):
    before = take_the_token(kept, "kept.eta")
    seconds = 1.2
    due = time.monotonic() + seconds
    eta = datetime.now(timezone.utc) + timedelta(seconds=seconds)
    sent = [kept.send("kept.eta", eta=eta) for _ in range(3)]
    starts = kept.wait_for_each(sent)
    assert min(start.at for start in starts) >= due - JITTER
    assert waited([before, *starts], INTERVAL)


def test_countdown_comes_first_and_the_limit_after_it(kept):
    due = time.monotonic() + 0.7
    sent = [kept.send("kept.countdown", countdown=0.7) for _ in range(3)]
    starts = kept.wait_for_each(sent)
    assert min(start.at for start in starts) >= due - JITTER
    assert waited(starts, INTERVAL)


def test_what_waits_for_its_eta_takes_no_token(kept):
    sent = kept.send("kept.early", countdown=30)
    now = [kept.send("kept.early") for _ in range(3)]
    starts = kept.wait_for_each(now)
    assert waited(starts, INTERVAL)
    assert kept.starts_of(sent) == []
    kept.app.control.revoke(sent.id)


if POOL != "solo":  # it receives nothing while its one task runs

    def test_priority_then_arrival(kept, tmp_path):
        """Redis: the lower number first. In one worker, since each has its own lanes; its process is busy at first."""
        kept.wait_for_each([kept.send("until", str(tmp_path / "go"), queue="single")])
        given = (9, 6, 3, 6, 0)
        sent = [kept.send("kept.priority", queue="single", priority=priority) for priority in given]
        for result in sent:
            kept.workers[-1].wait_for_output(f"{result.id}] received")
        (tmp_path / "go").touch()
        starts = kept.wait_for_each(sent)
        assert waited(starts, INTERVAL)
        order = sorted(range(len(given)), key=lambda number: starts[number].at)
        assert order == [4, 2, 1, 3, 0]

    def test_arrival_across_limits_and_tasks_without_any(kept, tmp_path):
        """One process, busy at first: whoever came first has it next, if his limit lets him."""
        kept.wait_for_each([kept.send("until", str(tmp_path / "go"), queue="single")])
        names = ["kept.chain", "plain.add", "kept.group", "plain.add", "kept.header", "kept.link", "plain.add"]
        sent = [kept.send(name, queue="single") for name in names]
        for result in sent:
            kept.workers[-1].wait_for_output(f"{result.id}] received")
        time.sleep(INTERVAL)  # whichever ran before has given its token back
        (tmp_path / "go").touch()
        starts = kept.wait_for_each(sent)
        assert starts == sorted(starts, key=lambda start: start.at)


def test_all_that_a_task_sees_of_its_message(kept):
    sent = [kept.send("kept.tell", 1, **RICH) for _ in range(3)]
    plain = kept.send("plain.tell", 1, **RICH).get(timeout=20)
    assert plain["headers"]["tenant"] == "acme"
    assert plain["stamps"] == {"customer": ["acme"]}
    for result in sent:
        assert seen(result.get(timeout=20)) == seen(plain)
    assert waited(kept.wait_for_each(sent), INTERVAL)


def test_a_forged_ticket_opens_nothing(kept):
    forged = {name: {"nonce": "x", "until": 1e12, "buckets": []} for name in ("limitkit_ticket", "limitkit.ticket")}
    sent = [kept.send("kept.forged", headers=forged, **forged) for _ in range(3)]
    assert waited(kept.wait_for_each(sent), INTERVAL)
