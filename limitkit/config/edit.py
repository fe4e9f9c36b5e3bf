"""Writes new values into a config file, and leaves everything else as it is: comments, order, spaces."""

from __future__ import annotations

import os
import re
import tempfile
from contextlib import suppress
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import tomlkit
from tomlkit.exceptions import TOMLKitError

from limitkit.config.load import judge
from limitkit.config.model.env_values import names_variable
from limitkit.config.source import toml
from limitkit.config.wording import dotted, quote
from limitkit.errors import LimitkitError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from limitkit.config.load import Config
    from limitkit.config.source.toml import Document

_LONE_NEWLINE: Final = re.compile(r"(?<!\r)\n")


class EditError(LimitkitError):
    """A file can't be changed in this way; the text says fact and remedy."""


def edited(config: Config, table: tuple[str, str], values: Mapping[str, str | int]) -> str:
    """Return the checked text of a file in which a table has these values.

    They are written into the file itself, also where only one that it extends has the table: others may extend that.

    Raises ConfigError when the new text could not be used, and EditError when it can't be written without harm.
    """
    document = config.document
    section, name = table
    for key, value in values.items():
        present = document.data[section][name].get(key)
        if names_variable(present):
            fact = f"{document.path}: {dotted((*table, key))} is {quote(present)}, so the file stays as it is"
            raise EditError(f'{fact}; set the variable so that it comes to "{value}", and restart the workers')
    wanted = deepcopy(document.data)
    wanted[section][name].update(values)
    try:
        edited = tomlkit.parse(document.text)
        _put(_table_in(edited, document, table), values)
        text = tomlkit.dumps(edited)
    except (TOMLKitError, TypeError, ValueError, KeyError, IndexError, AttributeError) as error:
        raise _harmful(document.path, values) from error
    if "\r\n" in document.text and _LONE_NEWLINE.search(document.text) is None:
        text = _LONE_NEWLINE.sub("\r\n", text)
    changed = replace(toml.parse(text, document.path), real=document.real)
    if judge(changed).document.data != wanted:
        raise _harmful(document.path, values)
    return text


def write(path: str, text: str) -> None:
    """Replace a file's text in one step; its mode stays, and for a link the file that it leads to is written.

    Raises OSError.
    """
    real = Path(os.path.realpath(path))
    mode = real.stat().st_mode
    handle, name = tempfile.mkstemp(prefix=f".{real.name}.", dir=real.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(text.encode())
            os.fchmod(file.fileno(), mode & 0o7777)
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(real)
    except OSError:
        with suppress(OSError):
            Path(name).unlink()
        raise


def _table_in(edited: Any, document: Document, table: tuple[str, str]) -> Any:
    """Return a table of the text; a new one at its end where only a file that it extends has it."""
    section, name = table
    if name not in document.layers[0].data.get(section, {}):
        if section not in edited:
            edited[section] = tomlkit.table(is_super_table=True)
        edited[section][name] = tomlkit.table()
    return edited[section][name]


def _put(table: Any, values: Mapping[str, str | int]) -> None:
    """Set the values; a new one goes behind the one before it, if tomlkit can do that, else to the end."""
    before = ""
    for key, value in values.items():
        insert = getattr(getattr(table, "value", None), "_insert_after", None)
        if key in table or insert is None or before not in table:
            table[key] = value
        else:
            item = tomlkit.item(value)
            item.trivia.indent = table[before].trivia.indent
            insert(before, key, item)
        before = key


def _harmful(path: str, values: Mapping[str, str | int]) -> EditError:
    pairs = ", ".join(f"{key} = {tomlkit.item(value).as_string()}" for key, value in values.items())
    return EditError(f"{path} is written in a way that can't be changed without harm; write {pairs} there by hand")
