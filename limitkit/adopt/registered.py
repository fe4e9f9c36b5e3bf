"""The names under which an app has registered its tasks, by the place of their code."""

from __future__ import annotations

import inspect
import os
from typing import TYPE_CHECKING, Any

from limitkit.adopt.found import Names

if TYPE_CHECKING:
    from collections.abc import Mapping


def registered_names(tasks: Mapping[str, Any]) -> Names:
    """Note where the code of each task is: file, and function or class."""
    found: dict[tuple[str, str], list[tuple[int, str]]] = {}
    for name, task in sorted(tasks.items()):
        code = getattr(inspect.unwrap(getattr(task, "run", None) or task), "__code__", None)
        if code is None:
            continue
        place = (os.path.realpath(code.co_filename), code.co_name)
        found.setdefault(place, []).append((code.co_firstlineno, name))
        if code.co_name == "run":
            found.setdefault((place[0], type(task).__name__), []).append((code.co_firstlineno, name))
    return Names({place: tuple(names) for place, names in found.items()})
