"""Which limit a name means, and what is said of a name that means none."""

import pytest

from limitkit.buckets.override import OverrideError, Target
from limitkit.config.load import load
from limitkit.control.targets import find

RULES = """\
version = 1

[limits.api]
strategy = "token_bucket"
rate = "5/s"

[limits.users]
strategy = "per_user"
rate = "5/s"
key = "user"

[tasks."shop.charge"]
limits = ["api"]

[tasks."shop.refund"]
limits = ["api", "users"]

[tasks."shop.free"]
limits = []

[tasks."mail.*"]
strategy = "static"
rate = "1/s"
"""
TASKS = ("shop.charge", "shop.refund", "shop.free", "shop.search", "mail.welcome")


@pytest.fixture
def rules(tmp_path):
    path = tmp_path / "ratelimits.toml"
    path.write_text(RULES)
    return load(path).rules


@pytest.mark.parametrize(
    ("name", "target"),
    [
        ("api", Target("limits", "api")),
        ("shop.charge", Target("limits", "api")),
        ("mail.*", Target("tasks", "mail.*")),
        ("mail.welcome", Target("tasks", "mail.welcome")),
    ],
)
def test_the_limit_that_a_name_means(rules, name, target):
    assert find(rules, name, TASKS)[0] == target


@pytest.mark.parametrize(
    ("name", "fact"),
    [
        ("shop.free", 'the task "shop.free" has no limit in {path}; declare one first'),
        ("shop.search", 'the task "shop.search" has no limit in {path}; declare one first'),
        ("shop.serch", 'there is no limit or task "shop.serch" in {path}; did you mean "shop.search"?'),
        ("mail.goodbye", 'there is no limit or task "mail.goodbye" in {path}; did you mean "mail.*"?'),
        ("shop.refund", 'the task "shop.refund" has several limits, "api" and "users"; name the one that is meant'),
    ],
)
def test_a_name_that_means_none(rules, name, fact):
    with pytest.raises(OverrideError) as caught:
        find(rules, name, TASKS)
    assert str(caught.value) == fact.format(path=rules.path)
