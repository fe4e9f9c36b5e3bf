"""What a task says of its true cost, while it runs and by what it returns."""

import asyncio
import logging

import pytest
from celery import Celery

import limitkit
from limitkit.buckets.decision import Bucket, Settlement
from limitkit.buckets.ticket import Charge
from limitkit.worker import running
from limitkit.worker.running import Running

TOKENS = Bucket("limitkit:{tokens}:g1", 1_000, 2_000, metered=True)
POINTS = Bucket("limitkit:{points}:g1", 1_000, 100, metered=True)
CHARGES = (Charge("tokens", TOKENS, 500, 7, ("usage", "total")), Charge("points", POINTS, 10, 0, None))


@pytest.fixture(autouse=True)
def _forget_warnings(monkeypatch):
    monkeypatch.setattr(running, "_warned", set())


def run(code, charges=CHARGES, **options):
    """Run a task's code; return its result, and what was settled."""
    settled = []
    result = Running("shop.ask", charges, settled.extend, **options).run(code)
    return result, settled


def test_what_a_task_returns_has_its_true_cost():
    result, settled = run(lambda: {"usage": {"total": 812.2}})
    assert result == {"usage": {"total": 812.2}}
    assert settled == [Settlement(TOKENS, 500, 813, 7)]


def test_what_it_has_said_itself_counts_and_of_several_the_last():
    def code():
        limitkit.settle("tokens", 5)
        limitkit.settle("points", 3.2)
        limitkit.settle("tokens", 0)
        return {"usage": {"total": 900}}

    assert run(code)[1] == [Settlement(TOKENS, 500, 0, 7), Settlement(POINTS, 10, 4, 0)]


def test_a_right_estimate_needs_no_call():
    assert run(lambda: {"usage": {"total": 500}})[1] == []


def test_a_task_that_fails_keeps_its_estimate_unless_it_has_said_something_else():
    settled, freed = [], []

    def fails():
        limitkit.settle("points", 2)
        raise KeyError("none of ours")

    with pytest.raises(KeyError):
        Running("shop.ask", CHARGES, settled.extend, lambda: freed.append(1)).run(fails)
    assert settled == [Settlement(POINTS, 10, 2, 0)]
    assert freed == [1]


@pytest.mark.parametrize(
    "returned", [None, {}, {"usage": None}, {"usage": {"total": "many"}}, {"usage": {"total": -1}}]
)
def test_a_result_without_a_cost_is_logged_once_and_the_estimate_stays(caplog, returned):
    with caplog.at_level(logging.WARNING, "limitkit"):
        assert [run(lambda: returned)[1] for _ in range(3)] == [[], [], []]
    (record,) = caplog.records
    assert record.getMessage() == 'shop.ask has returned no true cost at "usage.total"; its estimate stays.'


@pytest.mark.parametrize(
    ("name", "cost", "said"),
    [
        *(
            (
                name,
                1,
                "limitkit.settle() in shop.ask names no limit that charges it something to be settled",
            )
            for name in ("token", "hunter2", None, 5, {"tokens": 1}, ["tokens"])
        ),
        ("tokens", -1, "limitkit.settle() in shop.ask was given no number of tokens"),
        ("tokens", float("nan"), "limitkit.settle() in shop.ask was given no number of tokens"),
        ("tokens", None, "limitkit.settle() in shop.ask was given no number of tokens"),
    ],
)
def test_what_can_t_be_settled_never_fails_the_task(caplog, name, cost, said):
    with caplog.at_level(logging.WARNING, "limitkit"):
        result, settled = run(lambda: limitkit.settle(name, cost), CHARGES[1:] + CHARGES[:1])
    assert (result, settled) == (None, [])
    assert caplog.records[0].getMessage().startswith(said)
    assert "hunter2" not in caplog.text


def test_after_the_end_nothing_is_settled_any_more(caplog):
    late = []
    settled = []
    mine = Running("shop.ask", CHARGES, settled.extend)
    mine.run(lambda: late.append(lambda: mine.said("tokens", 9)))
    with caplog.at_level(logging.WARNING, "limitkit"):
        late[0]()
        late[0]()
    assert settled == []
    said = [record.getMessage() for record in caplog.records if "after" in record.getMessage()]
    assert said == ["limitkit.settle() was called after the end of shop.ask; its estimate stays."]


def test_names_that_are_not_known_are_logged_once_a_task(caplog):
    with caplog.at_level(logging.WARNING, "limitkit"):
        run(lambda: [limitkit.settle(f"tenant{number}", 1) for number in range(1500)], CHARGES[1:])
        run(lambda: limitkit.settle("points", "many"), CHARGES[1:])
    assert len(caplog.records) == 2


@pytest.mark.parametrize("call", ["directly", "apply"])
def test_a_task_that_is_called_inside_settles_nothing_of_the_one_that_runs(caplog, call):
    app = Celery("settles", set_as_current=False)

    @app.task(name="inner", shared=False)
    def inner():
        limitkit.settle("tokens", 900)

    def code():
        limitkit.settle("tokens", 2)
        return inner() if call == "directly" else inner.apply().get(disable_sync_subtasks=False)

    with caplog.at_level(logging.WARNING, "limitkit"):
        assert run(code, CHARGES[:1])[1] == [Settlement(TOKENS, 500, 2, 7)]
    assert [record.getMessage() for record in caplog.records if "settle()" in record.getMessage()] == [
        "limitkit.settle() in a task that shop.ask calls itself does nothing."
    ]


def test_where_no_task_runs_it_does_nothing():
    limitkit.settle("tokens", 5)


def test_coroutines_that_run_at_once_settle_each_its_own():
    settled = []

    async def ask(cost):
        await asyncio.sleep(0)
        limitkit.settle("tokens", cost)
        await asyncio.sleep(0)

    async def all_of_them():
        runs = [Running("shop.ask", CHARGES[:1], settled.extend).run(lambda cost=cost: ask(cost)) for cost in (1, 2, 3)]
        await asyncio.gather(*runs)

    asyncio.run(all_of_them())
    assert sorted(each.cost for each in settled) == [1, 2, 3]
