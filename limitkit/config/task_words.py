"""What the tasks of an app are called, and what they take, as files for people and for editors show it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import tomlkit

from limitkit.config.app_check import task_signature
from limitkit.config.wording import one_line, shorten

if TYPE_CHECKING:
    import inspect
    from collections.abc import Iterator, Mapping

_LONGEST: Final = 80
"""Characters of a signature that are shown."""


def own_tasks(tasks: Mapping[str, Any]) -> dict[str, Any]:
    """Leave out Celery's own tasks, and those whose name no file can have; sorted by module and name."""
    own = {name: task for name, task in tasks.items() if not name.startswith("celery.") and is_text(name)}
    return dict(sorted(own.items(), key=lambda pair: (module_of(pair[1]), pair[0])))


def module_of(task: Any) -> str:
    """Name the module of a task; an empty text where it has none."""
    return str(getattr(task, "__module__", None) or "")


def arguments_of(task: Any) -> tuple[str, ...]:
    """Name the arguments that a message of the task may have, in their order; none where Python knows none."""
    signature = task_signature(task)
    return tuple(each.name for each in _named(signature)) if signature is not None else ()


def signature_text(name: str, task: Any) -> str:
    """Write how a task is called, on one line: ``charge(customer_id, amount=...)``.

    Defaults are not written out, since one of them may be a secret.
    """
    signature = task_signature(task)
    taken = ", ".join(_parameters(signature)) if signature is not None else "..."
    return shorten(one_line(f"{name.rpartition('.')[2]}({taken})"), _LONGEST)


def table_key(name: str) -> str:
    """Write a name as the key of a TOML table, in quotes where it needs them; nothing in it is invisible."""
    return visible(tomlkit.key(name).as_string())


def visible(written: str) -> str:
    """Escape, as TOML does, what is invisible in the text of a key or of a string."""
    return "".join(char if char.isprintable() else f"\\U{ord(char):08X}" for char in written)


def is_text(name: str) -> bool:
    """Whether a name can stand in a file: an empty one can't, nor one with lone surrogates."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return bool(name)


def _named(signature: inspect.Signature) -> Iterator[inspect.Parameter]:
    for each in signature.parameters.values():
        if each.kind not in (each.VAR_POSITIONAL, each.VAR_KEYWORD):
            yield each


def _parameters(signature: inspect.Signature) -> Iterator[str]:
    starred = False
    for each in signature.parameters.values():
        if each.kind is each.KEYWORD_ONLY and not starred:
            yield "*"
        starred = starred or each.kind in (each.VAR_POSITIONAL, each.KEYWORD_ONLY)
        stars = "*" if each.kind is each.VAR_POSITIONAL else "**" if each.kind is each.VAR_KEYWORD else ""
        yield f"{stars}{each.name}{'=...' if each.default is not each.empty else ''}"
