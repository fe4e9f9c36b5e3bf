"""What a start asks of its limits: by what its message says, and by the queue that it came from."""

from __future__ import annotations

import logging
from types import SimpleNamespace

import pytest

from limitkit.buckets.call import Call
from limitkit.buckets.partition import Partition
from limitkit.config.load import judge
from limitkit.config.source.toml import parse
from limitkit.control import task_limits
from limitkit.control.task_limits import TaskLimits

TEXT = """
version = 1

[limits.tokens]
strategy = "token_bucket"
rate = "1000/m"
burst = 5000

[limits.fair]
strategy = "token_bucket"
rate = "5/s"
fair_by = ["tenant", "headers:region"]
weights = { '["acme", "eu"]' = 3, '["acme", null]' = 2 }

[tasks.ask]
limits = [
  { limit = "tokens", cost = { of = "prompt.length", times = 0.25, plus = 500, default = 1000 }, settle = "use.total" },
  "fair",
]

[limits.smtp]
strategy = "token_bucket"
rate = "30/s"

[queues."mail*"]
limits = ["smtp", "fair"]

[queues.try]
limits = ["smtp"]
mode = "shadow"
"""


def run(prompt, tenant="nobody"): ...


ASK, OTHER = (SimpleNamespace(name=name, run=run) for name in ("ask", "other"))


@pytest.fixture
def limits():
    return TaskLimits(judge(parse(TEXT, "f.toml")).rules, None)


def asks(limits, *call, task=ASK, queue=None):
    return [limits.ask(bound, task, Call(*call)) for bound in limits.limits(task, queue)]


def said(caplog):
    return [record.getMessage() for record in caplog.records]


def names(bound):
    return [each.limit.name for each in bound]


def test_a_cost_is_read_from_the_message_and_settled_by_the_result(limits, caplog):
    assert [ask.cost for ask in asks(limits, ("x" * 1001,), {}, {"region": "eu"})] == [751, 1]
    tokens = limits.limits(ASK)[0]
    with caplog.at_level(logging.WARNING, "limitkit"):
        assert [asks(limits, (secret,), {}, {"region": "eu"})[0].cost for secret in (5, None, object())] == [1000] * 3
        assert limits.settled(tokens, ASK, {"use": {"total": 812.5}}) == 813
        assert limits.settled(tokens, ASK, {"use": {}}) is None
        assert limits.settled(tokens, ASK, None) is None
        assert limits.settled(limits.limits(ASK)[1], ASK, None) is None
    cost = (
        "The cost of limit tokens, prompt.length, is not there in a message of ask; such a start takes 1000; "
        "send a number from 1 on, or set the default of the cost."
    )
    settle = (
        "What ask returned has no number from 0 on at use.total, the settle of limit tokens; such a start keeps its "
        "estimate; return the true cost there."
    )
    assert said(caplog) == [cost, settle]


def test_turns_and_weights_are_by_the_value_of_fair_by(limits, caplog):
    def turn(tenant, **headers):
        return asks(limits, ("x", tenant), {}, headers)[1]

    one = turn("acme", region="eu")
    assert (one.weight, one.turn) == (3.0, turn("acme", Region="eu").turn)
    with caplog.at_level(logging.WARNING, "limitkit"):
        assert turn("acme").weight == 2.0
        assert turn("acme").turn not in {one.turn, turn(None).turn}
    assert turn("other", region="eu").weight == 1.0
    assert asks(limits, ("x",))[1].turn == turn("nobody").turn != ""
    assert asks(limits, ("x",))[0].turn == ""
    assert one.turn == Partition("list:9:text:acme7:text:eu").digest
    absent = (
        "ask was sent without headers:region, a part of the fair_by of limit fair; such messages take turns as one if "
        "the rest is equal; send the header"
    )
    assert said(caplog) == [absent]


def test_limits_of_a_queue_hold_beside_the_task_s_own_each_once(limits):
    assert names(limits.limits(ASK, "mails")) == ["tokens", "fair", "smtp"]
    assert names(limits.limits(OTHER, "mails")) == ["smtp", "fair"]
    assert names(limits.limits(ASK, "plain")) == names(limits.limits(ASK)) == ["tokens", "fair"]
    assert limits.limits(OTHER) == limits.limits(OTHER, "plain") == limits.limits(OTHER, "try") == ()
    assert names(limits.shadows(OTHER, "try")) == ["smtp"]
    celerys = SimpleNamespace(name="celery.backend_cleanup", run=run)
    assert limits.limits(celerys, "mails") == ()
    assert limits.may_limit(OTHER)
    assert not limits.may_limit(celerys)
    assert limits.has_shadows
    assert "limitkit:{smtp}:g1" in {ask.bucket.key for ask in asks(limits, ("x",), task=OTHER, queue="mails")}
    assert "smtp" in limits.terms([])


def test_without_queues_in_the_file_nobody_is_touched():
    limits = TaskLimits(judge(parse(TEXT[: TEXT.index("[queues")], "f.toml")).rules, None)
    assert not limits.has_queues
    assert not limits.may_limit(OTHER)
    assert limits.limits(OTHER, "mails") == ()


def test_the_names_of_queues_do_not_fill_the_memory(limits, monkeypatch):
    monkeypatch.setattr(task_limits, "_MOST_CACHED", 10)
    for number in range(25):
        assert limits.limits(OTHER, f"mail{number}")
    assert len(limits._enforced) <= 10
