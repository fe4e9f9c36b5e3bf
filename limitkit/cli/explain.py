"""``limitkit explain``: which limits hold for a task, where they come from, and what they allow."""

from __future__ import annotations

import json
from math import floor
from typing import TYPE_CHECKING, Any

import click

from limitkit.appcheck import task_signature
from limitkit.cli.options import app_given, common, examples, tasks_of
from limitkit.cli.output import Unusable, say, show_problems, table
from limitkit.config import load, locate
from limitkit.declared import WaitingSettings
from limitkit.errors import ConfigError
from limitkit.partition import Resolver, bucket_key
from limitkit.units import duration_text
from limitkit.waiting import kinds
from limitkit.wording import dotted, listed, quote, suggest

if TYPE_CHECKING:
    import inspect
    from collections.abc import Callable, Iterator

    from limitkit.config import Config
    from limitkit.decision import Feedback
    from limitkit.declared import Limit, TaskRule

_WINDOWS = {"in a second": 1, "in a minute": 60, "in an hour": 3600}
_HEADINGS = ("limit", "strategy", "rate", "burst", "key", *_WINDOWS, "declared at")
_THEN = {"drop": 'is dropped (on_limit = "drop")', "fail": 'fails (on_limit = "fail")'}
_WITHOUT_STORE = {
    "allow": 'limits nothing (on_error = "allow")',
    "hold": 'lets nobody start (on_error = "hold")',
    "divide": 'is divided by the number of workers (on_error = "divide")',
}
_NUMBERS = ("rate", "burst", *_WINDOWS)


def _json(wanted: type, name: str) -> Callable[[click.Context, click.Parameter, str | None], Any]:
    """Make an option's callback that reads JSON of one kind, and refuses anything else as wrong usage."""

    def read(_ctx: click.Context, _param: click.Parameter, value: str | None) -> Any:
        try:
            said = json.loads(value) if value is not None else wanted()
        except (ValueError, RecursionError) as error:
            raise click.BadParameter(f"it is not JSON: {error}") from None
        if not isinstance(said, wanted):
            raise click.BadParameter(f"it is not a JSON {name}")
        return None if value is None else said

    return read


@click.command(
    "explain",
    short_help="Show which limits hold for a task, and what they allow.",
    epilog=examples(
        "limitkit explain shop.charge_customer",
        "limitkit explain shop.charge_customer -A shop --kwargs '{\"tenant_id\": 42}'",
        "limitkit explain stripe_api",
        "limitkit explain 'emails.*' -A shop",
    ),
)
@click.argument("task")
@click.option(
    "--args", "arguments", callback=_json(list, "array"), metavar="JSON", help="Positional arguments: an array."
)
@click.option("--kwargs", "named", callback=_json(dict, "object"), metavar="JSON", help="Keyword arguments: an object.")
@common
@click.pass_context
def command(
    ctx: click.Context,
    task: str,
    *,
    arguments: list[Any] | None,
    named: dict[str, Any] | None,
    app: str | None,
    config: str | None,
) -> None:
    """Say which limits hold for TASK, which lines they come from, and the most starts they allow.

    With --args or --kwargs also which bucket a message with these arguments takes from.
    """
    found = app_given(ctx, app)
    tasks = tasks_of(found) if found is not None else {}
    if found is not None and task not in tasks:
        fact = f"the app has no task {quote(task)}"
        raise Unusable(f"{fact}; {suggest(task, tasks) or 'mend the name, or import its module in the app'}")
    try:
        rules = load(config or locate())
    except ConfigError as error:
        show_problems(error.problems, err=True)
        ctx.exit(2 if error.unreadable else 1)
    rule = rules.rules.for_task(task)
    if rule is None or not rule.limits:
        say(_unlimited(rules, task, rule))
        return
    say(*_head(rules, task, rule))
    say(table(_HEADINGS, [_row(limit) for limit in rule.limits], numbers=_NUMBERS))
    lines = [*_said(rules, rule), *_parked(found, rules, rule)]
    for line in ["", *lines] if lines else []:
        say(line)
    if arguments is not None or named is not None:
        signature = task_signature(tasks[task]) if task in tasks else None
        _show_buckets(rules, rule, (arguments or [], named or {}), signature)


def _unlimited(config: Config, task: str, rule: TaskRule | None) -> str:
    if rule is None:
        return f"{task} has no entry in {config.path}: it is not limited."
    place = f"{dotted(('tasks', rule.pattern))}, {config.path}:{rule.line}"
    return f"{task} is not limited: its entry names no limit ({place})."


def _head(config: Config, task: str, rule: TaskRule) -> list[str]:
    lines = [f"{task}: {dotted(('tasks', rule.pattern))}, {config.path}:{rule.line}"]
    pair = config.rules.ambiguous(task)
    if pair:
        lines.append(f"The pattern {pair[1]} matches it, too, with equal weight; the first in the file holds.")
    if config.rules.mode == "off":
        lines.append("No limit is kept now: the mode is off.")
    elif any(limit.mode == "shadow" for limit in rule.limits):
        names = [_name(limit) for limit in rule.limits if limit.mode == "shadow"]
        lines.append(f"In shadow, where starts are counted and nothing waits: {', '.join(names)}.")
    return [*lines, ""]


def _said(config: Config, rule: TaskRule) -> Iterator[str]:
    """Say what is another than by default: what becomes of who can't start, without a store, and while waiting."""
    on = [limit for limit in rule.limits if limit.mode == "enforce"]
    if rule.patience:
        longest = rule.patience.max_wait
        so_long = f" longer than {duration_text(longest)}" if longest else ""
        yield f"A task that would have to wait{so_long} {_THEN[rule.patience.action]}."
    shared = [limit for limit in on if limit.strategy != "static"]
    if any(limit.on_error != "allow" for limit in shared):
        for limit in shared:
            name = "its own limit" if limit.own else limit.name
            yield f"While the store can't be asked, {name} {_WITHOUT_STORE[limit.on_error]}."
    for limit in on:
        if limit.feedback:
            yield _heeds(limit, limit.feedback)
    waiting = config.rules.waiting
    if on and waiting != WaitingSettings():
        most = [(waiting.per_limit, "of one bucket"), (waiting.per_worker, "in all")]
        told = "".join(f", at most {number} {where}" for number, where in most if number)
        yield f"One worker holds what starts within {duration_text(waiting.hold)}{told}."


def _heeds(limit: Limit, feedback: Feedback) -> str:
    name = "its own limit" if limit.own else limit.name
    what = "one partition of it" if limit.key else "it"
    does = f"{what} is slowed down" if feedback.action == "slow" else f"{what} is paused"
    then = "the task that met it waits again" if feedback.resend else "the exception goes on"
    return f"{name} heeds {listed(feedback.on)}: {does} on all workers, and {then}."


def _parked(app: Any, config: Config, rule: TaskRule) -> Iterator[str]:
    """Say where tasks wait that a worker does not hold, if an app says what its broker is."""
    waits = rule.patience is None or rule.patience.max_wait > config.rules.waiting.hold
    if app is None or not waits or all(limit.mode != "enforce" for limit in rule.limits):
        return
    try:
        kind = kinds.kind_of(app)
    except kinds.UnusableBrokerError as error:
        yield f"Where tasks are parked that can't start soon is not known: {error}."
    else:
        yield kinds.parked_where(kind, config.rules.waiting)


def _name(limit: Limit) -> str:
    return "(its own)" if limit.own else limit.name


def _row(limit: Limit) -> tuple[str, ...]:
    off = limit.mode == "off"
    most = ["off" if off else str(floor(limit.burst + limit.rate.per_second * each)) for each in _WINDOWS.values()]
    key = ".".join(limit.key) if limit.key else "-"
    return (_name(limit), limit.strategy, limit.rate.text, str(limit.burst), key, *most, f"{limit.path}:{limit.line}")


def _show_buckets(
    config: Config, rule: TaskRule, call: tuple[list[Any], dict[str, Any]], signature: inspect.Signature | None
) -> None:
    rows = []
    missing = []
    for limit in rule.limits:
        partition = Resolver(signature, limit.key)(*call) if limit.key else None
        key = bucket_key(config.rules.store.prefix, limit, partition)
        rows.append((_name(limit), "each worker's own" if limit.strategy == "static" else key))
        if partition is not None and partition.missing and limit.key:
            missing.append(".".join(limit.key))
    say("")
    say(table(("limit", "bucket"), rows))
    for key in missing:
        why = "" if signature else "; without --app only --kwargs can be looked at"
        say(f"These arguments have no {key}: such messages share one bucket{why}.", err=True)
