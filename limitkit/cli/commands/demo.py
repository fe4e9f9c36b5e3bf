"""``limitkit demo``: declared against achieved, with real workers on a Redis of their own."""

from __future__ import annotations

import contextlib
import signal
import sys
from typing import TYPE_CHECKING

import click
from rich.console import Console
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table

from limitkit.cli.options import examples
from limitkit.cli.output import Unusable, say, styled
from limitkit.cli.table_width import as_wide_as_the_terminal
from limitkit.demo.embedded_redis import NoServerError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from limitkit.cli.output import Drawn
    from limitkit.demo.figures import Tally
    from limitkit.demo.run import Run
    from limitkit.demo.serve import Page

_HEADINGS = ("limit", "declared", "achieved", "worst window")
_PORT = 8085
_METRICS = "9545-9554"
"""Ports from which the demo's workers take one each for their metrics."""
_BAR = 10
_FRAMES = 8
"""How often the table is drawn a second."""


@click.command(
    "demo",
    short_help="Show limits at work, on a Redis of their own.",
    epilog=examples(
        "limitkit demo",
        "limitkit demo --serve --port 8085",
    ),
)
@click.option("--serve", is_flag=True, help="Go on until Ctrl-C, with live curves on a page and the workers' metrics.")
@click.option("--port", type=click.IntRange(0, 65535), default=_PORT, show_default=True, help="Of the page.")
@click.pass_context
def command(ctx: click.Context, *, serve: bool, port: int) -> None:
    """Show what limits do: two real workers on a Redis of their own, declared against achieved.

    It takes half a minute, needs no server and no config, and leaves nothing behind.

    Exit status: 0 each limit was kept and nothing was lost, 1 otherwise, 2 there is no redis-server, or the page's port
    is taken, 128 and the signal's number when it was stopped; Ctrl-C is how --serve ends.
    """
    from limitkit.demo.run import PROCESSES, WORKERS, WorkersFailedError, started  # noqa: PLC0415 (imports Celery)
    from limitkit.demo.stopping import StoppedError  # noqa: PLC0415

    try:
        with contextlib.ExitStack() as stack:
            page = stack.enter_context(_page(port)) if serve else None
            run = stack.enter_context(started())
            say(f"Starting Redis and {WORKERS} Celery workers of {PROCESSES} processes each ...", err=True)
            run.metrics_ports = _METRICS if page else ""
            run.start_workers()
            say(f"Ready. Sending {run.tasks:,} tasks, mixed in one queue.", err=True)
            if page is not None:
                _serve(run, page)
            else:
                _follow(run)
            run.stop()
    except NoServerError as error:
        raise Unusable(str(error)) from None
    except WorkersFailedError as error:
        say(f"limitkit: {error}", err=True)
        ctx.exit(1)
    except StoppedError as error:
        say("limitkit: stopped; of the limits nothing is said.", err=True)
        ctx.exit(128 + error.number)
    tallies = list(run.tallies.values())
    left = "waiting" if serve else "lost"
    say("")
    first = (_HEADINGS[0], left, *_HEADINGS[1:])
    say(*as_wide_as_the_terminal((*_HEADINGS, left), map(_row, tallies), numbers=("achieved", left), first=first))
    say("")
    say("Worst window: the stretch of time in which starts came closest to the most that the limit allows.")
    say(_verdict(tallies, went_on=serve))
    ctx.exit(0 if all(tally.kept_well if serve else tally.fine for tally in tallies) else 1)


def _follow(run: Run) -> None:
    if not sys.stdout.isatty():
        for _ in run.watch():
            pass
        return
    tallies = list(run.tallies.values())
    with Live(_progress(tallies), console=Console(), auto_refresh=False, transient=True) as live:
        for number, _ in enumerate(run.watch()):
            if number % (10 // _FRAMES + 1) == 0:
                live.update(_progress(tallies), refresh=True)


def _page(port: int) -> Page:
    from limitkit.demo.serve import HOST, Page  # noqa: PLC0415

    try:
        return Page(port)
    except OSError as error:
        raise Unusable(f"the port {port} of {HOST} can't be had ({error.strerror}); name another: --port") from None


def _serve(run: Run, page: Page) -> None:
    """Show the page until Ctrl-C, which is its normal end."""
    from limitkit.demo.serve import HOST  # noqa: PLC0415
    from limitkit.demo.start_curves import StartCurves  # noqa: PLC0415
    from limitkit.demo.stopping import StoppedError  # noqa: PLC0415

    curves = StartCurves(run)
    run.on_start = curves.add
    page.show(curves.data)
    say(f"Look at http://{HOST}:{page.port}/ and, for Prometheus, at the ports {_METRICS} of {HOST}.", err=True)
    say("Ctrl-C ends it.", err=True)
    try:
        for _ in run.keep_on():
            pass
    except StoppedError as error:
        if error.number != signal.SIGINT:
            raise
        say("", err=True)


def _progress(tallies: Iterable[Tally]) -> Table:
    """Draw the progress of each limit's tasks, within 80 columns."""
    grid = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for heading in ("limit", ""):
        grid.add_column(heading, no_wrap=True)
    for heading in ("started", "waiting", "achieved"):
        grid.add_column(heading, no_wrap=True, justify="right")
    grid.add_column("declared", no_wrap=True)
    for tally in tallies:
        bar = ProgressBar(
            max(tally.sent, 1), tally.sent - tally.waiting, _BAR, complete_style="cyan", finished_style="green"
        )
        grid.add_row(_name(tally), bar, str(tally.started), str(tally.waiting), _achieved(tally), _declared(tally))
    return grid


def _row(tally: Tally) -> tuple[str, ...]:
    worst = tally.worst
    window = "-"
    if worst is not None:
        window = f"{worst.starts} in {worst.seconds:.1f} s, max {worst.allowed}{'' if worst.kept else ': TOO MANY'}"
    burst = f", burst {tally.limit.burst}" if tally.limit and tally.limit.burst > 1 else ""
    return (_name(tally), _declared(tally) + burst, _achieved(tally), window, str(tally.waiting))


def _name(tally: Tally) -> str:
    return tally.name.removeprefix("shop.")


def _declared(tally: Tally) -> str:
    if tally.limit is None:
        return "no limit"
    scope = {"static": " a worker", "per_user": " a user"}.get(tally.limit.strategy, "")
    return f"{tally.limit.rate}{scope}"


def _achieved(tally: Tally) -> str:
    achieved = tally.achieved
    return "-" if achieved is None else f"{achieved:.2f}/s" if tally.limit else f"{achieved:.0f}/s"


def _verdict(tallies: Iterable[Tally], *, went_on: bool) -> Drawn:
    """Sum it up in a sentence; if the demo went on until it was stopped, what has not started is not lost."""
    tallies = list(tallies)
    broken = [tally.name for tally in tallies if tally.worst is not None and not tally.worst.kept]
    left = sum(tally.waiting for tally in tallies)
    twice = sum(tally.twice for tally in tallies)
    total = sum(tally.sent for tally in tallies)
    seconds = max(tally.seconds for tally in tallies)
    waiting = f"{left:,} of {total:,} tasks waited when it was stopped"
    if not broken and not twice:
        if went_on:
            fact = (
                f"Each limit was kept and no task started twice: {total - left:,} tasks in {seconds:.1f} s; {waiting}."
            )
            return styled(fact, fg="green")
        if not left:
            fact = f"Each limit was kept and nothing was lost: {total:,} tasks in {seconds:.1f} s."
            return styled(fact, fg="green")
    faults = [f"not kept: {', '.join(broken)}"] if broken else []
    faults += [f"{twice} starts were of tasks that had started before"] if twice else []
    if left:
        faults.append(waiting if went_on else f"{left} of {total:,} tasks did not start in time")
    return styled(f"{'; '.join(faults)}.", fg="red")
