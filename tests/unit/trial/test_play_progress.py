"""Somebody who waits for a long play is told how far it is."""

from itertools import pairwise

from support.played import rules_of, send

from limitkit.trial.play import play
from limitkit.trial.scenario import Scenario, in_order


def test_it_is_told_every_thousand_events():
    told = []
    sendings = [send("mail.send", count=900, every=0.1)]
    outcome = play(rules_of(""), Scenario(arrivals=in_order(sendings)), progress=lambda *each: told.append(each))
    assert len(told) >= 3
    assert all(before <= after for before, after in pairwise(told))
    for seconds, started, sent in told:
        assert sent == len([run for run in outcome.runs if run.sent <= seconds])
        assert sent - 2 <= started <= sent
