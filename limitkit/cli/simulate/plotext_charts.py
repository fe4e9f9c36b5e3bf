"""Draws one curve in the terminal with plotext: releases 5 and 6 have nothing in common but what they draw."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import plotext

from limitkit.cli.simulate.numbers import number_text

if TYPE_CHECKING:
    from collections.abc import Sequence

_COLORS: Final = re.compile(r"\x1b\[[0-9;]*m")
_FRAME: Final = str.maketrans("┌┐└┘─│┤├┬┴┼", "++++-|+++++")
_ROOM: Final = 1.05
"""Above the highest point."""


@dataclass(frozen=True, slots=True)
class Chart:
    """One curve over time, with a line at the height that is allowed; all values are 0 or more."""

    title: str
    values: Sequence[float]
    """One for each bin of time, from 0 on."""
    ticks: Sequence[tuple[float, str]]
    """Where the axis of time has a label, in bins."""
    level: float | None = None


@dataclass(frozen=True, slots=True)
class _Style:
    width: int
    height: int
    marker: str
    curve: str | None
    level: str | None


def drawn(chart: Chart, *, width: int, height: int, ascii_only: bool, colored: bool) -> list[str]:
    """Draw a chart in lines of at most ``width`` cells; colors are escape sequences."""
    colors = ("cyan", "red") if colored else (None, None)
    style = _Style(width, height, "*" if ascii_only else "braille", *colors)
    text = _with_five(chart, style) if hasattr(plotext, "plot") else _with_six(chart, style)
    text = text.translate(_FRAME) if ascii_only else text
    text = text if colored else _COLORS.sub("", text)
    return [line.rstrip() for line in text.strip("\n").split("\n")]


def _heights(chart: Chart) -> tuple[float, list[float], list[str]]:
    """Return the height of a chart, and where its upward axis has which labels."""
    most = max([*chart.values, chart.level or 0.0]) or 1.0
    marks = [0.0, most / 2, most]
    return most * _ROOM, marks, [number_text(each) for each in marks]


def _points(chart: Chart) -> tuple[list[float], list[float]]:
    """Return the middle of each bin, and its value."""
    return [number + 0.5 for number in range(len(chart.values))], list(chart.values)


def _with_five(chart: Chart, style: _Style) -> str:
    plotext.clear_figure()
    plotext.theme("clear")
    plotext.limit_size(False, False)  # noqa: FBT003 (width and height: not by the terminal, which may be none)
    plotext.plot_size(style.width, style.height)
    plotext.title(chart.title)
    if chart.level is not None:
        plotext.plot([0, len(chart.values)], [chart.level, chart.level], marker="-", color=style.level)
    plotext.plot(*_points(chart), marker=style.marker, color=style.curve)
    highest, *marks = _heights(chart)
    plotext.xlim(0, len(chart.values))
    plotext.ylim(0, highest)
    plotext.xticks([at for at, _ in chart.ticks], [label for _, label in chart.ticks])
    plotext.yticks(*marks)
    return str(plotext.build())


def _with_six(chart: Chart, style: _Style) -> str:
    plotext.terminal.limit(False, False)  # noqa: FBT003 (likewise)
    figure = plotext.figure
    figure.clear.all()
    figure.theme("colorless")
    figure.plot_size(style.width, style.height)
    figure.title(chart.title)
    if chart.level is not None:
        ends, level = [0, len(chart.values)], [chart.level, chart.level]
        figure.draw(figure.signal(ends, level, marker=_marker("-", style.level)).lines())
    figure.draw(figure.signal(*_points(chart), marker=_marker(style.marker, style.curve)).lines())
    highest, *marks = _heights(chart)
    across, upward = figure.ruler(0, 0), figure.ruler(1, 0)
    across.lim(0, len(chart.values))
    upward.lim(0, highest)
    across.ticks([at for at, _ in chart.ticks], [label for _, label in chart.ticks])
    upward.ticks(*marks)
    return str(figure.build().string())


def _marker(symbol: str, color: str | None) -> Any:
    return plotext.marker(symbol, plotext.pixel(foreground=color) if color else None)
