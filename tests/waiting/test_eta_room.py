"""Parking where a broker has nothing of its own to wait with: the message comes again, with an ETA."""

import contextlib
import datetime as dt
import time
from types import SimpleNamespace

import pytest
from celery import chord
from support.deliveries import Deliveries, leavers
from support.given_clock import GivenClock
from support.messages import RICH

from limitkit.waiting.eta_room import EtaRoom, longest
from limitkit.waiting.message_copy import came_back

PAST = "2020-01-01T00:00:00+00:00"


@pytest.fixture
def deliver(tmp_path):
    folder = str(tmp_path)
    options = {"data_folder_in": folder, "data_folder_out": folder, "control_folder": str(tmp_path / "control")}
    conf = {"broker_transport_options": options, "result_backend": "cache+memory://"}
    with contextlib.ExitStack() as stack:
        yield lambda **more: stack.enter_context(Deliveries("filesystem://", **conf, **more))


def seen(request):
    came_back(request.request_dict)
    properties = request.request_dict["properties"]
    kept = {name: value for name, value in request.request_dict.items() if name not in ("delivery_info", "properties")}
    brokers_own = ("delivery_info", "delivery_tag", "expiration")
    return kept, {name: value for name, value in properties.items() if name not in brokers_own}


@pytest.mark.parametrize("protocol", [1, 2])
def test_what_comes_back_is_the_same_message_and_not_before_its_turn(deliver, protocol):
    deliveries = deliver(task_protocol=protocol)
    task, options = deliveries.task, {**RICH, "expires": 3600}
    rich = task.s(1, "ä").set(**options, link=task.si(2), link_error=task.si(3), reply_to="somewhere")
    chord([rich, task.s(4).set(eta=dt.datetime.fromisoformat(PAST))], task.s(5)).apply_async()
    room = EtaRoom(deliveries.app)
    requests = deliveries.receive(2)
    before = {request.id: seen(request) for request in requests}
    for _ in range(2):  # the ETA of the first time is not taken for the sender's
        for _ in range(2):  # and what was parked when another one could not be is not parked twice
            room.park(leavers(requests, 17))
        parked = time.time()
        assert all(request.acknowledged for request in requests)
        requests = deliveries.receive(2)
        assert all(15 < request.eta.timestamp() - parked <= 17 for request in requests)
        assert deliveries.messages("celery") == 0
    assert {request.id: seen(request) for request in requests} == before
    assert sorted(str(headers["eta"]) for headers, _ in before.values()) == [PAST, "None"]


@pytest.mark.parametrize(("turn", "wait"), [(0.0, 1), (1000.0, 60)])
def test_no_wait_is_too_long_for_the_broker(deliver, turn, wait):
    deliveries = deliver()
    deliveries.send()
    clock = GivenClock()
    EtaRoom(deliveries.app, clock).park(leavers(deliveries.receive(), turn))
    assert deliveries.receive()[0].eta.timestamp() == clock.time() + wait
    assert longest(SimpleNamespace(visibility_timeout=20)) == 5
    assert longest(SimpleNamespace(peek_lock_seconds=60)) == 15
