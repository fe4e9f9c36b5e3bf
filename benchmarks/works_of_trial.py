"""Works that are played on a virtual clock: how long that takes."""

import time

from support.workers import ROOT

from limitkit.cli.simulate.charts import charts
from limitkit.cli.simulate.played import played
from limitkit.cli.simulate.report import below, report
from limitkit.trial.play import play
from limitkit.trial.test_file.read import read_scenario

_WIDTH = 80


def a_day():
    """Play the example of a day, and show it."""
    case = read_scenario(ROOT / "examples" / "day" / "day.toml")
    scenario = case.scenario()
    before = time.perf_counter()
    outcome = play(case.config.rules, scenario, seed=case.seed)
    at = time.perf_counter()
    shown = played(outcome, case.config.rules, scenario, source="day.toml")
    lines = [*report(shown, _WIDTH), *charts(shown), *below(shown, _WIDTH)]
    after = time.perf_counter()
    row = shown.figures.whole
    assert lines
    return {"seconds": after - before, "shown": after - at, "sent": row.sent, "left": row.sent - row.started}
