"""The command line: ``limitkit …``, and the same commands as ``celery -A proj limitkit …``.

Begin at ``entry_point``, which both call; each command is a module of its own in ``commands/``. The rest is what
commands share: their options, how they write, and the parts of what ``explain``, ``status`` and ``waiting`` show. May
use all other rooms. Only this room imports click and rich.
"""

from limitkit.cli.entry_point import COMMANDS, limitkit, main

__all__ = ["COMMANDS", "limitkit", "main"]
