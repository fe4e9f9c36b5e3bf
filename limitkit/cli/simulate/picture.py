"""The picture of ``simulate --plot``: for each limit its starts a second against the declared rate, and what waits."""

from __future__ import annotations

import io
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from limitkit.cli.output import Unusable
from limitkit.cli.simulate.charts import titles
from limitkit.config.wording import one_line, quote
from limitkit.trial.series import series_of

if TYPE_CHECKING:
    from limitkit.cli.simulate.played import Played
    from limitkit.trial.figures import Row

KINDS: Final = (".svg", ".png")
MOST: Final = 20
"""Limits that are drawn: those for which most waits."""
_BINS: Final = 400
_INCHES, _INCHES_EACH = 9.0, 3.2
_STARTS, _DECLARED, _WAITING = "#1f6fb2", "#b3261e", "#7a7a7a"


def matplotlib_there() -> None:
    """Check that matplotlib can be imported. Raises Unusable."""
    try:
        import matplotlib.figure  # noqa: F401, PLC0415 (an extra, and slow to import)
    except ImportError as error:
        fact = f"--plot draws with matplotlib, and that can't be imported ({error})"
        raise Unusable(f'{fact}; no picture is drawn; run: pip install "celery-limitkit[plot]"') from None


def draw(played: Played, path: str) -> None:
    """Draw the busiest limits into a file, an SVG or a PNG by its name: the same bytes for the same play.

    Raises Unusable when it can't be written, or matplotlib is not there.
    """
    matplotlib_there()
    import matplotlib as mpl  # noqa: PLC0415 (as above)
    from matplotlib.figure import Figure  # noqa: PLC0415 (as above)

    rows, page = played.busiest(MOST), io.BytesIO()
    kind = Path(path).suffix[1:]
    with mpl.rc_context(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a name may have a letter that the font lacks
        mpl.rcdefaults()  # nobody's own style: else two machines draw two pictures
        mpl.rcParams["svg.hashsalt"] = "limitkit"
        figure = Figure(figsize=(_INCHES, _INCHES_EACH * len(rows)), layout="constrained")
        panels = figure.subplots(2 * len(rows), 1, sharex=True, squeeze=False, height_ratios=(1.6, 1) * len(rows))
        for number, row in enumerate(rows):
            _draw(played, row, panels[2 * number][0], panels[2 * number + 1][0])
        panels[-1][0].set_xlabel("seconds")
        metadata = {"Date": None, "Creator": None} if kind == "svg" else {"Software": None}
        figure.savefig(page, format=kind, metadata=metadata)
    try:
        Path(path).write_bytes(page.getvalue())
    except OSError as error:
        fact = f"the picture {quote(path)} can't be written ({error.strerror or error})"
        raise Unusable(f"{fact}; name another file") from None


def _draw(played: Played, row: Row, above: Any, under: Any) -> None:
    """Draw one limit: starts above, and what waits under it."""
    series = series_of(played.runs_of(row), played.end, _BINS)
    edges = [series.bin * number for number in range(len(series.starts) + 1)]
    starts, waiting = titles(played, row, series)
    level = played.level(row)
    above.stairs(series.rates, edges, color=_STARTS, linewidth=1.4, label="starts a second")
    if level is not None:
        above.axhline(level, color=_DECLARED, linestyle="--", linewidth=1, label="declared")
        above.legend(loc="upper right", frameon=False, fontsize=8)
    under.stairs(series.backlog, edges, color=_WAITING, fill=True)
    for panel, title in ((above, starts), (under, waiting)):
        panel.set_title(one_line(title), loc="left", fontsize=9, parse_math=False)
        panel.set_xlim(0, edges[-1])
        panel.set_ylim(bottom=0)
        panel.grid(alpha=0.25)
        panel.spines[["top", "right"]].set_visible(False)
