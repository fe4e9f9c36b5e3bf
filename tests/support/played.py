"""Plays of a few lines: limits as TOML, what is sent, and what came of it."""

from limitkit.config.load import judge
from limitkit.config.source import toml
from limitkit.trial.play import play
from limitkit.trial.scenario import Scenario, Sending, in_order


def rules_of(text):
    """Read a file's limits; a store is declared, since no app is there to have one."""
    judged = judge(toml.parse(f'version = 1\nstore.url = "redis://played"\n{text}', "ratelimits.toml"))
    assert judged.rules is not None, judged.problems
    return judged.rules


def send(task="a", count=1, **options):
    return Sending(task=task, count=count, **options)


def played(text, *sendings, faults=(), seed=0, app=None, **options):
    """Play; by default with one worker of four processes."""
    scenario = Scenario(arrivals=in_order(sendings), faults=tuple(faults), **options)
    return play(rules_of(text), scenario, seed=seed, app=app)


def starts(outcome, task=None):
    """When each start was, in their order."""
    return sorted(at for run in outcome.runs if task in {None, run.task} for at in run.starts)


def fates(outcome):
    return [run.fate for run in outcome.runs]


def most_in(times, seconds):
    """The most starts in any window that is closed at one end."""
    return max(sum(first <= at < first + seconds for at in times) for first in times)


def once(outcome):
    """Whether each message has started exactly once."""
    return all(len(run.starts) == 1 for run in outcome.runs)
