"""The command line: ``limitkit …``, and the same commands as ``celery -A proj limitkit …``."""

from __future__ import annotations

import importlib

import click

from limitkit.namesake import damage

COMMANDS = {
    "validate": "limitkit.cli.validate",
    "explain": "limitkit.cli.explain",
    "schema": "limitkit.cli.schema",
    "demo": "limitkit.cli.demo",
    "waiting": "limitkit.cli.waiting",
    "purge": "limitkit.cli.purge",
    "status": "limitkit.cli.status",
    "top": "limitkit.cli.top",
    "set": "limitkit.cli.set",
    "reduce": "limitkit.cli.reduce",
    "restore": "limitkit.cli.restore",
    "pause": "limitkit.cli.pause",
    "resume": "limitkit.cli.resume",
    "reset": "limitkit.cli.reset",
    "reload": "limitkit.cli.reload",
    "drift": "limitkit.cli.drift",
    "promote": "limitkit.cli.promote",
    "why": "limitkit.cli.why",
    "exporter": "limitkit.cli.exporter",
}
"""Each command and its module, which holds it as ``command``; imported when the command is asked for."""


class Commands(click.Group):
    """A group that imports a command's module only when that command runs, or is listed."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Name all commands, in the order in which people meet them."""
        return [*COMMANDS, *super().list_commands(ctx)]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command, or say that there is none of this name."""
        if cmd_name not in COMMANDS:
            return super().get_command(ctx, cmd_name)
        command: click.Command = importlib.import_module(COMMANDS[cmd_name]).command
        return command


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="celery-limitkit", prog_name="limitkit")
def limitkit() -> None:
    """Judge ratelimits.toml, the declared rate limits of Celery tasks, see what they do, and set others at run time."""
    wrong = damage()
    if wrong is not None:
        click.echo(f"limitkit: {wrong}", err=True)


def main() -> None:
    """Run the ``limitkit`` command."""
    limitkit(prog_name="limitkit")
