"""Writes ``docs/reference/`` from the code: ``make reference``. A test fails when a page is not what this writes."""

from __future__ import annotations

from pathlib import Path

import command_reference
import config_reference
import python_reference

FOLDER = Path(__file__).parents[1] / "reference"
PAGES = {
    "config.md": config_reference.text,
    "commands.md": command_reference.text,
    "python.md": python_reference.text,
}

if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for name, text in PAGES.items():
        (FOLDER / name).write_text(text(), encoding="utf-8")
