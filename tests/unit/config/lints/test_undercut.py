"""Which limits never refuse, because of where they and others stand; the sums are in ``test_admission``."""

from __future__ import annotations

import pytest

from limitkit.config.lints.findings import findings
from limitkit.config.load import judge
from limitkit.config.source.toml import parse


def told(limits, places):
    """Return the limits that never refuse."""
    tables = "".join(f"[limits.{name}]\n{text}\n" for name, text in limits.items())
    text = f"version = 1\nstore.on_error = 'allow'\n{tables}{places}"
    config = judge(parse(text, "f.toml"))
    assert config.warnings == ()
    found = [str(each) for each in findings(config, None)]
    return [line.split("LK110 limits.")[1].split(".")[0] for line in found if "LK110" in line]


def bucket(rate, more="", strategy="token_bucket"):
    return f'strategy = "{strategy}"\nrate = "{rate}"\n{more}'


def per_user(rate, key='"user"', more=""):
    return bucket(rate, f"key = {key}\n{more}", "per_user")


def running(most, more=""):
    return f'strategy = "concurrency"\nmax_running = {most}\n{more}'


FAST, SLOW = bucket("10/s"), bucket("1/s")
BOTH = '[tasks.a]\nlimits = ["fast", "slow"]\n'


@pytest.mark.parametrize(
    ("fast", "slow"),
    [
        (FAST, SLOW),
        (FAST, bucket("10/s", 'on_error = "hold"')),
        (bucket("10/s", 'on_error = "hold"'), bucket("1/s", 'on_error = "hold"')),
        (bucket("10/s", 'on_error = "divide"'), bucket("1/s", 'on_error = "hold"')),
        (per_user("10/s"), SLOW),
        (per_user("10/s"), per_user("1/s")),
        (per_user("10/s", '["user", "model"]'), per_user("1/s", '["model"]')),
        (per_user("10/s", more='partitions = { a = { rate = "5/s" } }'), per_user("1/s")),
        (per_user("10/s"), per_user("1/s", more='partitions = { a = { rate = "5/s" } }')),
        (bucket("10/s", strategy="static"), bucket("1/s", strategy="static")),
        (bucket("10/s", "burst = 2", "static"), bucket("1/s", 'on_error = "hold"')),
        (FAST, bucket("1/s", 'feedback = { on = ["a.Slow"] }')),
        (FAST, bucket("1/s", 'on_limit = "drop"')),
        (bucket("10/s", 'on_limit = "drop"'), bucket("1/s", 'on_limit = "drop"')),
        (bucket("10/s", 'fair_by = "user"'), bucket("1/s", 'fair_by = "user"')),
        (running(5), running(3)),
        (running(5, 'key = "user"'), running(5)),
        (running(4, 'scope = "worker"'), running(3, 'on_error = "hold"')),
        (running(4, 'scope = "worker"'), running(3, 'scope = "worker"')),
        (running(5, 'lease = "10s"'), running(3)),
    ],
)
def test_one_undercuts_the_other(fast, slow):
    assert told({"fast": fast, "slow": slow}, BOTH) == ["fast"]
    assert told({"slow": slow, "fast": fast}, BOTH) == ["fast"]


@pytest.mark.parametrize(
    ("fast", "slow"),
    [
        (FAST, per_user("1/s")),  # all users together may be more
        (per_user("10/s", '"model"'), per_user("1/s")),
        (per_user("10/s", '["model"]'), per_user("1/s", '["user", "model"]')),
        (FAST, bucket("1/s", strategy="static")),  # all workers together may be more
        (bucket("10/s", strategy="static"), bucket("1/s", 'on_error = "hold"')),  # at the same time, to the millisecond
        (bucket("10/s", "burst = 2", "static"), SLOW),  # when the store is gone, only the other one holds
        (bucket("10/s", 'on_error = "hold"'), SLOW),
        (bucket("10/s", 'on_error = "hold"'), bucket("1/s", 'on_error = "divide"')),
        (bucket("10/s", 'feedback = { on = ["a.Slow"] }'), SLOW),
        (bucket("10/s", 'mode = "shadow"'), SLOW),
        (bucket("10/s", 'mode = "off"'), SLOW),
        (FAST, bucket("1/s", 'mode = "shadow"')),
        (bucket("10/s", 'on_limit = "drop"'), SLOW),
        (bucket("10/s", 'on_limit = "drop"'), bucket("1/s", 'on_limit = "fail"')),
        (bucket("10/s", 'fair_by = "user"'), SLOW),
        (bucket("10/s", 'schedule = [{ to = "06:00", rate = "1/m" }]'), SLOW),
        (FAST, bucket("1/s", 'schedule = [{ to = "06:00", rate = "20/s" }]')),
        # What is left in a bucket when its terms change is not looked at.
        (bucket("10/s", 'schedule = [{ to = "06:00", rate = "20/s" }]'), SLOW),
        (FAST, bucket("1/s", 'schedule = [{ to = "06:00", rate = "1/m" }]')),
        (per_user("10/s", more='partitions = { a = { rate = "1/m" } }'), per_user("1/s")),
        (per_user("10/s"), per_user("1/s", more='partitions = { a = { rate = "20/s" } }')),
        (bucket("10/s"), 'strategy = "concurrency"\nmax_running = 1\n'),
        (running(9), SLOW),
        (running(5), running(3, 'key = "user"')),
        (running(5), running(3, 'scope = "worker"')),  # all workers together may run more
        (running(3, 'scope = "worker"'), running(3, 'on_error = "hold"')),  # they are not freed at one moment
        (running(5), running(3, 'lease = "10s"')),  # of a worker that is gone
        (running(5, 'key = "user"\npartitions = { a = { max_running = 2 } }'), running(3)),
        (running(5), running(3, 'schedule = [{ to = "06:00", max_running = 9 }]')),
    ],
)
def test_neither_undercuts_the_other(fast, slow):
    assert told({"fast": fast, "slow": slow}, BOTH) == []


def test_of_two_that_are_equal_the_first_stays():
    assert told({"slow": SLOW, "fast": SLOW}, BOTH) == ["fast"]
    assert told({"fast": SLOW, "slow": SLOW}, BOTH) == ["slow"]
    assert told({"a": SLOW, "b": SLOW, "c": SLOW}, '[tasks.a]\nlimits = ["c", "b", "a"]\n') == ["b", "c"]


@pytest.mark.parametrize(
    "more",
    [
        '[tasks.b]\nlimits = ["fast"]\n',
        '[tasks."b.*"]\nlimits = ["fast"]\n',
        '[queues.q]\nlimits = ["fast"]\n',
        '[queues."q*"]\nlimits = ["fast"]\n',
        '[tasks.b]\nlimits = ["fast", "slow"]\nmode = "shadow"\n',
        '[tasks.b]\nlimits = [{ limit = "fast", cost = 1 }, "slow"]\n',
        '[tasks.b]\nlimits = ["fast", { limit = "slow", settle = "used" }]\n',
        '[tasks.b]\nlimits = ["fast", "slow"]\non_error = "hold"\n[tasks.c]\nlimits = ["fast"]\n',
    ],
)
def test_a_limit_that_stands_elsewhere_without_the_other_is_not_idle(more):
    assert told({"fast": FAST, "slow": SLOW}, BOTH + more) == []


@pytest.mark.parametrize(
    "more",
    [
        '[tasks.b]\nlimits = ["slow"]\n',
        '[queues.q]\nlimits = ["fast", "slow"]\n',
        '[tasks.b]\nlimits = ["slow", "fast"]\non_error = "hold"\n',
        '[tasks.b]\nlimits = ["slow", "fast"]\nmode = "off"\n',
        '[tasks.b]\nlimits = ["fast"]\nmode = "off"\n',
    ],
)
def test_what_else_the_other_one_holds_for_changes_nothing(more):
    expected = [] if more.endswith('["fast"]\nmode = "off"\n') else ["fast"]
    assert told({"fast": FAST, "slow": SLOW}, BOTH + more) == expected


def test_keys_must_go_together_in_all_tasks():
    fast, slow = per_user("10/s", '["user", "model"]'), per_user("1/s", '"user"')
    both = '[tasks.{}]\nlimits = ["fast", {{ limit = "slow", key = "{}" }}]\n'
    assert told({"fast": fast, "slow": slow}, both.format("a", "user") + both.format("b", "user")) == ["fast"]
    assert told({"fast": fast, "slow": slow}, both.format("a", "user") + both.format("b", "model")) == []
    assert told({"fast": fast, "slow": slow}, both.format("a", "user") + both.format("b", "other")) == []
