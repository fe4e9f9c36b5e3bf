"""A header is found alike by the consumer and in the pool, in both of Celery's protocols."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from celery import Celery
from celery.app.task import Context
from celery.worker.request import Request
from celery.worker.strategy import proto1_to_proto2
from kombu.utils.uuid import uuid
from support import keys

from limitkit.buckets.call import Call
from limitkit.buckets.partition import MISSING, Partition, Resolver
from limitkit.waiting.delivery import Delivery
from limitkit.worker.pool.call_of import call_of, call_of_context

SENT = {"X-Tenant": "acme", "hostname": "not the worker's", "n": 5}


@pytest.fixture(scope="module")
def app():
    app = Celery("calls", broker="memory://", set_as_current=False)

    @app.task(name="paid", lazy=False, shared=False)
    def paid(user_id, other=None): ...

    return app


@pytest.fixture(params=[1, 2])
def request_(request, app):
    """The request of a message in one of the protocols, as Celery's consumer makes it."""
    make = getattr(app.amqp, f"as_task_v{request.param}")
    headers, properties, body, _ = make(uuid(), "paid", args=(7,), kwargs={"other": 8}, root_id="root")
    headers = {**headers, **SENT}  # as send_task_message adds them
    message = SimpleNamespace(
        headers=headers,
        properties=properties,
        body=body,
        payload=body,
        delivery_info={"exchange": "", "routing_key": "celery"},
        content_type="application/json",
        content_encoding="utf-8",
    )
    options = {}
    if request.param == 1:
        body, headers, decoded, utc = proto1_to_proto2(message, body)
        options = {"body": body, "headers": headers, "decoded": decoded, "utc": utc}
    return Request(message, app=app, **options)


def find(call, *key):
    return Resolver(None, keys.key(*key))(call)


def came(message):
    return Delivery("celery", b"", None, None, message.headers, {}, "", "celery")


def test_a_header_is_found_alike_everywhere(request_):
    context = Context(request_.request_dict)
    calls = [call_of(request_), call_of_context(context), call_of_context(context, came(request_.message), (7,), {})]
    for call in calls:
        assert find(call, "headers:X-Tenant") == find(call, "headers:x-tenant") == Partition("text:acme")
        assert find(call, "headers:task") == Partition("text:paid")
        assert find(call, "headers:id") == Partition(f"text:{request_.id}")
        assert find(call, "headers:root_id").missing is (request_.root_id is None)
        assert find(call, "headers:nobody") == find(call, "headers:args") == MISSING
        assert tuple(call.args) == (7,)
    consumers, _, pools = calls
    assert find(consumers, "headers:hostname") == find(pools, "headers:hostname") == Partition("text:not the worker's")


def test_a_call_without_a_message_has_no_headers():
    call = call_of_context(Context(args=(1,), kwargs=None), args=None)
    assert (call.args, call.kwargs) == ((1,), {})
    assert find(call, "headers:X-Tenant") == MISSING
    assert find(Call((), {}, {5: "x"}), "headers:5") == MISSING
