"""What waiting leaves on a message is taken off; what others have left on it stays for the task to see."""

from types import SimpleNamespace

import pytest

from limitkit.decision import Bucket
from limitkit.waiting.copies import came_back, copies_of, note_of, turn_of
from limitkit.waiting.room import Leaver

OURS = {"queue": "limitkit.wait.celery.5", "reason": "expired"}
THEIRS = {"queue": "failed", "reason": "rejected"}


def message(headers, **properties):
    return SimpleNamespace(headers=headers, properties=properties)


def noted(*deaths):
    return {"x-death": list(deaths), "x-first-death-queue": deaths[-1]["queue"], "X-Last-Death-Reason": "expired"}


def waited(turn, wait, before=None):
    return message(copies_of(before or message({}), turn, wait)[0])


@pytest.mark.parametrize(
    ("headers", "kept"), [(noted(OURS, OURS), {}), (noted(OURS, THEIRS), noted(OURS, THEIRS)), ({}, {})]
)
def test_a_task_sees_the_notes_of_other_queues_alone(headers, kept):
    request = SimpleNamespace(message=waited(5, 5), request_dict={"id": "1", **waited(5, 5).headers, **headers})
    came_back(request.request_dict)
    assert request.request_dict == {"id": "1", **kept}


def test_no_note_of_any_queue_is_sent_along():
    """With one, RabbitMQ takes what comes to the same queue again for a message that runs in circles, and drops it."""
    sent = {"id": "1", "CC": ["others"], "BCC": ["others"], **noted(OURS, THEIRS)}
    headers, properties = copies_of(message(sent, application_headers=sent, expiration="5", type="t"), 5, 5)
    assert (sorted(headers), properties) == (["id", "limitkit_wait"], {"type": "t"})


def leaver(message, turn):
    return Leaver(SimpleNamespace(message=message), "celery", Bucket("a", 1, 1), turn)


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
    parked = waited(13.0, 8)
    request = SimpleNamespace(message=parked, request_dict={"id": "1", "headers": parked.headers})
    came_back(request.request_dict)
    assert request.request_dict == {"id": "1", "headers": {}}
    assert note_of(parked) == (5.0, 8.0, "")


def test_an_eta_of_the_senders_own_comes_back():
    first = message(copies_of(message({"eta": "2020"}), 9, 5, "2020")[0] | {"eta": "ours"})
    second = message(copies_of(first, 4, 4, "ours")[0])
    assert note_of(second) == (0.0, 9.0, "2020")
