"""A little of the search: lives that keep all promises, faults that it finds, and what it writes."""

from __future__ import annotations

import pytest

from search.hunt import broken_in, life_of, live
from search.hunter import hunted
from search.life import config_text, read, text_of_test
from search.mutants import MUTANTS
from search.shrink import shrunk

LIVES = range(7_000_000, 7_000_025)
FAST = {"sign of a sum": 3, "one more in a window": 3, "lease not freed": 12}
"""By mutant: lives within which it is found."""


@pytest.mark.parametrize("number", LIVES)
def test_a_life_keeps_all_promises(number):
    assert live(number).broken == ()


@pytest.mark.parametrize("name", FAST)
def test_a_fault_is_found(name):
    mutant = next(each for each in MUTANTS if each.name == name)
    assert hunted(mutant, minutes=5, cores=1, lives=FAST[name]).found


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_a_fault_can_be_put_in(mutant):
    assert mutant.count() == 1


@pytest.mark.parametrize("number", LIVES)
def test_what_is_written_is_read_again(number):
    life = life_of(number)
    assert read(config_text(life.config), text_of_test(life.test)) == life


def test_what_breaks_a_promise_is_made_small():
    life = life_of(LIVES[0])
    life.test["send"].append({"task": "late", "count": 40, "kwargs": {"user": "u0"}})
    life.config["limits"]["own"] = {"strategy": "token_bucket", "rate": "1/s"}
    life.config["tasks"]["late"] = {"limits": ["own"], "on_limit": "drop", "max_wait": "1s"}
    dropped = _dropped
    small = shrunk(life, "some dropped", within=20.0, judge=dropped)
    assert len(small.test["send"]) == 1
    assert list(small.config["limits"]) == ["own"]
    assert small.test["send"][0]["count"] < 6


def _dropped(life):
    outcome = broken_in(life)[1]
    return outcome is not None and any(run.fate == "dropped" for run in outcome.runs)
