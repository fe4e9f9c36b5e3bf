"""The log of GitHub Actions: what is a command in it, and how text is kept from being one.

The runner takes a line for a command if it begins with ``::``, and also if ``##[`` stands anywhere in it.
Source: ActionCommand.cs of actions/runner.
"""

from __future__ import annotations

import os

from limitkit.config.wording import one_line


def on_github() -> bool:
    """Whether this is a step of GitHub Actions."""
    return os.environ.get("GITHUB_ACTIONS") == "true"


def harmless(line: str) -> str:
    """Write text as a line of the log that is no command, whatever names are in it."""
    return no_command(one_line(line))


def no_command(line: str) -> str:
    """Write a line whose parts were escaped before so that it is no command."""
    line = line.replace("##[", "\\u0023#[")
    blanks = len(line) - len(line.lstrip())
    return f"{line[:blanks]}\\u003A{line[blanks + 1 :]}" if line.startswith("::", blanks) else line


def data(text: str) -> str:
    """Write text as the message of a command."""
    return _encoded(one_line(text))


def property_value(text: str) -> str:
    """Write text as the value of a command's property: a line end in a file's name stays what it is."""
    return one_line(_encoded(text).replace(":", "%3A").replace(",", "%2C"))


def _encoded(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
