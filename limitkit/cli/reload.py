"""``limitkit reload``: all workers take up their file now."""

from __future__ import annotations

from typing import Any

import click

from limitkit.cli.managed import asking, name_the_app
from limitkit.cli.options import app_given, common, examples
from limitkit.cli.output import Unusable, say, table

_PATIENCE = 10.0
"""Seconds for a worker that has just answered to take up its file."""


@click.command(
    "reload",
    short_help="Have all workers read their file now.",
    epilog=examples(
        "limitkit reload -A shop",
    ),
)
@common
@click.pass_context
def command(ctx: click.Context, *, app: str | None, config: str | None) -> None:
    """Have every worker take up its own file as it is now, which it does by itself within two seconds of a change.

    A file that can't be used changes nothing: its worker goes on with the one before, and what is wrong is printed.

    Exit status: 0 all have taken it up, 1 one has not, 2 nobody answered, or the broker can't be asked.
    """
    if config is not None:
        say("limitkit: --config changes nothing here, since each worker has its own file", err=True)
    found = app_given(ctx, app)
    if found is None:
        raise Unusable(f"whose workers? {name_the_app(ctx)}")
    from limitkit.fleet import ask  # noqa: PLC0415 (imports kombu)

    with asking():
        before = ask(found, "limitkit_status")
        if not before:
            raise Unusable("no worker answered, so nobody takes up the file; start one")
        answers = ask(found, "limitkit_reload", to=sorted(before), patience=_PATIENCE)
    rows = [(worker, _said(before[worker], answers.get(worker))) for worker in sorted(before)]
    say(table(("worker", "config"), rows))
    refused = {worker: answer for worker, answer in answers.items() if "error" in answer}
    for worker in sorted(refused):
        say("", f"{worker}:", *(refused[worker].get("lines") or [refused[worker]["error"]]))
    ctx.exit(1 if refused or len(answers) < len(before) else 0)


def _said(before: dict[str, Any], answer: dict[str, Any] | None) -> str:
    if answer is None:
        return f"did not answer within {_PATIENCE:g} s"
    if "error" in answer:
        return f"{before['path']} is refused, the one before stays in force" if "path" in before else "none is in force"
    return f"{before.get('path', '')} ({answer['ok']}) is in force"
