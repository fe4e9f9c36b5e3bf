"""What the limits in force say of the time without a store."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from support.given_clock import GivenClock

from limitkit.buckets.call import Call
from limitkit.config.load import judge
from limitkit.config.source.toml import parse
from limitkit.control.task_limits import TaskLimits
from limitkit.errors import StoreError

TEXT = """
version = 1

[limits.unused]
strategy = "token_bucket"
rate = "1/s"
on_error = "hold"

[tasks.divides]
strategy = "per_user"
rate = "1/s"
key = "user_id"
on_error = "divide"

[tasks.off]
strategy = "token_bucket"
rate = "1/s"
on_error = "hold"
mode = "off"

[tasks."a*"]
strategy = "{strategy}"
rate = "1/s"
"""


def task_limits(strategy):
    return TaskLimits(judge(parse(TEXT.format(strategy=strategy), "f.toml")).rules, None)


def test_only_shared_limits_that_are_kept_have_a_say():
    assert task_limits("static").on_errors == {"divide"}
    assert task_limits("token_bucket").on_errors == {"divide", "allow"}


def test_a_bucket_knows_whether_it_is_divided():
    bound = task_limits("token_bucket")
    for name, run, divides in (("divides", lambda user_id: user_id, True), ("any", lambda: None, False)):
        task = SimpleNamespace(name=name, run=run)
        (limit,) = bound.limits(task)
        assert bound.ask(limit, task, Call((), {"user_id": 1})).bucket.divides is divides


def test_all_that_it_knows_of_time_is_by_the_clock_that_it_is_given():
    clock = GivenClock()
    bound = TaskLimits(task_limits("static").rules, None, clock, iter("ab").__next__)
    bound.outage.lost(StoreError("gone"), bound.on_errors)
    bound.outage.over(0.25)
    clock.sleep(1.7)
    assert bound.outage.recent
    clock.sleep(0.1)
    assert not bound.outage.recent
    assert bound.in_force.now == clock.time() == pytest.approx(1_800_001_001.8)
    assert bound.worker_count._name == "a"
    assert bound.new_member() == "1800001001800-b"


def test_it_knows_whether_any_limit_is_in_shadow():
    def rules(mode):
        text = f'version = 1\n[tasks."a*"]\nstrategy = "token_bucket"\nrate = "1/s"\nmode = "{mode}"\n'
        return judge(parse(text, "f.toml")).rules

    bound, task = TaskLimits(rules("enforce"), None), SimpleNamespace(name="any")
    assert (bound.has_shadows, len(bound.limits(task)), len(bound.shadows(task))) == (False, 1, 0)
    bound.use(rules("shadow"))
    assert (bound.has_shadows, len(bound.limits(task)), len(bound.shadows(task))) == (True, 0, 1)
    assert TaskLimits(rules("shadow"), None).has_shadows
