"""A case is played with its own seed, or with the one that is given, and judged."""

from __future__ import annotations

from limitkit.trial.outcome import Outcome, Run
from limitkit.trial.test_file.read import read_tests
from limitkit.trial.test_file.run import run

TEXT = '[[test]]\nname = "a"\nseed = 3\n[[test.send]]\ntask = "t"\n[[test.expect]]\ntask = "t"\nlost = 0\n'
TEXT += 'started_within = "1s"\n'


def test_a_case_is_played_and_judged(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "ratelimits.toml").write_text("version = 1\n")
    (tmp_path / "a.limits.toml").write_text(TEXT)
    (case,) = read_tests("a.limits.toml")
    seen = []

    def play(rules, scenario, *, seed=0, app=None):
        seen.append((rules.path, [each.task for each in scenario.arrivals], seed, app))
        late = Run(0, "t", 0.0, "celery", starts=[2.0, 3.0], workers=["worker-1"] * 2, fate="started")
        return Outcome([late], ended=4.0, warnings=["beware"])

    result = run(case, play, app="app")
    assert seen == [("ratelimits.toml", ["t"], 3, "app")]
    assert (result.held, result.seconds, result.messages, result.starts) == (False, 4.0, 1, 2)
    assert (result.seed, result.warnings) == (3, ("beware",))
    ((expectation, failure),) = result.failures
    assert expectation.path == ("test", 0, "expect", 0, "started_within")
    assert failure.at == 1.0
    assert run(case, play, seed=9).seed == 9
    assert seen[-1][2] == 9
