"""``limitkit drift``: whether what runs is what the file says."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import click

from limitkit.cli.options import common, examples
from limitkit.cli.output import Unusable, say, say_json
from limitkit.cli.status_source import status_source
from limitkit.config.wording import count


@click.command(
    "drift",
    short_help="Show where what runs is not what the file says.",
    epilog=examples(
        "limitkit drift -A shop",
        "limitkit drift --output-format json -A shop",
    ),
)
@click.option("--output-format", "form", type=click.Choice(["text", "json"]), default="text", help="How to print it.")
@common
@click.pass_context
def command(ctx: click.Context, *, form: str, app: str | None, config: str | None) -> None:
    """Show what differs from the file: rates that were set, pauses, app.control.rate_limit, workers with another file.

    Where the broker has no remote control, only what the store knows is compared.

    Exit status: 0 all is as the file says, 1 something is not, or the file has problems, 2 no worker answered, or the
    store or the broker can't be asked.
    """
    with status_source(ctx, app, config, needs_app=True) as look:
        from limitkit.cli.status_view import NOT_SHOWN  # noqa: PLC0415 (imports kombu)
        from limitkit.control.status.drift import in_general, lost, of_limits, of_workers  # noqa: PLC0415 (quick without)

        snapshot = look.snapshot()
        if not snapshot.workers and not snapshot.unasked:
            raise Unusable("no worker answered, so it is not known what runs; start one")
        if snapshot.unasked:
            say(f"limitkit: only the store was asked, since {snapshot.unasked}. {NOT_SHOWN}", err=True)
        found = [*in_general(snapshot), *of_workers(snapshot), *of_limits(snapshot), *lost(snapshot)]
        workers = "the store alone" if snapshot.workers is None else count(len(snapshot.workers), "worker")
        path = f"{snapshot.path}{f' ({snapshot.digest})' if snapshot.digest else ''}"
        if form == "json":
            head: dict[str, Any] = {"version": 1, "path": snapshot.path, "digest": snapshot.digest or None}
            if snapshot.problems:
                head["problems"] = [asdict(each) for each in snapshot.problems]
            drift = [asdict(each) for each in found]
            names = None if snapshot.workers is None else sorted(snapshot.workers)
            say_json({**head, "workers": names, "workers_error": snapshot.unasked or None, "drift": drift})
        elif found:
            for each in found:
                say(f"{each.subject}: {each.fact}; {each.hint}")
            say(f"{path}, {workers}: {count(len(found), 'deviation')}", err=True)
        else:
            say(f"{path}, {workers}: all is as the file says.")
        ctx.exit(2 if snapshot.gone else max(look.exit_status, int(bool(found))))
