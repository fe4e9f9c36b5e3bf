"""What commands say of overrides of every kind, of schedules, and of partitions."""

import datetime as dt

import pytest

from limitkit.buckets.named_partition import named
from limitkit.buckets.override import Override, Target
from limitkit.config.load import judge
from limitkit.config.model.units import parse_rate
from limitkit.config.source.toml import parse
from limitkit.control.current import current, current_of
from limitkit.control.in_force import InForce
from limitkit.control.status.collect import row_of
from limitkit.control.status.drift import lost, of_limits, reasons, why
from limitkit.control.status.snapshot import Snapshot

TEXT = """
version = 1

[limits.reports]
strategy = "concurrency"
max_running = 3
schedule = [{ from = "00:00", to = "06:00", max_running = 9 }]

[limits.recent]
strategy = "window"
rate = "100/5s"

[limits.tenant]
strategy = "per_user"
rate = "5/s"
key = "tenant"

[limits.tenant.partitions]
"acme" = { rate = "50/s", burst = 50 }

[tasks.work]
limits = ["reports", "recent", "tenant"]
"""
RULES = judge(parse(TEXT, "f.toml")).rules
NOW = 86_400.0 * 20_000
ACME, GLOBEX = named("acme").digest, named("globex").digest


@pytest.fixture
def in_force(monkeypatch):
    monkeypatch.setattr(InForce, "now", property(lambda _: NOW))
    return InForce()


def override(name, kind="rate", partition="", shown="", **said):
    rate = said.pop("rate", None)
    target = Target("limits", name, named(partition).digest if partition else "", shown)
    return Override(target=target, kind=kind, rate=parse_rate(rate) if rate else None, by="eve", **said)


def snapshot(in_force):
    found = [(Target("limits", name), limit, Target("limits", name)) for name, limit in RULES.named.items()]
    rows = [row_of(in_force, each, None) for each in found]
    return Snapshot("f.toml", "", NOW, "enforce", rows, in_force.overrides)


def test_a_schedule_says_until_when_it_holds(in_force):
    of = current_of(in_force, Target("limits", "reports"), RULES.named["reports"], "")
    assert (of.text, of.source, of.until) == ("9 at once", "schedule", NOW + 6 * 3600)
    ends = dt.datetime.fromtimestamp(NOW + 6 * 3600).astimezone()
    (said,) = why(of, NOW)
    assert said.startswith("schedule until ")
    assert said.endswith(f"{ends:%H:%M}")


def test_each_limit_and_each_partition_with_an_override_has_a_line(in_force):
    in_force.use(
        [
            override("reports", max_running=2),
            override("recent", rate="300/m"),
            override("tenant", "pause", "globex"),
            override("tenant", partition="acme", rate="60/s", shown="acme"),
            override("tenant", "weight", "x", weight=2.0),
        ],
        NOW,
    )
    said = {str(each.target): each.text for each in current(RULES, in_force)}
    assert said == {
        "limits.reports": "2 at once",
        "limits.recent": "300/m in a window",
        "limits.tenant": "5/s, burst 1",
        'limits.tenant of "acme"': "60/s, burst 50",
        f"limits.tenant of {GLOBEX}": "paused",
    }
    facts = {(each.limit, each.fact, each.hint) for each in of_limits(snapshot(in_force))}
    assert facts == {
        (
            "limits.reports",
            "2 at once was set by eve, until it is restored, over 3 at once",
            "limitkit restore reports, or promote reports",
        ),
        (
            "limits.recent",
            "300/m in a window was set by eve, until it is restored, over 100/5s in a window",
            "limitkit restore recent, or promote recent",
        ),
        (
            f"limits.tenant of {GLOBEX}",
            "paused by eve, until it is resumed",
            f"limitkit resume tenant --partition {GLOBEX}",
        ),
        (
            'limits.tenant of "acme"',
            "60/s, burst 50 was set by eve, until it is restored, over 50/s, burst 50",
            "limitkit restore tenant --partition acme",
        ),
        (
            f"limits.tenant of {named('x').digest}",
            "weight 2 was set by eve, until it is restored",
            "limitkit restore tenant",
        ),
    }
    (row,) = (row for row in snapshot(in_force).rows if row.current.target.name == "tenant")
    assert row.is_busy
    assert list(reasons(row, snapshot(in_force))) == [
        f"set for single ones: {GLOBEX[:12]} paused, acme 60/s, {named('x').digest[:12]} weight 2"
    ]
    assert row.part(GLOBEX).bucket_state.paused_for > 0
    assert row.part(ACME).bucket_state.bucket.burst == row.part("=acme").bucket_state.bucket.burst == 50
    assert row.part(named("x").digest).bucket_state.bucket.burst == 1


def test_what_was_set_for_a_limit_that_is_gone_is_named_with_its_kind(in_force):
    in_force.use([override("gone", max_running=2), override("gone", "pause", "x")], NOW)
    assert {(each.fact, each.hint) for each in lost(snapshot(in_force))} == {
        ("2 at once was set, by eve, and the file has no such limit in force", "limitkit restore gone"),
        (
            "a pause was set, by eve, and the file has no such limit in force",
            f"limitkit restore gone --partition {named('x').digest}",
        ),
    }
