from limitkit.config.load import judge
from limitkit.config.source import toml
from limitkit.trial.play import play
from limitkit.trial.scenario import Arrival, Scenario

LIMITED = '[tasks.t]\nstrategy = "token_bucket"\nrate = "1000/s"\nburst = 50\n'


def _play(arrivals, **given):
    rules = judge(toml.parse(f'version = 1\n[store]\nurl = "redis://store"\n{LIMITED}', "x.toml")).rules
    return play(rules, Scenario(arrivals=arrivals, **given))


def test_a_message_that_is_being_fetched_when_the_play_ends_waits_and_is_not_lost():
    for step in range(20):
        outcome = _play([Arrival(0.0, "t", kwargs={})] * 40, until=0.005 + step * 0.0001)
        assert {run.fate for run in outcome.runs} == {"started", "waiting"}


def test_a_message_may_have_no_arguments():
    (run,) = _play([Arrival(0.0, "t")]).runs
    assert run.fate == "started"
