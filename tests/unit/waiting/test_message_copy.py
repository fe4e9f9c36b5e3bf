"""What waiting leaves on a message is taken off; what others have left on it stays for the task to see."""

from dataclasses import replace
from types import SimpleNamespace

import pytest
from celery.app.task import Context
from kombu import Connection

from limitkit.buckets.decision import Bucket
from limitkit.waiting.delivery import delivery_of
from limitkit.waiting.message_copy import Note, came_back, copy_of, copy_with_eta, note_of, turn_of, waits
from limitkit.waiting.publish import amqp_message
from limitkit.waiting.room import Leaving

AT = 1_800_000_000.25

OURS = {"queue": "limitkit.wait.celery.5", "reason": "expired"}
THEIRS = {"queue": "failed", "reason": "rejected"}


def message(headers, **properties):
    return SimpleNamespace(
        headers={"task": "paid", **headers},
        properties=properties,
        body=b"[]",
        content_type="application/json",
        content_encoding="utf-8",
        delivery_info={"exchange": "", "routing_key": "celery"},
    )


def parked(before, turn, wait):
    delivery = delivery_of(before, "celery")
    return copy_of(delivery, waits(delivery, turn, wait))


def noted(*deaths):
    return {"x-death": list(deaths), "x-first-death-queue": deaths[-1]["queue"], "X-Last-Death-Reason": "expired"}


def waited(turn, wait, before=None):
    return message(parked(before or message({}), turn, wait).headers)


@pytest.mark.parametrize(
    ("headers", "kept"), [(noted(OURS, OURS), {}), (noted(OURS, THEIRS), noted(OURS, THEIRS)), ({}, {})]
)
def test_a_task_sees_the_notes_of_other_queues_alone(headers, kept):
    request = SimpleNamespace(message=waited(5, 5), request_dict={"id": "1", **waited(5, 5).headers, **headers})
    came_back(request.request_dict)
    assert request.request_dict == {"id": "1", "task": "paid", **kept}


SENDERS = ["guest", "somebody else"]


def test_no_note_of_any_queue_is_sent_along():
    """With one, RabbitMQ takes what comes to the same queue again for a message that runs in circles, and drops it."""
    sent = {"id": "1", "CC": ["others"], "BCC": ["others"], **noted(OURS, THEIRS)}
    copy = parked(message(sent, application_headers=sent, type="t"), 5, 5)
    with Connection("memory://") as connection:  # what it says to a channel of AMQP
        channel = connection.default_channel
        published = amqp_message(channel, copy, "guest")
        of_others = [amqp_message(channel, replace(copy, properties={"user_id": each}), "guest") for each in SENDERS]
    assert [each["properties"].get("user_id") for each in of_others] == ["guest", None]  # RabbitMQ refuses any other
    assert sorted(published["headers"]) == ["id", "limitkit_wait", "task"]
    assert published["properties"].keys() & {"application_headers", "type"} == {"type"}


def leaver(message, turn):
    return Leaving(SimpleNamespace(message=message), "celery", Bucket("a", 1, 1), turn)


@pytest.mark.parametrize(
    ("message", "soonest", "ahead", "turn"),
    [
        (message({}), 50.0, 60.0, 50.0),
        (message({"limitkit_wait": {"rest": "soon", "waited": None}}), 50.0, 60.0, 50.0),
        (waited(13.0, 8), 2.0, 60.0, 5.0),
        (waited(13.0, 8), 7.0, 60.0, 7.0),
        (waited(8.0, 8), 2.0, 60.0, 4.0),
        (waited(8.0, 8), 2.0, 3.0, 3.0),
        (waited(8.0, 8), 2.0, 0.0, 2.0),
        (waited(5.0, 5, waited(13.0, 8)), 2.0, 60.0, 6.5),
    ],
)
def test_who_was_parked_before_is_parked_for_the_rest_of_his_time_or_in_proportion(message, soonest, ahead, turn):
    assert turn_of(leaver(message, soonest), ahead) == turn


def test_what_is_taken_off_a_request_is_still_known_of_its_message():
    """In Celery's first protocol, both have the same headers."""
    waiting = waited(13.0, 8)
    request = SimpleNamespace(message=waiting, request_dict={"id": "1", "headers": waiting.headers})
    came_back(request.request_dict)
    assert request.request_dict == {"id": "1", "headers": {"task": "paid"}}
    assert note_of(waiting)[:3] == (5.0, 8.0, "")


def test_a_task_sees_none_where_its_sender_gave_no_headers():
    """Celery's own request has None for them, and none that are empty."""
    first = {"id": "1", "task": "paid"}
    seen = vars(Context({**first, "limitkit_wait": Note(refusals=1)._asdict()}))
    assert seen["headers"]
    came_back(seen)
    assert seen == vars(Context(first))
    assert seen["headers"] is None


def test_an_eta_of_the_senders_own_comes_back():
    first = delivery_of(message({"eta": "2020"}), "celery")
    ours = message(copy_with_eta(first, waits(first, 9, 5), AT).headers)
    assert ours.headers["eta"] == "2027-01-15T08:00:00.250000+00:00"
    again = delivery_of(ours, "celery")
    second = message(copy_with_eta(again, waits(again, 4, 4), AT + 4).headers)
    assert note_of(second)[:3] == (0.0, 9.0, "2020")
    request = {"id": "1", **second.headers}
    came_back(request)
    assert request == {"id": "1", "task": "paid", "eta": "2020"}


@pytest.mark.parametrize(
    ("said", "read"), [(3, 3), (0, 0), (-5, 0), (2**70, 2**31 - 1), (True, 1), ("3", 3), (2.9, 2)], ids=repr
)
def test_whatever_a_message_says_of_refusals_is_a_number_that_can_be_sent_on(said, read):
    note = {**Note()._asdict(), "refusals": said}
    assert note_of(SimpleNamespace(headers={"limitkit_wait": note})).refusals == read
    seen = {"limitkit_wait": note, "headers": {"limitkit_wait": note, "own": 1}}
    came_back(seen)
    assert seen == {"headers": {"own": 1}}, "no task sees it"
