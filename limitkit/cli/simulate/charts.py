"""The charts of ``simulate`` in a terminal: for the busiest limits the starts a second, and what waits."""

from __future__ import annotations

import os
import shutil
import sys
from typing import TYPE_CHECKING, Final

from limitkit.cli.output import Drawn, is_terminal
from limitkit.cli.simulate.numbers import number_text, time_text
from limitkit.config.wording import one_line, shorten
from limitkit.trial.series import series_of

if TYPE_CHECKING:
    from limitkit.cli.simulate.played import Played
    from limitkit.trial.figures import Row
    from limitkit.trial.series import Series

MOST: Final = 2
"""Limits that are drawn."""
_NARROWEST, _WIDEST = 40, 120
_BESIDE: Final = 10
"""Cells that a chart's frame and its numbers take at most."""
_HEIGHT: Final = 10
_TICKS: Final = 4
_SIGNS: Final = "⣿⠁┌┤─"


def charts(played: Played) -> list[str]:
    """Draw the busiest limits, as wide as the terminal, or as COLUMNS says, or 80 cells."""
    from limitkit.cli.simulate.plotext_charts import Chart, drawn  # noqa: PLC0415 (takes as long as all else to import)

    width = min(_WIDEST, max(_NARROWEST, shutil.get_terminal_size().columns))
    plain = not _can_draw()
    colored = is_terminal() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
    lines: list[str] = []
    for row in played.busiest(MOST):
        series = series_of(played.runs_of(row), played.end, width - _BESIDE)
        bins = len(series.starts)
        ticks = [(bins * part / _TICKS, time_text(series.bin * bins * part / _TICKS)) for part in range(_TICKS + 1)]
        starts, waiting = titles(played, row, series)
        for chart in (Chart(starts, series.rates, ticks, played.level(row)), Chart(waiting, series.backlog, ticks)):
            lines += ["", *drawn(chart, width=width, height=_HEIGHT, ascii_only=plain, colored=colored)]
    return [Drawn(line) for line in lines]


def _can_draw() -> bool:
    """Whether the terminal has the signs of which curves are made."""
    if os.environ.get("TERM") == "dumb":
        return False
    try:
        _SIGNS.encode(getattr(sys.stdout, "encoding", None) or "utf-8")
    except (UnicodeEncodeError, LookupError):
        return False
    return True


def titles(played: Played, row: Row, series: Series) -> tuple[str, str]:
    """Return what the two charts of a row are about."""
    name, level = one_line(shorten(row.name)), played.level(row)
    declared = f", {number_text(level)} declared" if level is not None else ""
    mean = f" (mean of {time_text(series.bin)})" if series.bin > 1 else ""
    return f"{name}: starts a second{mean}{declared}", f"{name}: waiting"
