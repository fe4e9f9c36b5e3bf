"""A start that comes too late for its token: the guard waits in the pool process, or sends the message back."""

import pytest
from support.played import most_in, once, played, send, starts

from limitkit.trial.engine import pool


@pytest.fixture
def every_third_is_late(monkeypatch):
    """Have every third task begin 0.6 s after it was given to the pool, the first time."""
    make = pool.Pool.__init__

    def made(self, *args):
        make(self, *args)
        self.begins_after = begins_after

    seen = set()

    def begins_after(request):
        is_late = int(request.id) % 3 == 0 and request.id not in seen
        seen.add(request.id)
        return 0.6 if is_late else 0.001

    monkeypatch.setattr(pool.Pool, "__init__", made)


@pytest.mark.parametrize(("rate", "burst", "sends_back"), [(50, 1, False), (2, 10, True)])
@pytest.mark.usefixtures("every_third_is_late")
def test_a_stale_ticket_is_not_enough(rate, burst, sends_back):
    toml = f'[tasks.a]\nstrategy = "token_bucket"\nrate = "{rate}/s"\nburst = {burst}\n'
    outcome = played(toml, send(count=30), workers=2, processes=8, until=200.0)
    assert once(outcome)
    assert most_in(starts(outcome), 1.0) <= burst + rate * 1.05 + 1
    assert (outcome.sent_back > 0) == sends_back


@pytest.mark.usefixtures("every_third_is_late")
def test_what_was_sent_back_keeps_its_queue_and_its_arguments():
    toml = '[tasks.a]\nstrategy = "per_user"\nrate = "2/s"\nburst = 10\nkey = "user"\n'
    outcome = played(toml, send(count=30, queue="slow", kwargs={"user": "x"}), until=100.0, processes=16)
    assert outcome.sent_back > 0
    assert once(outcome)
    assert most_in(starts(outcome), 1.0) <= 13


LATE = [
    (20, 0.1),
    (5, 0.05),
    (5, 0.14),
    (5, 0.3),
    (2, 0.1),
    (2, 0.36),
    (1, 0.1),
    (1, 0.7),
    (0.5, 0.6),
    (0.5, 1.4),
    (0.1, 4.0),
]


@pytest.mark.parametrize(("rate", "late"), LATE)
def test_where_all_starts_are_late_by_as_much_they_still_start(rate, late, monkeypatch):
    """Each comes too late for its own token, and the next are reserved by then: once, nothing at all started."""
    make = pool.Pool.__init__

    def made(self, *args):
        make(self, *args)
        self.begins_after = lambda _: late

    monkeypatch.setattr(pool.Pool, "__init__", made)
    toml = f'[tasks.a]\nstrategy = "token_bucket"\nrate = "{rate}/s"\n'
    outcome = played(toml, send(count=200), workers=2, until=30 / rate)
    assert len(starts(outcome)) >= 13
    assert most_in(starts(outcome), 10 / rate) <= 1 + rate * (10 / rate + 0.05) + 1
    assert all(len(run.starts) <= 1 for run in outcome.runs)
    if late < 0.75 / rate:
        assert len(starts(outcome)) >= 28
