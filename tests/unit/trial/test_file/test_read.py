"""A test file becomes cases: what is played, and what is expected."""

from __future__ import annotations

import pytest

from limitkit.errors import ConfigError
from limitkit.trial.expectations.expectation import DrainedBy, Least, Lost, Most, StartedWithin, Subject
from limitkit.trial.scenario import EPOCH, Arrival
from limitkit.trial.test_file.read import read_scenario, read_tests

CONFIG = """
version = 1
[limits.api]
strategy = "token_bucket"
rate = "10/s"
[limits.bulk]
strategy = "token_bucket"
rate = "10/s"
[limits.unused]
strategy = "token_bucket"
rate = "10/s"
[limits."mail.too"]
strategy = "token_bucket"
rate = "10/s"
[tasks."mail.send"]
limits = ["api"]
[tasks."mail.too"]
strategy = "token_bucket"
rate = "10/s"
[tasks."mail.own"]
strategy = "token_bucket"
rate = "10/s"
[queues.bulk]
limits = ["bulk"]
"""


@pytest.fixture
def written(tmp_path, monkeypatch):
    monkeypatch.delenv("LIMITKIT_CONFIG", raising=False)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "ratelimits.toml").write_text(CONFIG)

    def write(text):
        (tmp_path / "a.limits.toml").write_text(text)
        return "a.limits.toml"

    return write


def test_a_whole_test(written):
    (case,) = read_tests(
        written("""
[[test]]
name = "a"
workers = 2
processes = 3
prefetch_multiplier = 1
task_seconds = { "mail.*" = "200ms", "mail.own" = "0s" }
begins_at = 2026-01-05T02:00:00+01:00
until = "1h"
seed = 7
[[test.send]]
task = "mail.send"
count = 2
every = "10s"
at = "1s"
args = ["user-{n}", 3]
kwargs = { a = { b = "{n}" } }
queue = "bulk"
headers = { tenant = "t{n}" }
priority = 4
[[test.send]]
task = "mail.own"
at = "5s"
[[test.expect]]
task = "mail.*"
started_within = "1.5s"
most = { starts = 100, in = "10s" }
least = { starts = 95, in = "20s" }
lost = 1
drained_by = "17m"
[[test.expect]]
limit = "bulk"
lost = 0
""")
    )
    scenario = case.scenario()
    assert (scenario.workers, scenario.processes, scenario.prefetch_multiplier, scenario.until) == (2, 3, 1, 3600.0)
    assert scenario.task_seconds == {"mail.*": 0.2, "mail.own": 0.0}
    assert (scenario.begins, case.seed, scenario.faults) == (EPOCH + 3600, 7, ())
    first, second, third = scenario.arrivals
    more = {"queue": "bulk", "priority": 4}
    assert first == Arrival(
        1.0, "mail.send", ("user-0", 3), {"a": {"b": "0"}}, headers={"tenant": "t0"}, seconds=None, **more
    )
    assert second == Arrival(5.0, "mail.own", kwargs={}, headers={})
    assert (third.at, third.args, third.headers) == (11.0, ("user-1", 3), {"tenant": "t1"})
    assert [*case.scenario().arrivals] == [first, second, third], "it can be played again"
    mail = Subject(task="mail.*")
    rules = [StartedWithin(1.5), Most(100, 10.0), Least(95, 20.0), Lost(1), DrainedBy(1020.0)]
    assert [(each.subject, each.rule) for each in case.expectations] == [
        *((mail, rule) for rule in rules),
        (Subject(limit="bulk"), Lost(0)),
    ]
    assert case.place() == (2, 1)
    assert case.place(case.expectations[1].path) == (27, 1)


def test_what_is_left_out(written):
    text = '[[test]]\nname = "a"\n{}[[test.send]]\ntask = "mail.send"\n[[test.expect]]\ntask = "mail.send"\nlost = 0\n'
    (case,) = read_tests(written(text.format("")))
    scenario = case.scenario()
    assert (scenario.workers, scenario.processes, scenario.prefetch_multiplier, scenario.until) == (1, 4, 4, None)
    assert (scenario.begins, scenario.task_seconds, case.seed) == (EPOCH, {}, 0)
    assert [*scenario.arrivals] == [Arrival(0.0, "mail.send", kwargs={}, headers={})]
    (case,) = read_tests(written(text.format('task_seconds = "2s"\n')))
    assert case.task_seconds == {"*": 2.0}


def test_a_scenario_file(written):
    case = read_scenario(written('workers = 5\n[[send]]\ntask = "t"\n[[fault]]\nat = "1s"\npause = "api"\n'))
    assert (case.name, case.workers, len(case.faults), case.expectations) == ("", 5, 1, ())
    with pytest.raises(ConfigError) as caught:
        read_scenario(written('[[send]]\ntask = "t"\n[[fault]]\nat = "1s"\npause = "nosuch"\n'))
    assert str(caught.value).startswith('a.limits.toml:5:9: LK097 fault[0].pause: there is no limit or task "nosuch"')


NOTHING = "so there is nothing to expect; send a task that names it, or name another limit"


@pytest.mark.parametrize(
    ("limit", "said"),
    [
        ("apy", 'there is no limit "apy" in ratelimits.toml; did you mean "api"?'),
        ("zzzzz", 'there is no limit "zzzzz" in ratelimits.toml; name one of "api", "bulk", "unused" or "mail.too"'),
        ("mail.own", "for the limit of a task's own write task in the place of limit"),
        ("mail.too", f'nothing that this test sends is under the limit "mail.too", {NOTHING}'),
        ("unused", f'nothing that this test sends is under the limit "unused", {NOTHING}'),
        ("bulk", f'nothing that this test sends is under the limit "bulk", {NOTHING}'),
    ],
)
def test_an_expectation_of_a_limit_that_is_not_there(written, limit, said):
    text = f"""
[[test]]
name = "a"
send = [{{ task = "mail.send" }}, {{ task = "mail.own" }}, {{ task = "mail.too" }}]
expect = [{{ limit = "api", lost = 0 }}, {{ limit = "{limit}", lost = 0 }}]
"""
    with pytest.raises(ConfigError) as caught:
        read_tests(written(text))
    assert str(caught.value).startswith("a.limits.toml:5:50: LK091 test[0].expect[1].limit: ")
    assert str(caught.value).endswith(said)


def test_all_problems_of_all_tests_are_told_in_the_order_of_the_file(written):
    test = '[[test]]\nname = "{}"\n[[test.send]]\ntask = "t"\n[[test.expect]]\nlimit = "x"\nlost = 0\n'
    test += '[[test.fault]]\nat = "1s"\npause = "x"\n'
    with pytest.raises(ConfigError) as caught:
        read_tests(written(test.format("a") + test.format("b")))
    assert [(each.code, each.line) for each in caught.value.problems] == [
        ("LK091", 6),
        ("LK097", 10),
        ("LK091", 16),
        ("LK097", 20),
    ]
