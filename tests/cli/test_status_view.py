"""What is said of a worker that keeps its limits in another way than its file says, or not at all."""

import datetime as dt
from dataclasses import replace
from math import inf

import pytest

from limitkit.buckets.decision import Slots, Take
from limitkit.buckets.override import Target
from limitkit.cli.status_view import as_values, head, limits, partitions
from limitkit.config.declared import Key, Limit, Part
from limitkit.config.model.units import parse_rate
from limitkit.control.bucket_state import state_of
from limitkit.control.current import current_of
from limitkit.control.in_force import InForce
from limitkit.control.status.drift import in_general, of_limits, of_workers, reasons
from limitkit.control.status.snapshot import Row, Snapshot
from limitkit.control.status.usages import MOST_PARTS, add_usages
from limitkit.errors import Problem
from limitkit.stores.memory import MemoryStore

NOW = 1_800_000_000.0


def row(name="api", *, held=0, **said):
    told = {"strategy": "token_bucket", "mode": "enforce", "on_error": "allow", "rate": parse_rate("2/s")} | said
    limit = Limit(name, own=False, burst=1, path="limits.toml", line=1, **{"key": None, **told})
    in_force, target = InForce(), Target("limits", name)
    in_force.clock(NOW)
    now = state_of(in_force, limit, "")
    return Row(current_of(in_force, target, limit, ""), target, now, name, held=held)


def report(*rows, digest="d1", **said):
    """What a worker says of limits that it has as they are declared."""
    told = {
        each.tag: {
            "limit": str(each.current.target),
            "mode": each.current.limit.mode,
            "strategy": each.current.limit.strategy,
            "on_error": None if each.current.limit.strategy == "static" else each.current.limit.on_error,
            "declared": "2/s",
            "declared_burst": 1,
        }
        for each in rows
    }
    fine = {"path": "limits.toml", "digest": digest, "since": NOW, "refused": "", "mode": "enforce", "paced": True}
    return fine | {"unguarded": [], "caps": {}, "store": "", "limits": told} | said


def snapshot(*rows, **reports):
    return Snapshot("limits.toml", "d1", NOW, "enforce", list(rows), (), reports, "the broker's Redis")


def facts(of):
    return [(each.kind, each.worker, each.fact) for each in of]


def test_as_the_file_says():
    found = snapshot(row(), w1=report(row()))
    assert [*of_workers(found), *of_limits(found), *in_general(found)] == []


@pytest.mark.parametrize(("mode", "does"), [("off", "keeps no limit"), ("shadow", "counts for its limits, and delays")])
def test_a_worker_with_another_mode_is_no_other_file(mode, does):
    found = snapshot(row(), w1=report(mode=mode, digest="d2"), w2=report(row()))
    ((kind, worker, fact),) = facts(of_workers(found))
    assert (kind, worker) == ("mode", "w1")
    assert fact.startswith(does)
    assert f'LIMITKIT_MODE is "{mode}" there' in fact


def test_a_mode_of_this_process_is_nothing_that_a_worker_does():
    found = replace(snapshot(row(mode="off"), w1=report(row(), digest="d2")), mode_here="off")
    assert facts(of_workers(found)) == []


def test_another_file_is_named_with_its_digest_and_since_when():
    other = report(row(), digest="d2", path="other.toml")
    ((kind, _, fact),) = facts(of_workers(snapshot(row(), w1=other)))
    assert kind == "other file"
    assert fact.startswith("uses another file, other.toml (d2), since 20")


@pytest.mark.parametrize(
    ("strategy", "hint"),
    [("static", "limitkit restore api"), ("token_bucket", "it follows within a second: look again")],
)
def test_another_rate_in_one_worker_that_was_set_there_or_is_on_its_way(strategy, hint):
    api = row(strategy=strategy)
    api.apart = {"w1": "1/s, burst 1"}
    (found,) = of_limits(snapshot(api, w1=report(api)))
    assert (found.kind, found.subject) == ("other rate", "limits.api in w1")
    assert (found.fact, found.hint) == ("1/s, burst 1 holds there, and 2/s, burst 1 elsewhere", hint)


def test_a_rate_that_celery_s_own_command_has_set():
    push = row("push", strategy="static")
    push.dialled = {"w1": 60.0}
    assert [*reasons(push, snapshot(push))] == ["1/m set by control.rate_limit in w1"]


def test_static_limits_that_a_pool_does_not_keep():
    push = row("push", strategy="static")
    ((kind, worker, fact),) = facts(of_workers(snapshot(push, row(), w1=report(push, row(), paced=False))))
    assert (kind, worker, fact) == ("unpaced", "w1", "has no pacer, so limits.push is not kept there")


@pytest.mark.parametrize(
    ("on_error", "in_force", "drained", "then"),
    [
        ("allow", ("not kept", 0, "store"), 2.0, "limit nothing"),
        ("hold", ("held", 0, "store"), inf, "let no task start"),
        ("divide", ("2/s", 1, "file"), 2.0, "are divided by the workers"),
    ],
)
def test_a_store_that_is_gone(on_error, in_force, drained, then):
    api = row(on_error=on_error, held=4)
    api.lost = {"w1": True}
    found = replace(snapshot(api, w1=report(api, store="refused")), gone="refused")
    assert (api.in_force, api.drained_in) == (in_force, drained)
    assert [*reasons(api, found)] == [f'the store can\'t be asked: on_error = "{on_error}"']
    ((kind, worker, fact),) = facts(of_workers(found))
    assert (kind, worker) == ("store", "w1")
    assert fact == f"can't ask the store (refused); until it answers, shared limits {then}"
    assert "can't be asked from here (refused)" in "\n".join(head(found))
    assert as_values(found)["store_error"] == "refused"
    api.lost["w2"] = False
    assert api.in_force[2] != "store", "there it is kept"
    assert "in w1: on_error" in next(reasons(api, found))


def test_who_waits_is_not_known_where_no_worker_has_a_pacer():
    api, shy = row(), row("shy", mode="shadow")
    for each in (api, shy):
        each.paced = {"w1": False}
    found = snapshot(api, shy, w1=report(api, shy, paced=False))
    assert as_values(found)["limits"][0]["held"] is None
    assert [*reasons(shy, found)] == ["shadow: nothing is counted without a pacer"]
    for each in (api, shy):
        each.paced["w2"] = True
    assert as_values(found)["limits"][0]["held"] == 0
    assert [*reasons(shy, found)] == ["shadow: 0 of 0 would have waited"]


def test_what_a_worker_keeps_by_itself_is_in_force_where_all_agree():
    push = row("push", strategy="static", held=6)
    push.kept = {"w1": ("1/s", 1, "control"), "w2": ("1/s", 1, "control")}
    push.paces = {"w1": 1.0, "w2": 1.0}
    assert push.in_force == ("1/s", 1, "control")
    assert push.drained_in == 3.0
    push.paces["w2"], push.kept["w2"] = inf, ("paused", 0, "pause")
    assert push.in_force == ("2/s", 1, "file")
    assert push.drained_in == 6.0
    push.paces["w1"] = inf
    assert push.drained_in == inf


def test_a_file_that_can_t_be_used_is_said_with_what_runs():
    problem = Problem("limits.toml", 1, 1, "LK001", "the file does not exist")
    found = replace(snapshot(row(), w1=report(row(), digest="d2")), digest="", problems=(problem,))
    lines = head(found)
    assert lines[0] == "limits.toml; 1 worker answered: w1."
    assert "can't be used as it is now (1 problem)" in lines[1]
    assert lines[2].startswith("w1: uses limits.toml (d2), since ")
    values = as_values(found)
    assert (values["digest"], values["problems"][0]["code"]) == (None, "LK001")


def test_a_limit_of_another_file_is_shown_too():
    other = row("theirs")
    other.foreign = "other.toml (d2)"
    found = snapshot(row(), other, w1=report(row()), w2=report(row(), other, digest="d2", path="other.toml"))
    assert any("limits.theirs" in line and "of other.toml (d2) alone" in line for line in limits(found, every=False))
    ((_, _, fact),) = facts(of_workers(found))
    assert fact.endswith("limits.theirs differs")


ONCE = {"strategy": "concurrency", "rate": None, "max_running": 3}


def held_slots(key, count):
    """Return a store in which so many slots of this key are taken."""
    store = MemoryStore()
    for number in range(count):
        store.take([Take((Slots(key, 1, 99),), member=f"{NOW * 1000:.0f}-{number}")], now_us=round(NOW * 1_000_000))
    return store


def test_a_task_that_has_lost_its_slot_is_counted_where_it_runs():
    reports = row(**ONCE)
    reports.running = 4
    add_usages(held_slots("limitkit:{api}:r1", 3), "limitkit", [reports], NOW)
    assert reports.usage.text() == "4 of 3 run"


@pytest.mark.parametrize("said", [{"mode": "shadow"}, {"mode": "off"}, {"scope": "worker"}])
def test_the_store_is_not_asked_what_is_used_of_a_limit_that_is_not_kept_there(said):
    reports = row(**(ONCE | said))
    add_usages(held_slots("limitkit:{api}:r1", 3), "limitkit", [reports], NOW)
    assert reports.usage is None


def test_partitions_are_looked_into_where_most_wait_or_run_and_shown_in_clear_only_where_the_key_is():
    reports = row(key=Key((Part(("tenant",)),)), **ONCE)
    clear, digest = "=acme", "b" * 32
    reports.part(clear).held, reports.part(digest).running, reports.held = 1, 2, 50
    for number in range(MOST_PARTS):
        reports.part(f"{number:032x}").held = 2
    store = held_slots("limitkit:{api}:r1:=acme", 3)
    add_usages(store, "limitkit", [reports], NOW)
    assert reports.part(clear).usage is None, "others wait for more"
    reports.part(clear).held = 9
    add_usages(store, "limitkit", [reports], NOW)
    assert reports.part(clear).usage.text() == "3 of 3 run"
    said = partitions(reports, snapshot(reports))
    assert said[4].split()[0] == "acme"
    assert len(said) == 4 + MOST_PARTS + 1
    assert said[-1] == "And 2 more."
    reports.part("=").held = 10
    assert partitions(reports, snapshot(reports))[4].split()[0] == '""', "a value without letters can be seen, too"
    assert reports.drained_in is None
    assert "not known" in "\n".join(limits(snapshot(reports), every=True))


def test_when_running_tasks_end_is_guessed_from_the_starts_of_the_last_minute():
    reports = row(held=10, **ONCE)
    assert reports.drained_in is None
    reports.started = 20
    assert reports.drained_in == pytest.approx(30)
    assert "about 30s" in "\n".join(limits(snapshot(reports), every=True))


def test_a_schedule_is_named_with_its_end():
    night = row()
    night.current = replace(night.current, source="schedule", until=NOW + 60)
    at = dt.datetime.fromtimestamp(NOW + 60).astimezone()
    assert [*reasons(night, snapshot(night))] == [f"schedule until {at:%Y-%m-%d %H:%M}"]
    night.current = replace(night.current, until=None)
    assert [*reasons(night, snapshot(night))] == ["schedule"]
    assert [*of_limits(snapshot(night))] == [], "it is what the file says"


def test_a_concurrency_limit_of_each_worker_that_no_pacer_keeps():
    disk = row("disk", **ONCE, scope="worker")
    told = report(disk, paced=False)
    told["limits"]["disk"] |= {"local": True, "on_error": None, "declared": "3 at once", "declared_burst": 3}
    ((kind, _, fact),) = facts(of_workers(snapshot(disk, w1=told)))
    assert (kind, fact) == ("unpaced", "has no pacer, so limits.disk is not kept there")
