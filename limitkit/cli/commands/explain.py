"""``limitkit explain``: which limits hold for a task, where they come from, and what they allow."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from limitkit.buckets.call import Call
from limitkit.buckets.cost import CostReader
from limitkit.buckets.partition import Resolver, bucket_key
from limitkit.cli.config_in_use import config_in_use
from limitkit.cli.explain_sharing import bare, limit_of, now_in_force, pattern_of, show_limit, show_pattern
from limitkit.cli.explain_terms import allowed, beside, modes, parked
from limitkit.cli.options import app_given, common, examples, tasks_of
from limitkit.cli.output import Unusable, say, show_problems, table
from limitkit.config.app_check import task_signature
from limitkit.config.declared import ONE
from limitkit.config.limit_words import in_words, name_of
from limitkit.config.native_limit import native_limit
from limitkit.config.wording import dotted, quote, suggest

if TYPE_CHECKING:
    import inspect
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from limitkit.config.declared import Limit, TaskRule
    from limitkit.config.load import Config

_BUCKET_HEADINGS = ("limit", "bucket", "cost", "turn")
_LONGEST_TURN = 64
"""Characters of a value of ``fair_by`` that is shown in clear."""
_ONLY_THE_APP = "only the app knows; name it: --app APP"


def _json(wanted: type, name: str) -> Callable[[click.Context, click.Parameter, str | None], Any]:
    """Make an option's callback that reads JSON of one kind, and rejects anything else as wrong usage."""

    def read(_ctx: click.Context, _param: click.Parameter, value: str | None) -> Any:
        try:
            said = json.loads(value) if value is not None else wanted()
        except (json.JSONDecodeError, RecursionError) as error:
            raise click.BadParameter(f"it is not JSON: {error}") from None
        except ValueError:  # Python reads no whole number of more than 4,300 digits
            raise click.BadParameter("a number in it has too many digits; write a smaller one") from None
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
@click.option("--queue", metavar="NAME", help="Also show the limits of the queue that TASK comes from.")
@common
@click.pass_context
def command(
    ctx: click.Context,
    task: str,
    *,
    queue: str | None,
    arguments: list[Any] | None,
    named: dict[str, Any] | None,
    app: str | None,
    config: str | None,
) -> None:
    """Show which limits hold for TASK, which lines they come from, and the most starts they allow.

    TASK may also be a limit's name, or a pattern of the file: then the tasks that share it are shown, too. --args or
    --kwargs also show which bucket a message with these arguments takes from.

    --queue also shows the limits that hold for all that comes from this queue, beside TASK's own.

    --app also shows whether Celery's own settings limit TASK, and which tasks have a limit or a pattern.

    Exit status: 0 fine, 1 the file has problems, 2 there is no such task, limit or pattern, the file can't be read, or
    the app can't be imported.
    """
    found = app_given(ctx, app)
    rules = config_in_use(ctx, found, config)
    tasks = tasks_of(found) if found is not None else {}
    limit, pattern = limit_of(rules, task), pattern_of(rules, task)
    known = tasks if found is not None else rules.rules.exact
    if task not in known and rules.rules.for_task(task) is None and bare(task) in known:
        task = bare(task)
    is_task = task in known
    if not is_task and limit is None and pattern is None:
        _must_be_a_task(rules, task, tasks, is_known=found is not None)
        is_task = True
    if found is not None:
        from limitkit.install_check import problems  # noqa: PLC0415 (imports Celery)

        show_problems(problems(rules, found), err=True)
    call = None if arguments is None and named is None else (arguments or [], named or {})
    if pattern is not None and call is not None:
        raise click.UsageError("--args and --kwargs are of one task, and a pattern is of many; name the task")
    if limit is not None:
        show_limit(rules, limit, found)
        _show_buckets(rules, [limit], call, None, "; of a limit, only --kwargs can be looked at")
    if pattern is not None:
        show_pattern(rules, pattern, found)
    if is_task:
        if limit is not None:
            say("")
        _show_task(rules, task, found, call, queue)


def _must_be_a_task(config: Config, name: str, tasks: Mapping[str, Any], *, is_known: bool) -> None:
    """Check that this can be a task's name. Raises Unusable."""
    rules = config.rules
    hint = suggest(name, [*tasks, *rules.named, *(entry.pattern for entry in rules.patterns)])
    if "*" in name:
        fact = f"there is no pattern {quote(name)} in {config.path}"
        raise Unusable(f"{fact}; {hint or 'write it as the file does'}")
    if is_known:
        fact = f"the app has no task {quote(name)}"
        raise Unusable(f"{fact}; {hint or 'fix the name, or import its module in the app'}")


def _show_task(
    config: Config, task: str, app: Any, call: tuple[list[Any], dict[str, Any]] | None, queue: str | None
) -> None:
    own = config.rules.for_task(task)
    rule = config.rules.together(task, queue) if queue is not None else own
    if rule is None or not rule.limits:
        say(*_unlimited(config, task, rule, app), *_of_queues(config, task, queue))
        return
    say(*(_head(config, task, rule) if own is not None else [f"{task} has no entry in {config.path}.", ""]))
    say(*allowed(rule.limits))
    lines = [
        *in_words(rule.limits),
        *_of_queues(config, task, queue),
        *beside(config, rule),
        *_natively(app, task, rule),
        *parked(app, config, rule),
    ]
    lines += now_in_force(app, config, rule.limits, rule.pattern)
    say(*(["", *lines] if lines else []))
    signature = task_signature(app.tasks[task]) if app is not None else None
    why = "" if signature else "; without --app only --kwargs can be looked at"
    _show_buckets(config, rule.limits, call, signature, why)


def _of_queues(config: Config, task: str, queue: str | None) -> Iterator[str]:
    """Say which limits are those of a queue, or that there may be some."""
    rules = config.rules
    if task.startswith("celery.") or not (rules.queues or rules.queue_patterns):
        return
    if queue is None:
        yield "The limits of a queue may hold, too; name it: --queue NAME."
    elif (found := rules.for_queue(queue)) is not None:
        table_name = f"{dotted(('queues', found.pattern))}, {found.path}:{found.line}"
        names = ", ".join(limit.name for limit in found.limits) or "none"
        yield f"Limits of the queue {quote(queue)} ({table_name}): {names}."
    else:
        yield f"The queue {quote(queue)} has no limits of its own."


def _unlimited(config: Config, task: str, rule: TaskRule | None, app: Any) -> Iterator[str]:
    """Say that the file does not limit a task; and whether Celery does."""
    natively = "".join(_natively(app, task, rule))
    which = "limitkit does not limit it" if natively else "it is not limited"
    if rule is not None:
        place = f"{dotted(('tasks', rule.pattern))}, {rule.path}:{rule.line}"
        yield f"{task}: {which}, since its entry names no limit ({place})."
    else:
        yield f"{task} has no entry in {config.path}: {which}."
        rules = config.rules
        near = suggest(task, [*rules.named, *rules.exact, *(entry.pattern for entry in rules.patterns)])
        if near and app is None:
            yield f"{near[0].upper()}{near[1:]}"
    if natively:
        yield natively


def _natively(app: Any, task: str, rule: TaskRule | None) -> Iterator[str]:
    """Say what Celery's own settings do for a task: they hold where none of the file's limits is in force."""
    if app is None:
        if rule is None or not rule.limits:
            yield f"Whether Celery limits it (rate_limit, task_annotations, task_default_rate_limit) {_ONLY_THE_APP}."
        return
    from limitkit.worker.installation import installation_of  # noqa: PLC0415 (imports Celery)

    native = native_limit(app.tasks[task])
    if native is None:
        return
    enforced = rule is not None and any(limit.mode == "enforce" for limit in rule.limits)
    if app.conf.worker_disable_rate_limits:
        yield f"Celery's own limit, {native}, is not kept: worker_disable_rate_limits is set."
    elif enforced and installation_of(app) is not None:
        yield f"Celery's own limit, {native}, gives way to the file."
    else:
        yield f"Celery itself limits it: {native}."


def _head(config: Config, task: str, rule: TaskRule) -> list[str]:
    lines = [f"{task}: {dotted(('tasks', rule.pattern))}, {rule.path}:{rule.line}"]
    pair = config.rules.ambiguous(task)
    if pair:
        lines.append(f"The pattern {pair[1]} matches it, too, with equal weight; the first in the file holds.")
    return [*lines, *modes(config, rule.limits), ""]


def _show_buckets(
    config: Config,
    limits: Sequence[Limit],
    call: tuple[list[Any], dict[str, Any]] | None,
    signature: inspect.Signature | None,
    why: str,
) -> None:
    """Show which bucket of each limit a message takes from, what it costs there, and whose turn it is."""
    if call is None:
        return
    message = Call(*call)
    rows, faults = [], []
    for limit in limits:
        partition = Resolver(signature, limit.key)(message) if limit.key else None
        key = bucket_key(config.rules.store.prefix, limit, partition)
        if partition is not None and partition.missing:
            faults.append(f"These arguments have no {limit.key}: such messages share one bucket{why}.")
        cost, fault = CostReader(signature, limit.cost, limit.interval_us)(message)
        if fault:
            faults.append(f"The cost for {name_of(limit)} {fault}: it is {cost}{why}.")
        turn = Resolver(signature, limit.fair_by)(message) if limit.fair_by else None
        if turn is not None and turn.missing:
            faults.append(f"These arguments have no {limit.fair_by}: such messages share one turn{why}.")
        shown = "-" if turn is None else turn.form(_LONGEST_TURN, clear=limit.show_key)
        mine = "each worker's own" if limit.local else key
        rows.append((name_of(limit), mine, "-" if limit.strategy == "concurrency" else str(cost), shown))
    columns = [0, 1]
    columns += [2] if any(limit.cost != ONE for limit in limits) else []
    columns += [3] if any(limit.fair_by for limit in limits) else []
    say("")
    say(table([_BUCKET_HEADINGS[at] for at in columns], [[row[at] for at in columns] for row in rows]))
    for fault in faults:
        say(fault, err=True)
