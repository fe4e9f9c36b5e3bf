"""Made up configs: none of them gives a traceback, and none that is accepted is refused by a worker.

There are 10,000 of them with ``LIMITKIT_FULL_SIZE=1``.
"""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from celery import Celery
from generated.generate import texts
from support.sizes import examples, sized

from limitkit.config import app_check
from limitkit.config.lints.findings import findings
from limitkit.config.load import load
from limitkit.control.config_reload import Reload
from limitkit.control.declarations import declared_of
from limitkit.control.task_limits import TaskLimits, declared
from limitkit.errors import ConfigError
from limitkit.stores.choice import open_store
from limitkit.trial.play import play
from limitkit.trial.scenario import Arrival, Scenario
from limitkit.worker.startup_checks import BySettings, refusals

PARTS = 10
EACH = examples(sized(100, 1000))
LONGEST = 1_500
PLAYED = 20
"""One in so many of those that are accepted is played, with tasks."""


def run(user=None, tenant=None, size=1):
    """Do nothing."""


@pytest.fixture(scope="module")
def app():
    """Return an app with the tasks of the configs; its broker is never asked."""
    made = Celery("generated", broker="redis://localhost:1/0", set_as_current=False)
    for name in ("t0", "t1", "t2", "t3", "p.a", "p.b", "free"):
        made.task(run, name=name, shared=False)
    made.finalize()
    return made


def judged(path):
    """Judge a file as ``validate`` does: all that it says can be read. Returns the config if there is no error."""
    try:
        config = load(path)
    except ConfigError as error:
        problems = error.problems
        assert any(problem.severity == "error" for problem in problems)
        config = None
    else:
        lints = findings(config, None, workers=(2, 20))
        problems = config.severities.settled([*config.found, *lints], with_app=False)
    for problem in problems:
        file = Path(problem.path)
        assert file.parent.samefile(path.parent)
        lines = file.read_text(encoding="utf-8").split("\n")
        assert 1 <= problem.line <= len(lines)
        assert 1 <= problem.column <= len(lines[problem.line - 1]) + 1
        assert str(problem).isprintable()
        assert len(str(problem)) <= LONGEST
        assert problem.message
        assert problem.hint
        assert "secret" not in str(problem)
    return config


@pytest.mark.parametrize("part", range(PARTS))
def test_no_config_breaks_anything(part, tmp_path, app, monkeypatch):
    monkeypatch.setenv("LIMITKIT_CONFIG", "")
    accepted = 0
    for number in range(part * EACH, (part + 1) * EACH):
        rnd = random.Random(number)
        for old in tmp_path.iterdir():
            old.unlink()
        for name, text in texts(rnd).items():
            (tmp_path / name).write_text(text, encoding="utf-8", newline="")
        try:
            config = judged(tmp_path / "ratelimits.toml")
            if config is not None:
                accepted += 1
                used_by_a_worker(config, app)
                if accepted % PLAYED == 0:
                    played(config)
        except Exception as error:  # noqa: BLE001 - whatever it is, the number tells which config it was
            pytest.fail(f"config {number}: {type(error).__name__}: {error}")
    assert accepted > EACH / 5


def used_by_a_worker(config, app):
    """Do what a worker does as it starts, and as it takes up a change: what was accepted is not refused."""
    worker = BySettings(app)
    for_app = [*app_check.problems(config, app.tasks), *refusals(config, worker), *findings(config, app.tasks)]
    accepted = not any(each.severity == "error" for each in config.severities.settled(for_app, with_app=True))
    refused = refusals(config, worker)
    assert not (accepted and refused), refused
    limits = TaskLimits(config.rules, open_store(app, config.rules.store))
    for limit in declared(config.rules):
        declared_of(limit)
    for name in app.tasks:
        limits.may_limit(app.tasks[name])
    reload = Reload(config, lambda each: refusals(each, worker) if accepted else (), lambda _: None)
    reload.now()
    assert not (accepted and reload.refused), reload.refused


def played(config):
    """Start some tasks by the very code of a worker."""
    arguments = {"user": "u0", "tenant": "a", "size": 1}
    arrivals = [Arrival(0.1 * number, f"t{number % 3}", kwargs=arguments) for number in range(6)]
    play(config.rules, Scenario(arrivals=iter(arrivals), workers=2, processes=2, until=20.0))
