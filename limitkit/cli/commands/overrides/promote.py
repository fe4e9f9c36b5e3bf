"""``limitkit promote``: writes a rate that was set at run time into the file."""

from __future__ import annotations

import click

from limitkit.buckets.override import Target
from limitkit.cli.manager_command import managed
from limitkit.cli.options import common, examples
from limitkit.cli.output import Unusable, say, show_problems
from limitkit.control.status.rate_text import rated
from limitkit.control.targets import all_of, find
from limitkit.errors import ConfigError


@click.command(
    "promote",
    short_help="Write a rate that was set into the file.",
    epilog=examples(
        "limitkit promote stripe_api -A shop",
    ),
)
@click.argument("limit")
@common
@click.pass_context
def command(ctx: click.Context, limit: str, *, app: str | None, config: str | None) -> None:
    """Write the rate and the burst that were set for LIMIT into the file; all else in it stays as it is.

    LIMIT is a limit's name, the name of a task that has a limit of its own, or a pattern in the file. The rate that was
    set goes on until it is restored: do that when all workers have the new file.

    Exit status: 0 done, 1 the file has problems, 2 there is nothing to promote, the file can't be written, or the store
    can't be asked.
    """
    with managed(ctx, app, config) as manager:
        from limitkit.config.edit import EditError, edited, write  # noqa: PLC0415 (imports tomlkit)

        used = manager.config
        tasks = manager.app.tasks if manager.app is not None else ()
        target, declared = find(used.rules, limit, tasks)
        posted = {each.target: each for each in manager.in_force().overrides if each.kind == "rate"}
        made = posted.get(target)
        if made is None:
            rule = used.rules.for_task(target.name) if target.section == "tasks" else None
            pattern = Target("tasks", rule.pattern if rule is not None else "")
            hint = (
                f"limitkit promote {pattern.name}" if pattern in posted else "set one first; a pause can't be written"
            )
            raise Unusable(f"no rate is set for {target}, so there is nothing to write; {hint}")
        if target not in dict(all_of(used.rules)):
            fact = f"{target} has its limit by a pattern, so the file has no place for a rate of its own"
            raise Unusable(f"{fact}; write a table for it, or set the pattern's rate")
        values: dict[str, str | int] = {}
        if made.rate is not None:
            values["rate"] = made.rate.text
        if made.burst is not None:
            values["burst"] = made.burst
        if made.max_running is not None:
            values["max_running"] = made.max_running
        try:
            text = edited(used, (target.section, target.name), values)
            write(used.path, text)
        except ConfigError as error:
            show_problems(error.problems, err=True)
            ctx.exit(1)
        except EditError as error:
            raise Unusable(str(error)) from None
        except OSError as error:
            fact = f"{used.path} can't be written: {error.strerror or error}"
            raise Unusable(f"{fact}, so it stays as it is; give this user the right to its folder") from None
        before, most = declared.text, made.max_running or made.burst or declared.most
        now = rated(made.terms, most, declared.strategy)
        say(f"{used.path}: {target} is declared as {now}; it was {before}.")
        say(f"What was set goes on until it is restored: limitkit restore {limit}")
