"""Each fault that a test file can have: one file, and the whole of what limitkit says of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from limitkit.config.source.toml import parse
from limitkit.config.test_file import load
from limitkit.errors import ConfigError

FOLDER = Path(__file__).parents[3] / "bad_tests"
FILES = sorted(FOLDER.glob("*.toml"))


def said_of(content: bytes, path: str) -> str:
    try:
        load.judge_tests(parse(content, path))
    except ConfigError as error:
        return "".join(f"{problem}\n" for problem in error.problems)
    return ""


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_the_whole_message(file):
    said = said_of(file.read_bytes(), file.name)
    assert said
    assert said == file.with_suffix(".txt").read_text(encoding="utf-8")
    for word in ("dict", "NoneType", "'str'", "Traceback", "pydantic", "input"):
        assert word not in said


def test_each_message_has_its_file():
    assert len(FILES) > 20
    assert {file.stem for file in FILES} == {file.stem for file in FOLDER.glob("*.txt")}
