"""The command line: ``limitkit …``, and the same commands as ``celery -A proj limitkit …``."""

from __future__ import annotations

import importlib
import shlex
import shutil
from typing import Any

import click

from limitkit import __version__
from limitkit.cli.options import examples
from limitkit.cli.output import written
from limitkit.config.wording import quote, suggest
from limitkit.name_clash import damage

COMMANDS = (
    "init",
    "validate",
    "rule",
    "test",
    "explain",
    "simulate",
    "plan",
    "schema",
    "demo",
    "waiting",
    "purge",
    "status",
    "top",
    "set",
    "reduce",
    "restore",
    "pause",
    "resume",
    "reset",
    "reload",
    "drift",
    "promote",
    "why",
    "exporter",
    "record",
    "adopt",
    "doctor",
)
"""All commands, in the order of their use. Each is a module of ``cli/commands/``, imported only when needed."""
_OVERRIDES = frozenset({"set", "reduce", "restore", "pause", "resume", "reset", "promote"})
"""Those in ``cli/commands/overrides/``."""


_AFTER = ("-A", "--app", "--config")
"""Options of the commands that people also write before the command."""
_WIDEST = 80


class Commands(click.Group):
    """A group that imports a command's module only when that command runs, or is listed."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Name all commands, in the order of their use."""
        return [*COMMANDS, *super().list_commands(ctx)]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command, or say that there is none of this name."""
        if cmd_name not in COMMANDS:
            return super().get_command(ctx, cmd_name)
        room = "commands.overrides" if cmd_name in _OVERRIDES else "commands"
        command: click.Command = importlib.import_module(f"limitkit.cli.{room}.{cmd_name}").command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands with their whole descriptions, on as many lines as needed."""
        found = [(name, self.get_command(ctx, name)) for name in self.list_commands(ctx)]
        with formatter.section("Commands"):
            formatter.write_dl([(name, each.get_short_help_str(limit=1000)) for name, each in found if each])

    def make_context(
        self, info_name: str | None, args: list[str], parent: click.Context | None = None, **extra: Any
    ) -> click.Context:
        """Read the arguments; help is as wide as the terminal, even where that is narrower than click thinks."""
        extra.setdefault("terminal_width", min(shutil.get_terminal_size().columns, _WIDEST) - 2)
        with written():
            return super().make_context(info_name, args, parent, **extra)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Read the options; for those that belong after a command, say so."""
        moved, rest = _apart(args)
        if moved and not ctx.resilient_parsing:
            line = shlex.join([*ctx.command_path.split(), *(rest or ["COMMAND"]), *moved])
            raise click.UsageError(f"{moved[0].partition('=')[0]} belongs after the command; write: {line}", ctx)
        return super().parse_args(ctx, args)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command; suggest another if there is none of this name."""
        name = args[0]
        if not ctx.resilient_parsing and not name.startswith("-") and self.get_command(ctx, name) is None:
            hint = suggest(name, self.list_commands(ctx)) or f"{ctx.command_path} --help lists them all"
            raise click.UsageError(f"there is no command {quote(name)}; {hint}", ctx)
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command."""
        with written():
            return super().invoke(ctx)


def _apart(args: list[str]) -> tuple[list[str], list[str]]:
    """Separate the commands' options that stand before the command from the rest."""
    moved: list[str] = []
    rest = [*args]
    while rest:
        name, equals, _ = rest[0].partition("=")
        attached = rest[0].startswith("-A") and len(rest[0]) > len("-A")
        if name not in _AFTER and not attached:
            break
        size = 1 if equals or attached else 2
        moved, rest = moved + rest[:size], rest[size:]
    return moved, rest


@click.group(
    cls=Commands,
    context_settings={"help_option_names": ["-h", "--help"]},
    short_help="Declared rate limits: check the file, see and change limits.",
    epilog=examples(
        "limitkit validate",
        "limitkit status -A shop",
        "limitkit set --help",
        first="Every command has examples in its own help:",
    ),
)
@click.version_option(__version__, prog_name="limitkit")
def limitkit() -> None:
    """Check ratelimits.toml, the declared rate limits of Celery tasks; see what they do; change them at run time."""
    wrong = damage()
    if wrong is not None:
        click.echo(f"limitkit: {wrong}", err=True)


def main() -> None:
    """Run the ``limitkit`` command."""
    limitkit(prog_name="limitkit")
