"""``docs/reference/commands.md``: every command, as its help has it."""

from __future__ import annotations

import inspect
import re
from pathlib import Path
from typing import TYPE_CHECKING

import click

from limitkit.cli import limitkit

if TYPE_CHECKING:
    from collections.abc import Iterator

HEAD = """\
# Every command

<!-- Made by `make reference` from the commands' own help; a test says when it is stale. -->

This page has what `limitkit COMMAND --help` says. [Commands](../commands.md) shows what those that look at workers, or
change rates, print. `celery -A shop limitkit COMMAND` and `python -m limitkit COMMAND` are the same.

Data goes to standard output, everything else to standard error. `NO_COLOR` switches colours off.

"""
SHOWN = Path(__file__).parents[1] / "commands.md"
"""The page that shows what some commands print."""


def text() -> str:
    """Write the page."""
    context = click.Context(limitkit, info_name="limitkit")
    found = [(name, limitkit.get_command(context, name)) for name in limitkit.list_commands(context)]
    commands = [(name, command) for name, command in found if command is not None]
    lines = [HEAD, "| command | what it does |\n| --- | --- |\n"]
    lines += [f"| [`{name}`](#limitkit-{name}) | {_cell(each.get_short_help_str(1000))} |\n" for name, each in commands]
    for name, command in commands:
        lines += _section(click.Context(command, info_name=name, parent=context), command)
    return "".join(lines)


def _section(context: click.Context, command: click.Command) -> Iterator[str]:
    yield f"\n## limitkit {context.info_name}\n\n"
    yield f"`{' '.join([context.command_path, *command.collect_usage_pieces(context)])}`\n\n"
    for paragraph in inspect.cleandoc(command.help or "").split("\n\n"):
        yield f"{_prose(paragraph)}\n\n"
    yield "| option | what it does |\n| --- | --- |\n"
    for option in command.params:
        record = option.get_help_record(context)
        if record and record[1]:
            yield f"| `{_cell(record[0])}` | {_cell(record[1]).replace('  [', ' [')} |\n"
    examples = [line.strip() for line in (command.epilog or "").splitlines() if line.startswith("  ")]
    if examples:
        yield "\n```sh\n" + "".join(f"{line}\n" for line in examples) + "```\n"
    if re.search(rf"^## {context.info_name}$", SHOWN.read_text(encoding="utf-8"), re.MULTILINE):
        yield f"\n[What it prints](../commands.md#{context.info_name}).\n"


def _prose(paragraph: str) -> str:
    """Join the lines of a paragraph; click's mark for one that keeps its lines makes it a block."""
    if paragraph.startswith("\b"):
        return f"```text\n{paragraph.removeprefix(chr(8)).strip()}\n```"
    joined = " ".join(line.strip() for line in paragraph.splitlines())
    joined = re.sub(r"(?<![\w-])(--?[a-zA-Z][\w-]*)", r"`\1`", joined)
    joined = re.sub(r"(\[\[?\w+\]?\])", r"`\1`", joined).replace("<", "&lt;")
    return re.sub(r"^(Exit status):", r"**\1:**", joined)


def _cell(said: str) -> str:
    return said.replace("|", "\\|")
