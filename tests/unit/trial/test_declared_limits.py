"""The declared limits of what was played."""

from limitkit.config.load import load
from limitkit.trial.declared_limits import declared_limits
from limitkit.trial.outcome import Run

FILE = """
version = 1
[limits.api]
strategy = "token_bucket"
rate = "10/s"
[tasks.charge]
limits = ["api"]
[tasks."emails.*"]
strategy = "static"
rate = "5/s"
[queues.bulk]
limits = ["api"]
"""


def test_limits_are_found_by_name_for_a_task_a_pattern_and_a_queue(tmp_path):
    (tmp_path / "ratelimits.toml").write_text(FILE, encoding="utf-8")
    rules = load(str(tmp_path / "ratelimits.toml")).rules
    runs = [
        Run(0, "emails.a", 0.0, "celery", ("emails.a",)),
        Run(1, "charge", 0.0, "celery", ("api",)),
        Run(2, "emails.b", 0.0, "bulk", ("emails.b", "api")),
        Run(3, "free", 0.0, "celery"),
    ]
    found = declared_limits(rules, runs)
    assert {name: limit.rate_text for name, limit in found.items()} == {
        "emails.a": "5/s",
        "api": "10/s",
        "emails.b": "5/s",
    }
    assert list(found) == ["emails.a", "api", "emails.b"]
