"""What a task says of its true cost, while it runs and by what it returns."""

import asyncio
import logging

import pytest

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
        (
            "token",
            1,
            'limitkit.settle() names "token", which charges shop.ask nothing to be settled (points, tokens can)',
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
