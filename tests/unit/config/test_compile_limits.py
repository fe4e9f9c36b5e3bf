"""What each key of a limit, a task and a queue comes to."""

from __future__ import annotations

import pickle
from fractions import Fraction

import pytest

from limitkit.config.declared import ONE, Cost, Key, Part, Resets, Scheduled, ShareTerms
from limitkit.config.load import judge
from limitkit.config.model.units import parse_rate
from limitkit.config.source.toml import parse
from limitkit.errors import ConfigError

HEAD = """\
version = 1

[limits.tokens]
strategy = "token_bucket"
rate = "1000/s"
burst = 500

[limits.tenant]
strategy = "per_user"
rate = "5/s"
burst = 3
key = "tenant_id"

[limits.reports]
strategy = "concurrency"
max_running = 3

[limits.printer]
strategy = "static"
rate = "1/s"
burst = 10
"""


def rules(text, head=HEAD):
    return judge(parse(f"{head}\n{text}", "f.toml")).rules


def own(text, strategy="token_bucket", rate='rate = "1/s"'):
    found = rules(f'[tasks.t]\nstrategy = "{strategy}"\n{rate}\n{text}', "version = 1").for_task("t")
    (limit,) = found.limits
    return limit


def limits(text, task="t"):
    found = rules(text).for_task(task)
    return {limit.name: limit for limit in found.limits}


def test_what_a_limit_has_that_says_nothing_more():
    limit = own("")
    assert (limit.resets, limit.max_running, limit.lease, limit.scope) == (None, 0, 15.0, "all")
    assert (limit.partitions, limit.show_key, limit.fair_by, limit.weights, limit.schedule) == ({}, False, None, {}, ())
    assert (limit.cost, limit.settle, limit.metered, limit.key) == (ONE, None, False, None)


def test_a_concurrency_limit():
    limit = own('max_running = 4\nlease = "30s"\nkey = "tenant"', "concurrency", "")
    assert (limit.rate, limit.max_running, limit.lease, limit.most, limit.local) == (None, 4, 30.0, 4, False)
    assert own('max_running = 4\nscope = "worker"', "concurrency", "").local


@pytest.mark.parametrize(
    ("rate", "resets", "wanted"),
    [
        ("15000/d", "00:00 America/Los_Angeles", Resets("", "d", 0, 0, "America/Los_Angeles")),
        ("10/2d", "23:59 UTC", Resets("", "d", 1439, 0, "UTC", 2)),
        ("10/w", "mon 08:00 UTC", Resets("", "w", 480, 0, "UTC")),
        ("10/2w", "sun 08:00 UTC", Resets("", "w", 480, 6, "UTC", 2)),
        ("10/mo", "31 00:30 Europe/Berlin", Resets("", "mo", 30, 31, "Europe/Berlin")),
        ("10/3mo", "1 00:00 UTC", Resets("", "mo", 0, 1, "UTC", 3)),
        ("10/15m", "clock", Resets("", "clock", period_us=900_000_000)),
        ("10/s", "clock", Resets("", "clock", period_us=1_000_000)),
        ("10/24h", "clock", Resets("", "clock", period_us=86_400_000_000)),
    ],
)
def test_when_a_window_begins_anew(rate, resets, wanted):
    limit = own(f'resets = "{resets}"', "window", f'rate = "{rate}"')
    found = limit.resets
    assert found == Resets(
        resets, wanted.unit, wanted.minute, wanted.day, wanted.timezone, wanted.every, wanted.period_us
    )
    assert limit.most == int(rate.partition("/")[0])


def test_a_month_is_as_long_as_it_is_in_the_mean_and_a_part_of_its_rate_is_a_rate():
    rate = parse_rate("300/mo", calendar=True)
    assert rate.period == Fraction(146_097 * 86_400, 400 * 12)
    assert rate.times(Fraction(1, 2)).text == "150/mo"
    assert parse_rate("7/2w", calendar=True).per_second == Fraction(1, 2 * 86_400)
    with pytest.raises(ValueError, match="is not a rate"):
        parse_rate("300/mo")


def test_keys_of_several_parts_and_of_headers():
    assert own('key = "a.b"', "per_user").key == Key((Part(("a", "b")),))
    assert own('key = ["a.b"]', "per_user").key == own('key = "a.b"', "per_user").key
    several = own('key = ["a", "headers:x-a.b"]', "per_user").key
    assert several == Key((Part(("a",)), Part(("x-a.b",), header=True)))
    assert str(several) == "a and headers:x-a.b"
    assert own('fair_by = "headers:x"').fair_by == Key((Part(("x",), header=True),))


def test_partitions_and_weights_are_under_their_names_as_written():
    text = 'key = "a"\nshow_key = true\npartitions = { "42" = { rate = "2/s" }, "rate" = { burst = 7 } }'
    limit = own(text, "per_user")
    assert limit.show_key
    assert limit.partitions == {"42": ShareTerms(rate=parse_rate("2/s")), "rate": ShareTerms(burst=7)}
    assert own('fair_by = "a"\nweights = { "42" = 3, "strategy" = 0.5 }').weights == {"42": 3.0, "strategy": 0.5}


def test_tables_of_partitions_may_have_the_names_of_keys_and_dots():
    text = 'key = "a"\n[tasks.t.partitions.limits]\nburst = 7\n[tasks.t.partitions."a.b"]\nrate = "2/s"\n'
    assert own(text, "per_user").partitions == {"limits": ShareTerms(burst=7), "a.b": ShareTerms(parse_rate("2/s"))}


def test_schedules():
    text = """\
[[tasks.t.schedule]]
from = "22:00"
to = "06:00"
days = ["fri-mon", "wed"]
timezone = "Europe/Berlin"
rate = "5/s"
burst = 9

[[tasks.t.schedule]]
days = "tue"
burst = 2
"""
    assert own(text).schedule == (
        Scheduled(1320, 360, frozenset({4, 5, 6, 0, 2}), "Europe/Berlin", ShareTerms(parse_rate("5/s"), 9)),
        Scheduled(0, 1440, frozenset({1}), "UTC", ShareTerms(burst=2)),
    )
    (night,) = own('max_running = 3\nschedule = [{ max_running = 9, from = "20:00" }]', "concurrency", "").schedule
    assert night == Scheduled(1200, 1440, frozenset(range(7)), "UTC", ShareTerms(max_running=9))


@pytest.mark.parametrize(
    ("said", "cost"),
    [
        ("1", ONE),
        ("5", Cost(5)),
        ('"max_tokens"', Cost(of=Part(("max_tokens",)))),
        ('"emails.length"', Cost(of=Part(("emails", "length")))),
        ('"headers:x-size"', Cost(of=Part(("x-size",), header=True))),
        ('{ of = "n", times = 0.25, plus = 500, default = 9 }', Cost(1, Part(("n",)), 0.25, 500.0, 9)),
    ],
)
def test_costs(said, cost):
    limit = own(f"burst = 10\ncost = {said}")
    assert (limit.cost, limit.metered) == (cost, True), "a cost of 1 can be settled, too"


def test_a_cost_may_come_from_the_environment(monkeypatch):
    monkeypatch.setenv("COST", "7")
    assert own('burst = 10\ncost = "${COST}"').cost == Cost(7)
    monkeypatch.setenv("COST", "n.length")
    assert own('burst = 10\ncost = "${COST}"').cost == Cost(of=Part(("n", "length")))
    monkeypatch.setenv("COST", "11")
    with pytest.raises(ConfigError, match=r"LK069 tasks.t.cost: the value of \$\{COST\} is more than"):
        own('burst = 10\ncost = "${COST}"')


def test_an_entry_changes_a_named_limit_for_its_task_alone():
    text = '[tasks.t]\nlimits = [{ limit = "tenant", key = "customer.id", cost = 2, settle = "usage.total" }]\n'
    found = rules(f'{text}[tasks.u]\nlimits = ["tenant", {{ limit = "tokens" }}]')
    (mine,) = found.for_task("t").limits
    assert (mine.key, mine.cost, mine.settle) == (Key((Part(("customer", "id")),)), Cost(2), ("usage", "total"))
    theirs, tokens = found.for_task("u").limits
    assert (theirs.key, theirs.cost, theirs.settle) == (Key((Part(("tenant_id",)),)), ONE, None)
    assert mine.metered
    assert theirs.metered
    assert found.named["tenant"].metered, "its buckets are the same ones, whoever takes from them"
    assert not tokens.metered


def test_a_task_s_cost_is_that_of_all_its_limits_that_can_have_one():
    entries = '["tokens", "reports", "printer", { limit = "tenant", cost = 3 }]'
    found = limits(f'[tasks.t]\nlimits = {entries}\ncost = 5\nsettle = "n"')
    assert {name: limit.cost.fixed for name, limit in found.items()} == {
        "tokens": 5,
        "reports": 1,
        "printer": 5,
        "tenant": 3,
    }
    assert {name: limit.settle for name, limit in found.items()} == {
        "tokens": ("n",),
        "reports": None,
        "printer": None,
        "tenant": ("n",),
    }


QUEUES = """\
[tasks.t]
limits = [{ limit = "tokens", cost = 5 }, "reports"]

[tasks.off]
limits = ["tokens"]
mode = "off"

[tasks.drops]
limits = ["reports"]
on_limit = "drop"
max_wait = "1m"

[tasks."celery.chord_unlock"]
limits = ["reports"]

[queues.emails]
limits = ["tokens", "tenant"]

[queues."emails.*"]
limits = ["printer"]
mode = "shadow"

[queues."*"]
limits = []
"""


def test_queues_are_found_as_tasks_are():
    found = rules(QUEUES)
    assert [found.for_queue(name).pattern for name in ("emails", "emails.high", "other")] == ["emails", "emails.*", "*"]
    assert found.for_queue("celery").pattern == "*"
    assert found.for_queue("celery.high") is None
    assert [limit.mode for limit in found.for_queue("emails.high").limits] == ["shadow"]
    assert pickle.loads(pickle.dumps(found)) == found


def test_the_limits_of_a_queue_hold_beside_the_task_s_own():
    found = rules(QUEUES)
    together = found.together("t", "emails")
    assert [(limit.name, limit.cost.fixed) for limit in together.limits] == [
        ("tokens", 5),
        ("reports", 1),
        ("tenant", 1),
    ]
    assert together.pattern == "t"
    assert found.together("t", "other") == found.for_task("t")
    assert [limit.name for limit in found.together("without", "emails").limits] == ["tokens", "tenant"]
    assert found.together("without", "other") is None
    assert found.together("celery.chord_unlock", "emails") == found.for_task("celery.chord_unlock")
    assert found.together("celery.backend_cleanup", "emails") is None


def test_a_queue_keeps_a_limit_that_the_task_itself_does_not():
    (tokens, tenant) = rules(QUEUES).together("off", "emails").limits
    assert (tokens.name, tokens.mode, tenant.mode) == ("tokens", "enforce", "enforce")
    (tokens,) = rules(QUEUES).for_task("off").limits
    assert tokens.mode == "off"


def test_a_task_s_patience_is_that_for_a_queue_s_limits_too():
    found = rules(QUEUES).together("drops", "emails")
    assert (found.patience.action, found.patience.max_wait) == ("drop", 60.0)
    assert rules(QUEUES).together("t", "emails").patience is None


def test_a_queue_s_name_without_quotes_is_what_it_is():
    with pytest.raises(ConfigError) as caught:
        rules('[queues.emails.high]\nlimits = ["tokens"]')
    said = [str(problem).partition(": ")[2] for problem in caught.value.problems if problem.code == "LK028"]
    assert said == [
        (
            "LK028 queues.emails.high: without quotes TOML takes a name with dots for tables in one another, so "
            'nothing here has this name; write [queues."emails.high"]'
        )
    ]
