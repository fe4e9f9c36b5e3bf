"""Overrides in the store are in force in every process that looks, and what the store lost is put back."""

from __future__ import annotations

import itertools
import logging
from types import SimpleNamespace

import pytest
from redis.exceptions import ResponseError

from limitkit.buckets.override import Override, Target
from limitkit.config.load import judge
from limitkit.config.model.env_values import expand
from limitkit.config.model.units import parse_rate
from limitkit.config.source.toml import parse
from limitkit.control.override_watch import OverrideWatch
from limitkit.control.task_limits import TaskLimits
from limitkit.stores.failure_reason import store_error
from limitkit.stores.memory import MemoryStore
from limitkit.stores.overrides import OverrideStore

_numbers = itertools.count()

FILE = """
version = 1

[limits.api]
strategy = "token_bucket"
rate = "{rate}"
burst = {burst}

[tasks.paid]
limits = ["api"]

[tasks."mail.*"]
strategy = "token_bucket"
rate = "10/s"

[tasks.own]
strategy = "static"
rate = "10/s"
"""


class Process:
    """A process of some worker, as far as it watches the overrides; all of one test have one store."""

    def __init__(self, store, prefix, rate="10/s", burst=5):
        config = judge(parse(FILE.format(rate=rate, burst=burst), "f.toml"))
        self.task_limits = TaskLimits(config.rules, store)
        self.override_store = OverrideStore(store, prefix)
        self.override_watch = OverrideWatch(self.task_limits, self.override_store, config.digest)

    def look(self):
        return self.override_watch.look()

    def terms(self, name="paid"):
        (bound,) = self.task_limits.limits(SimpleNamespace(name=name))
        return bound.terms.interval_us, bound.terms.burst, bound.terms.source


@pytest.fixture
def process(redis_store):
    prefix = f"look{next(_numbers)}"
    return lambda *args: Process(redis_store, prefix, *args)


def rate(text, section="limits", name="api", burst=None):
    return Override(target=Target(section, name), kind="rate", rate=parse_rate(text), burst=burst)


def pause(section="limits", name="api"):
    return Override(target=Target(section, name), kind="pause")


def test_a_rate_that_is_set_holds_in_each_process_until_it_is_taken_off(process, caplog):
    one, other = process(), process()
    assert not one.look()
    one.override_store.post([(rate("20/m"), None)])
    with caplog.at_level(logging.INFO, "limitkit"):
        assert one.look()
        assert not one.look()
    assert [record.action for record in caplog.records] == ["override"]
    assert caplog.messages == ["limits.api has the rate 20/m now."]
    assert one.terms() == (3_000_000, 5, "override")
    assert other.terms() == (100_000, 5, "file")
    assert other.look()
    assert other.terms() == one.terms()
    one.override_store.post([], [rate("1/s").name])
    caplog.clear()
    with caplog.at_level(logging.INFO, "limitkit"):
        assert other.look()
    assert caplog.messages == ["limits.api is back at its declared rate."]
    assert other.terms() == (100_000, 5, "file")
    assert process().terms() == (100_000, 5, "file")


def test_a_pause_stands_over_a_rate_and_gives_it_back(process):
    one = process()
    one.override_store.post([(rate("20/m", burst=2), None), (pause(), None)])
    one.look()
    assert one.terms()[1:] == (0, "pause")
    one.override_store.post([], [pause().name])
    one.look()
    assert one.terms() == (3_000_000, 2, "override")


def test_a_task_s_own_override_wins_over_its_pattern_s(process):
    one = process()
    one.override_store.post([(rate("5/s", "tasks", "mail.*"), None), (rate("2/s", "tasks", "mail.receipt"), None)])
    one.look()
    assert one.terms("mail.welcome") == (200_000, 1, "override")
    assert one.terms("mail.receipt") == (500_000, 1, "override")


def test_it_ends_by_itself_when_the_store_is_gone_too(process, monkeypatch):
    one = process()
    one.override_store.post([(rate("20/m"), 60.0)])
    one.look()
    assert one.terms()[2] == "override"
    one.override_watch._override_store = OverrideStore(SimpleNamespace(run=unreachable), "x")
    assert not one.look()
    later = one.task_limits.in_force._offset + 61
    monkeypatch.setattr(one.task_limits.in_force, "_offset", later)
    assert one.look()
    assert one.terms() == (100_000, 5, "file")


def unreachable(*_):
    from limitkit.errors import StoreError

    raise StoreError("gone")


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        ("READONLY You can't write against a read only replica.", "a read only replica); fix that in the store"),
        ("NOPERM this user has no permissions", "NOPERM this user has no permissions); give its user the rights"),
    ],
)
def test_what_the_store_refuses_is_reported_once_there_is_a_log_with_its_own_remedy(process, caplog, reply, said):
    def refuse(*_):
        raise store_error(ResponseError(reply), expand("redis://localhost", {}))

    one = process()
    one.override_watch._override_store = OverrideStore(SimpleNamespace(run=refuse), "x")
    one.look()
    assert caplog.messages == []
    one.override_watch.log_all()
    for _ in range(2):
        one.look()
    (message,) = caplog.messages
    assert message.startswith("What is set at run time can't be seen (ResponseError: ")
    assert said in message.replace(", so limits hold as they are declared", "")
    assert message.endswith(".")
    assert not message.endswith("..")


def test_what_the_store_lost_is_put_back_with_its_end(process, admin, caplog):
    one, other = process(), process()
    one.override_store.post([(rate("20/m"), 60.0), (pause("tasks", "mail.*"), None)])
    for each in (one, other):
        each.look()
    admin.flushall()
    assert not one.look()
    assert [record.action for record in caplog.records] == ["overrides_put_back"]
    assert not other.look()
    newcomer = process()
    newcomer.look()
    assert newcomer.terms() == one.terms() == other.terms() == (3_000_000, 5, "override")
    assert newcomer.terms("mail.welcome")[2] == "pause"
    ends = [each.until for each in newcomer.task_limits.in_force.overrides if each.until is not None]
    assert ends == [each.until for each in one.task_limits.in_force.overrides if each.until is not None]


def test_what_was_set_since_the_store_lost_its_data_is_not_overwritten(process, admin):
    one = process()
    one.override_store.post([(rate("20/m"), None)])
    one.look()
    admin.flushall()
    one.override_store.post([(rate("30/m"), None)])
    one.look()
    assert one.terms() == (2_000_000, 5, "override")


def test_of_two_files_on_one_limit_the_stricter_holds_while_both_are_in_force(process):
    old, new = process("10/s", 5), process("20/s", 2)
    for each in (old, new, old, new, old):
        each.look()
    assert old.terms() == (100_000, 2, "stricter file")
    assert new.terms() == (100_000, 2, "stricter file")
    assert old.terms("mail.x") == (100_000, 1, "file")
    old.override_store.post([(rate("50/s"), None)])
    for each in (old, new):
        each.look()
        assert each.terms() == (20_000, each.task_limits.rules.named["api"].burst, "override"), (
            "a hand wins over any file"
        )


def test_a_file_that_nobody_goes_by_any_more_has_no_say(process, admin):
    old, new = process("10/s", 5), process("20/s", 2)
    for each in (old, new, new):
        each.look()
    assert new.terms()[2] == "stricter file"
    admin.zrem(f"{new.override_store._overrides}:files", old.override_watch._digest)
    assert new.look()
    assert new.terms() == (50_000, 2, "file")


def test_who_changes_his_file_leaves_the_old_one_behind_at_once(process):
    one = process("10/s", 5)
    one.look()
    one.task_limits.use(process("20/s", 2).task_limits.rules)
    one.override_watch.use_file("another")
    one.look()
    assert one.terms() == (50_000, 2, "file")


def test_an_override_of_one_worker_alone_wins_there(process):
    one, other = process(), process()
    one.override_store.post([(rate("5/s", "tasks", "own"), None)])
    one.task_limits.in_force.here(rate("1/s", "tasks", "own"), None)
    for each in (one, other):
        each.look()
    assert one.terms("own") == (1_000_000, 1, "override")
    assert other.terms("own") == (200_000, 1, "override")
    assert one.task_limits.in_force.forget([rate("1/s", "tasks", "own").name])
    one.task_limits.changed()
    assert one.terms("own") == (200_000, 1, "override")


def test_a_process_looks_by_itself_only_where_nobody_else_does(process, monkeypatch):
    one = process()
    one.look()
    one.override_store.post([(rate("20/m"), None)])
    monkeypatch.setattr(one.override_watch, "_at", one.override_watch._at - 5)
    one.override_watch.freshen()
    assert one.terms()[2] == "file", "the worker's own timer looks"
    monkeypatch.setattr(one.override_watch, "_pid", -1)
    one.override_watch.freshen()
    assert one.terms()[2] == "override"


def test_a_store_in_memory_has_overrides_of_its_own():
    one = Process(MemoryStore(), "x")
    one.override_store.post([(rate("20/m"), None)])
    assert one.look()
    assert one.terms() == (3_000_000, 5, "override")
