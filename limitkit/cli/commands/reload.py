"""``limitkit reload``: has all workers load their file now."""

from __future__ import annotations

from typing import Any

import click

from limitkit.cli.manager_command import name_the_app, reported_errors
from limitkit.cli.options import app_given, common, examples
from limitkit.cli.output import Unusable, say, table
from limitkit.config.wording import count, one_line

_PATIENCE = 10.0
"""Seconds for a worker that has just answered to load its file."""


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
    """Have every worker load its own file now; by itself it does so within two seconds of a change.

    A file that can't be used changes nothing: its worker keeps the one before, and what is wrong is printed.

    Exit status: 0 all have loaded it, 1 one has not, or not all of it, 2 no worker answered, or the broker can't be
    asked.
    """
    if config is not None:
        say("limitkit: --config changes nothing here, since each worker has its own file", err=True)
    found = app_given(ctx, app)
    if found is None:
        raise Unusable(f"whose workers? {name_the_app(ctx)}")
    from limitkit.control.workers import NoRemoteControlError, ask  # noqa: PLC0415 (imports kombu)

    with reported_errors():
        try:
            before = ask(found, "limitkit_status")
        except NoRemoteControlError as error:
            raise Unusable(
                f"{one_line(str(error))}; each loads its changed file by itself, within two seconds"
            ) from None
        if not before:
            raise Unusable("no worker answered, so none has loaded the file; start one")
        answers = ask(found, "limitkit_reload", to=sorted(before), patience=_PATIENCE)
        after = ask(found, "limitkit_status", to=sorted(answers), patience=_PATIENCE) if answers else {}
    rows = [(name, _said(before[name], answers.get(name), after.get(name, {}))) for name in sorted(before)]
    say(table(("worker", "config"), rows))
    refused = {worker: answer for worker, answer in answers.items() if "error" in answer}
    for worker in sorted(refused):
        say("", f"{worker}:", *(refused[worker].get("lines") or refused[worker]["error"].split("\n")))
    silent = max((int(report.get("workers", 0)) for report in before.values()), default=0) - len(before)
    if silent > 0:
        fact = f"{count(silent, 'more worker')} of this store did not answer, and may go by another file"
        say(f"limitkit: {fact}; it is busy, of another app, or was stopped just now", err=True)
    whole = [worker for worker, answer in answers.items() if "ok" in answer and not answer.get("left_out")]
    ctx.exit(0 if len(whole) == len(before) else 1)


def _said(before: dict[str, Any], answer: dict[str, Any] | None, after: dict[str, Any]) -> str:
    """Say which file a worker uses now, as far as it is known."""
    if answer is None:
        then = f"; it went by {before['path']} ({before['digest']})" if "path" in before else ""
        return f"did not answer within {_PATIENCE:g} s{then}"
    if "path" not in before:
        return "none is in force"
    if "ok" not in answer:
        return f"{before['path']} is refused, the one before ({after.get('digest', before['digest'])}) stays in force"
    left_out = " and ".join(f"[{name}]" for name in answer.get("left_out", ()))
    but = f", but for {left_out}: restart the worker" if left_out else ""
    return f"{before['path']} ({answer['ok']}) is in force{but}"
