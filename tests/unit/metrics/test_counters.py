"""The sums behind the metrics."""

import time
from types import SimpleNamespace

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from limitkit.events.event_types import TaskStarted
from limitkit.metrics import families
from limitkit.metrics.count_events import Counting
from limitkit.metrics.counters import Numbers, made
from limitkit.metrics.families import Family
from limitkit.metrics.registry import Collector

SEEN = Family("seen", "counter", "Things seen.", ("limit",))
TOOK = Family("took_seconds", "histogram", "Time that things took.", ("limit",), (0.1, 1.0))


def read(text):
    return [
        (family.name, family.documentation, family.type, family.samples)
        for family in text_string_to_metric_families(text)
    ]


@pytest.fixture
def shown(monkeypatch):
    """Show some metrics as Prometheus reads them."""

    def show(*made_of):
        registry, collector = CollectorRegistry(), Collector()
        registry.register(collector)
        assert generate_latest(registry) == b""
        collector.source = lambda: made_of
        text = generate_latest(registry).decode()
        assert read(text) == read(collector.text()), "both ways tell the same"
        with collector.left_out():
            assert generate_latest(registry) == b""
        return [line for line in text.splitlines() if not line.startswith("# HELP")]

    return show


def test_a_counter_and_its_zeros(shown):
    numbers = Numbers()
    for _ in range(3):
        numbers.add(SEEN, "a")
    assert shown(numbers.shown(SEEN, [("a",), ("b",)])) == [
        "# TYPE celery_rate_limit_seen_total counter",
        'celery_rate_limit_seen_total{limit="a"} 3.0',
        'celery_rate_limit_seen_total{limit="b"} 0.0',
    ]


def test_a_histogram_counts_what_is_at_a_bound_in_it(shown):
    numbers = Numbers()
    for value in (0.05, 0.1, 0.5, 2.0):
        numbers.observe(TOOK, value, "a")
    lines = shown(numbers.shown(TOOK))
    assert lines[1:-1] == [
        'celery_rate_limit_took_seconds_bucket{le="0.1",limit="a"} 2.0',
        'celery_rate_limit_took_seconds_bucket{le="1.0",limit="a"} 3.0',
        'celery_rate_limit_took_seconds_bucket{le="+Inf",limit="a"} 4.0',
        'celery_rate_limit_took_seconds_count{limit="a"} 4.0',
    ]
    assert lines[-1].startswith('celery_rate_limit_took_seconds_sum{limit="a"} 2.65')


def test_a_gauge_that_nobody_has_a_value_for_shows_none(shown):
    assert shown(made(families.OVERRIDE, {})) == ["# TYPE celery_rate_limit_override_rate gauge"]


def test_names_that_need_care(shown):
    names = ('a "quoted" one', "a\\b", "two\nlines", "ünï", "{}")
    lines = shown(made(SEEN, {(name,): 1.5e15 for name in names}))
    assert lines[1] == r'celery_rate_limit_seen_total{limit="a \"quoted\" one"} 1.5e+15'
    assert len(lines) == 6


def test_each_metric_is_one_of_a_worker_or_of_the_exporter():
    shown = (*families.WORKER, *families.EXPORTER)
    assert [name for name, value in vars(families).items() if isinstance(value, Family) and value not in shown] == []


def test_names_are_what_prometheus_expects():
    for family in families.WORKER:
        assert family.shown.startswith("celery_rate_limit_")
        assert family.help.endswith(".")
        assert bool(family.bounds) == (family.kind == "histogram")
        assert list(family.bounds) == sorted(family.bounds)
    assert len({family.short for family in families.WORKER}) == len(families.WORKER)
    assert families.HITS.shown == "celery_rate_limit_hits_total"
    assert families.RETRIES.shown == "celery_rate_limit_retries_total"


def test_the_first_moments_are_no_whole_minute():
    limits = (SimpleNamespace(limit=SimpleNamespace(name="paid")),)
    task_limits = SimpleNamespace(limits=lambda *_: limits)
    counting = Counting(Numbers(), task_limits, {"paid": "a task"})
    now = time.monotonic()
    assert counting.starts_a_second("paid", now) == 0.0
    for _ in range(50):
        counting(TaskStarted(task="paid"))
    assert counting.starts_a_second("paid", now + 10) == pytest.approx(5.0, rel=0.1)
    assert counting.starts_a_second("paid", now + 50) == pytest.approx(1.0, rel=0.1)
    assert counting.starts_a_second("paid", now + 70) == 0.0
