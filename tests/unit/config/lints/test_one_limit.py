"""Lints about one limit: which are told of, and which are left alone."""

from __future__ import annotations

import pytest

from limitkit.config.lints.findings import findings
from limitkit.config.load import judge
from limitkit.config.source.toml import parse


def codes(text, workers=None):
    config = judge(parse(f"version = 1\n{text}", "f.toml"))
    return [problem.code for problem in findings(config, None, workers)]


def task(more, strategy="token_bucket"):
    return f'[tasks.a]\nstrategy = "{strategy}"\n{more}\n'


@pytest.mark.parametrize(
    ("rate", "burst", "told"),
    [
        ("100/m", 100, False),  # exactly twice
        ("100/m", 101, True),
        ("25/s", 100, False),
        ("25/s", 1500, False),
        ("25/s", 1501, True),
        ("5/m", 5, False),
        ("1/m", 1, False),
        ("1/m", 2, True),
        ("0.1/m", 1, False),  # a token each ten minutes
        ("0.1/m", 2, True),
        ("2.5/m", 3, False),  # 5 in the worst minute
        ("2.5/m", 4, True),
        ("50/h", 10, False),  # 60 in the worst hour
        ("50/h", 51, True),
        ("1/10s", 6, False),
        ("1/10s", 7, True),
        ("3/90s", 3, False),
        ("3/90s", 4, True),
        ("1000/d", 1000, False),
    ],
)
@pytest.mark.parametrize("strategy", ["token_bucket", "static"])
def test_the_worst_minute(rate, burst, told, strategy):
    assert codes(task(f'rate = "{rate}"\nburst = {burst}', strategy)) == (["LK111"] if told else [])


@pytest.mark.parametrize(
    "text",
    [
        task('rate = "1/m"\nburst = 50\ncost = 50'),  # it needs that burst
        task('rate = "1/m"\nburst = 50\nmode = "off"'),
        task('rate = "100/10s"', "window"),
        task("max_running = 50", "concurrency"),
    ],
)
def test_bursts_that_are_left_alone(text):
    assert codes(text) == []


GIVES_UP = 'on_limit = "drop"\n'


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (task(f'rate = "1/m"\n{GIVES_UP}max_wait = "59s"'), True),
        (task(f'rate = "1/m"\n{GIVES_UP}max_wait = "1m"'), False),
        (task(f'rate = "10/3s"\n{GIVES_UP}max_wait = "300ms"'), False),  # in floats that is a little less
        (task(f'rate = "1/m"\n{GIVES_UP}'), False),  # none waits
        (task(f'rate = "1/m"\nmode = "shadow"\n{GIVES_UP}max_wait = "1s"'), False),
        (task(f'rate = "5/m"\nburst = 5\ncost = 5\n{GIVES_UP}max_wait = "1s"'), False),
        (task(f'rate = "10/d"\nresets = "00:00 UTC"\n{GIVES_UP}max_wait = "1s"', "window"), False),
        (task(f'rate = "10/d"\n{GIVES_UP}max_wait = "1s"', "window"), True),
        (task(f'max_running = 1\n{GIVES_UP}max_wait = "1s"', "concurrency"), False),
        (task(f'rate = "1/s"\n{GIVES_UP}max_wait = "2s"\nschedule = [{{ to = "06:00", rate = "1/m" }}]'), True),
    ],
)
def test_a_short_wait(text, told):
    assert codes(text) == (["LK115"] if told else [])


LIMIT = (
    f'[limits.slow]\nstrategy = "token_bucket"\nrate = "1/m"\n{GIVES_UP}max_wait = "2m"\n[tasks.a]\nlimits = ["slow"]\n'
)


def test_a_tasks_own_max_wait_is_told_of_where_it_stands():
    assert codes(LIMIT) == []
    config = judge(parse(f'version = 1\n{LIMIT}max_wait = "5s"\n', "f.toml"))
    assert [str(each).split(" ", 3)[:3] for each in findings(config, None)] == [
        ["f.toml:9:12:", "LK115", "tasks.a.max_wait:"]
    ]


def test_a_max_wait_from_the_environment_is_not_shown(monkeypatch):
    monkeypatch.setenv("PATIENCE", "1.375s")
    config = judge(parse(f"version = 1\n{LIMIT.replace('2m', '${PATIENCE}')}", "f.toml"))
    (found,) = findings(config, None)
    assert found.code == "LK115"
    assert "1.375" not in found.message
    assert "1375" not in found.message


@pytest.mark.parametrize(("workers", "told"), [((2, 20), True), ((2, 2), False), (None, False)])
def test_a_static_limit_in_a_fleet(workers, told):
    assert codes(task('rate = "1/s"', "static"), workers) == (["LK114"] if told else [])
    assert codes(task('rate = "1/s"'), workers) == []


def test_one_worker_starts_alone():
    config = judge(parse('version = 1\n[tasks.a]\nstrategy = "static"\nrate = "1/s"\n', "f.toml"))
    (found,) = findings(config, None, workers=(1, 4))
    assert "for itself: 1 worker starts 1/s and 4 workers start 4/s together; " in found.message


KEYED = task('rate = "5/s"\nkey = "user"\n{}partitions = {{ a = {{ {} }} }}', "per_user")


@pytest.mark.parametrize(
    ("more", "terms", "told"),
    [
        ("", 'rate = "5/s"', True),
        ("", "burst = 1", True),
        ("", 'rate = "5/s", burst = 2', False),
        ("", 'rate = "10/2s"', False),
        ("", 'rate = "${SAME}"', False),
        ('schedule = [{ to = "06:00", rate = "1/s" }]\n', 'rate = "5/s"', False),  # at night it is different
        ('mode = "off"\n', 'rate = "5/s"', False),
    ],
)
def test_a_partition_that_says_nothing(more, terms, told, monkeypatch):
    monkeypatch.setenv("SAME", "5/s")
    assert codes(KEYED.format(more, terms)) == (["LK118"] if told else [])


@pytest.mark.parametrize(
    ("weights", "told"),
    [("a = 1, b = 1.0", True), ("a = 1, b = 2", False), ("a = 3, b = 3", False), ('a = "${ONE}"', False)],
)
def test_weights_that_say_nothing(weights, told, monkeypatch):
    monkeypatch.setenv("ONE", "1")
    text = task(f'rate = "5/s"\nfair_by = "user"\nweights = {{ {weights} }}')
    assert codes(text) == (["LK119"] if told else [])


def test_a_limit_of_a_queue_is_looked_at_and_one_that_nobody_names_is_not():
    limit = '[limits.a]\nstrategy = "token_bucket"\nrate = "1/m"\nburst = 50\n'
    assert codes(f'{limit}[queues.q]\nlimits = ["a"]\n') == ["LK111"]
    assert codes(limit) == []
