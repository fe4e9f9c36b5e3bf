"""What the lints say of a file, whole; what they leave alone stands in other tests of this folder."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from limitkit.config.lints.findings import findings
from limitkit.config.load import judge
from limitkit.config.source.toml import parse

ROOT = Path(__file__).parents[4]
FOLDER = ROOT / "tests" / "lints"
FILES = sorted(FOLDER.glob("*.toml"))
WORKERS = re.compile(r"# workers: ([0-9]+)-([0-9]+)\n")


def said_of(file: Path) -> str:
    text = file.read_text(encoding="utf-8")
    fleet = WORKERS.match(text)
    config = judge(parse(text, file.name))
    assert config.warnings == ()
    found = findings(config, None, (int(fleet[1]), int(fleet[2])) if fleet else None)
    assert {problem.severity for problem in found} == {"warning"}
    return "".join(f"{problem}\n" for problem in found)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_the_whole_message(file):
    assert said_of(file) == file.with_suffix(".txt").read_text(encoding="utf-8")


def test_each_message_has_its_file():
    assert {file.stem for file in FILES} == {file.stem for file in FOLDER.glob("*.txt")}


def test_no_message_tells_what_came_from_the_environment(monkeypatch):
    for name in ("API_RATE", "PUSH_RATE", "SLOW_RATE"):
        monkeypatch.setenv(name, "1.375/23m")
    said = "".join(map(said_of, FILES))
    assert said.count("LK") > 10
    for part in ("1.375", "23m", "2.75", "27.5", "16m 43s"):
        assert part not in said


FOLDERS = [ROOT / "examples", ROOT / "limitkit"]


@pytest.mark.parametrize(
    "file", [ROOT / "ratelimits.toml", *(file for folder in FOLDERS for file in folder.rglob("*.toml"))], ids=str
)
def test_nothing_is_said_of_what_is_shown(file):
    text = file.read_text(encoding="utf-8")
    if "\n[[send]]" not in text:  # a scenario
        assert findings(judge(parse(text, file.name)), None) == []
