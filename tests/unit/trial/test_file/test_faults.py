"""Faults are made of their tables; what an operator changes is checked as by the commands."""

from __future__ import annotations

import pytest

from limitkit.buckets.override import Target
from limitkit.errors import ConfigError
from limitkit.trial.scenario import Disconnect, Kill, SetOverride, Stop, StoreAway
from limitkit.trial.test_file.read import read_tests

CONFIG = """
version = 1
[limits.api]
strategy = "token_bucket"
rate = "10/s"
burst = 20
[limits.tenant]
strategy = "per_user"
rate = "5/s"
key = "tenant_id"
[limits.reports]
strategy = "concurrency"
max_running = 4
[limits.quota]
strategy = "window"
rate = "100/m"
[limits.gone]
strategy = "token_bucket"
rate = "10/s"
mode = "off"
[tasks."mail.send"]
limits = ["api", "tenant", "reports", "quota", "gone"]
[tasks."shop.*"]
strategy = "static"
rate = "1/s"
"""
HEAD = '[[test]]\nname = "a"\nworkers = 2\n[[test.send]]\ntask = "mail.send"\n[[test.expect]]\ntask = "*"\nlost = 0\n'
LINE = 9
"""The first line behind ``HEAD``."""


@pytest.fixture
def faults(tmp_path, monkeypatch):
    monkeypatch.delenv("LIMITKIT_CONFIG", raising=False)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "ratelimits.toml").write_text(CONFIG)

    def read(*tables):
        text = HEAD + "".join(f"[[test.fault]]\n{table}\n" for table in tables)
        (tmp_path / "a.limits.toml").write_text(text)
        (case,) = read_tests("a.limits.toml")
        return case.faults

    return read


def test_what_goes_wrong_by_itself_in_the_order_of_its_time(faults):
    assert faults(
        'at = "1m"\nkill = "worker-2"',
        'at = "2s"\nstop = "worker-1"',
        'at = "1500ms"\ndisconnect = "worker-1"',
        'at = "0s"\nstore = "away"\nfor = "30s"',
    ) == (
        StoreAway(at=0.0, seconds=30.0),
        Disconnect(at=1.5, worker="worker-1"),
        Stop(at=2.0, worker="worker-1"),
        Kill(at=60.0, worker="worker-2"),
    )


def test_an_override_is_the_one_that_set_makes(faults):
    (found,) = faults('at = "5s"\noverride = { limit = "api", rate = "2/s", burst = 3, for = "1m" }')
    assert (found.at, found.override.at, found.override.until) == (5.0, 5.0, 65.0)
    made = found.override
    assert (made.target, made.kind, made.rate.text, made.burst) == (Target("limits", "api"), "rate", "2/s", 3)
    assert (made.declared_rate, made.declared_burst) == ("10/s", 20)


def test_overrides_of_all_kinds_of_limit(faults):
    running, one, many, task = faults(
        'at = "0s"\noverride = { limit = "reports", max_running = 2 }',
        'at = "1s"\noverride = { limit = "tenant", rate = "9/s", partition = "acme" }',
        'at = "2s"\noverride = { limit = "quota", rate = "5/m" }',
        'at = "3s"\noverride = { task = "shop.buy", rate = "5/m" }',
    )
    assert (running.override.rate, running.override.max_running) == (None, 2)
    assert one.override.target.name == "tenant"
    assert one.override.target.partition
    assert one.override.target.shown == "", "its key may not be shown"
    assert many.override.rate.text == "5/m"
    assert task.override.target == Target("tasks", "shop.buy")
    assert all(each.override.until is None for each in (running, one, many, task))


def test_a_pause_ends_by_itself_or_is_resumed(faults):
    (found,) = faults('at = "1s"\npause = "api"\nfor = "3s"')
    assert (found.override.kind, found.override.until) == ("pause", 4.0)
    first, other, second = faults(
        'at = "20s"\nresume = "api"',
        'at = "1s"\npause = "api"',
        'at = "5s"\npause = "tenant"',
        'at = "8s"\npause = "api"\nfor = "3m"',
        'at = "6s"\nresume = "api"',
    )
    assert [each.override.until for each in (first, other, second)] == [6.0, None, 20.0]
    (found,) = faults('at = "1s"\npause = "api"\nfor = "3s"', 'at = "20s"\nresume = "api"')
    assert found == SetOverride(at=1.0, override=found.override)
    assert found.override.until == 4.0


@pytest.mark.parametrize(
    ("table", "place", "said"),
    [
        ('override = { limit = "apy", rate = "1/s" }', 12, 'no limit or task "apy" in ratelimits.toml; did you mean'),
        ('override = { limit = "api", rate = "1/sec" }', 12, '"1/sec" is not a rate; write a number'),
        ('override = { limit = "api", rate = "0/s" }', 12, "or pause the limit"),
        ('override = { limit = "api", max_running = 5 }', 12, "limits.api counts starts, not what runs; write rate"),
        ('override = { limit = "reports", rate = "5/s" }', 12, "limits.reports counts running tasks, and has no rate"),
        ('override = { limit = "quota", rate = "5/m", burst = 2 }', 12, "limits.quota has no burst"),
        ('override = { limit = "quota", rate = "0.5/m" }', 12, "is a window and counts whole starts"),
        ('override = { limit = "api", rate = "5/m", partition = "a" }', 12, "limits.api has one bucket for all"),
        ('override = { limit = "gone", rate = "5/m" }', 12, "limits.gone is off, so it has no rate"),
        ('override = { task = "mail.send", rate = "5/m" }', 12, '"mail.send" has several limits'),
        ('pause = "nosuch"', 9, 'no limit or task "nosuch"'),
        ('resume = "api"', 10, '"limits.api" is not paused before this; write a pause of it first'),
    ],
    ids=str,
)
def test_what_set_would_refuse_is_refused(faults, table, place, said):
    with pytest.raises(ConfigError) as caught:
        faults('at = "5s"\npause = "tenant"', f'at = "1s"\n{table}')
    (problem,) = caught.value.problems
    assert said in problem.message
    key = table.partition(" ")[0]
    assert problem.message.startswith(f"test[0].fault[1].{key}: ")
    assert (problem.code, problem.line, problem.column) == ("LK097", LINE + 5, place)
