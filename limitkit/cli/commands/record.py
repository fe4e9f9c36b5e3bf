"""``limitkit record``: a trace of what arrives in running workers."""

from __future__ import annotations

import signal
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Final

import click

from limitkit.cli.config_in_use import config_in_use
from limitkit.cli.manager_command import name_the_app, reported_errors
from limitkit.cli.options import app_given, common, examples
from limitkit.cli.output import Unusable, say
from limitkit.config.model.units import parse_duration
from limitkit.config.wording import count, quote, span

if TYPE_CHECKING:
    from limitkit.trial.recording.record import Progress

_MEGABYTE: Final = 1_000_000
_SIZES: Final = {"KB": 1_000, "MB": _MEGABYTE, "GB": 1_000 * _MEGABYTE}
_LEAST: Final = 100_000
_WHOLE: Final = 4_096
"""Characters of a path that are shown: all."""
_LONGEST: Final = 31 * 86400.0
_SAID_EVERY: Final = 10.0
"""Seconds between two lines of progress."""


def _span(_: click.Context, __: click.Parameter, text: str) -> float:
    try:
        seconds = parse_duration(text)
    except ValueError:
        raise click.BadParameter(f'{quote(text)} is no time; write a number and s, m, h or d, e.g. "1h"') from None
    if not 1.0 <= seconds <= _LONGEST:
        raise click.BadParameter(f"{quote(text)} is out of bounds; write a time from 1s to 31d")
    return seconds


def _size(_: click.Context, __: click.Parameter, text: str) -> int:
    digits, unit = text[:-2], text[-2:].upper()
    if not (digits.isascii() and digits.isdigit() and len(digits) < 10 and unit in _SIZES):  # noqa: PLR2004 - a petabyte
        raise click.BadParameter(f'{quote(text)} is no size; write a whole number and KB, MB or GB, e.g. "100MB"')
    size = int(digits) * _SIZES[unit]
    if size < _LEAST:
        raise click.BadParameter(f"{quote(text)} is too small for a trace; write at least 100KB")
    return size


@click.command(
    "record",
    short_help="Write a trace of what arrives, to replay it with simulate.",
    epilog=examples(
        "limitkit record --for 1h -o monday.trace -A shop",
        "limitkit record --for 1d --max-size 500MB -o day.trace.gz -A shop",
    ),
)
@click.option("--for", "seconds", callback=_span, default="1h", show_default=True, metavar="TIME", help="How long.")
@click.option("-o", "--output", required=True, metavar="FILE", help="The trace; packed if its name ends in .gz.")
@click.option(
    "--max-size", "most", callback=_size, default="100MB", show_default=True, help="End when the file is so large."
)
@click.option("--force", is_flag=True, help="Replace the file if there is one.")
@common
@click.pass_context
def command(
    ctx: click.Context, *, seconds: float, output: str, most: int, force: bool, app: str | None, config: str | None
) -> None:
    """Record when each message came, when its task started, and how long it ran, in all workers of the app.

    Of arguments the trace has only digests of what limits read as keys, and the numbers that costs are read from.
    Workers need no -E, and are not slowed down. Ctrl-C ends it, and keeps what is recorded.

    Exit status: 0 fine, 1 the trace is not complete, or the config has problems, 2 no worker records, the broker can't
    be asked, or the file can't be written.
    """
    found = app_given(ctx, app)
    if found is None:
        raise Unusable(f"whose workers? {name_the_app(ctx)}")
    rules = config_in_use(ctx, found, config).rules
    from limitkit.trial.recording.record import STOPPED, NothingRecordedError, record  # noqa: PLC0415 (imports kombu)
    from limitkit.trial.recording.trace_file import TraceFile, UnwritableError  # noqa: PLC0415 (quick to start without)

    stopped = threading.Event()
    before = {each: signal.signal(each, lambda *_: stopped.set()) for each in (signal.SIGINT, signal.SIGTERM)}
    file = None
    try:
        file = TraceFile(output, most, replace=force)
        with reported_errors():
            done = record(found, rules, file, seconds, stopped=stopped.is_set, report=_Reports(seconds))
    except FileExistsError:
        raise Unusable(
            f"{quote(output, _WHOLE)} is there already; name another file, or replace it with --force"
        ) from None
    except NothingRecordedError as error:
        raise Unusable(str(error)) from None
    except (OSError, UnwritableError) as error:
        why = getattr(error, "strerror", None) or error
        raise Unusable(f"{quote(output, _WHOLE)} can't be written ({why}); name another file, or make room") from None
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)
        if file is not None:
            with suppress(UnwritableError):  # it is said already
                file.close()
    _say_end(done, output)
    ctx.exit(1 if done.lacks or done.why not in {"", STOPPED} else 0)


class _Reports:
    """Says now and then how far it is."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._next = 0.0

    def __call__(self, progress: Progress) -> None:
        if not self._next:
            workers = count(len(progress.workers), "worker")
            say(f"Recording {workers} for {span(self._seconds)}; Ctrl-C ends it earlier.", err=True)
            for name, why in progress.refused.items():
                say(f"limitkit: {name} does not record: {why}", err=True)
        elif progress.seconds >= self._next:
            say(f"{span(progress.seconds)}: {count(progress.recorder.messages, 'message')}", err=True)
        else:
            return
        self._next = progress.seconds + _SAID_EVERY


def _say_end(done: Progress, output: str) -> None:
    recorder = done.recorder
    early = f"; ended early, since {done.why}" if done.why else ""
    say(f"{quote(output, _WHOLE)}: {count(recorder.messages, 'message')} in {span(done.seconds)}{early}", err=True)
    by_receipt = recorder.messages - recorder.by_sending - recorder.earlier
    if by_receipt > 0:
        say(
            f"Of {by_receipt} of them it is known when a worker received them, not when they were sent: set "
            "task_send_sent_event in the apps that send them to know that, too.",
            err=True,
        )
    if recorder.not_received:
        more = count(recorder.not_received, "message")
        say(f"{more} more were sent that no worker has received while it was recorded.", err=True)
    if done.lost:
        say(f"limitkit: {done.lost} events of workers were lost, so the trace is not complete", err=True)
    for each in done.workers.lacks:
        say(f"limitkit: {each}, so the trace is not complete", err=True)
    for name, behind in done.workers.clocks_apart.items():
        way = "behind" if behind > 0 else "ahead of"
        say(
            f"limitkit: the clock of {name} is {abs(behind):g} s {way} this machine's; waits are wrong by that",
            err=True,
        )
