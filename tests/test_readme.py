"""The README's blocks are true: its TOML is judged, its commands are run, and their output is compared."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from limitkit import config, source

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
TRANSCRIPTS = [
    # A transcript is about the last file before it.
    (next(toml for kind, toml in reversed(BLOCKS[:number]) if kind == "toml"), text)
    for number, (kind, text) in enumerate(BLOCKS)
    if kind == "console"
]


def run(line, folder):
    """Run ``limitkit …`` as a reader would, and return all that they would see."""
    program, *words = line.split()
    assert program == "limitkit"
    env = {name: value for name, value in os.environ.items() if not name.startswith("LIMITKIT_")}
    command = [sys.executable, "-c", "from limitkit.cli import main; main()", *words]
    return subprocess.run(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd=folder,
        env={**env, "PYTHONPATH": str(ROOT)},
        check=False,
    ).stdout


@pytest.mark.parametrize(("toml", "transcript"), TRANSCRIPTS, ids=[text.splitlines()[0] for _, text in TRANSCRIPTS])
def test_a_transcript_shows_what_the_command_prints(toml, transcript, tmp_path):
    (tmp_path / "ratelimits.toml").write_text(toml, encoding="utf-8")
    command, _, shown = transcript.partition("\n")
    assert run(command.removeprefix("$ "), tmp_path) == shown


def test_each_file_is_fine_but_the_one_that_is_shown_with_its_problems(monkeypatch):
    monkeypatch.delenv("REDIS_URL", raising=False)
    wrong = {toml for toml, transcript in TRANSCRIPTS if " error" in transcript}
    files = [text for kind, text in BLOCKS if kind == "toml"]
    assert len(wrong) == 1
    assert wrong < set(files)
    for text in set(files) - wrong:
        assert not config.judge(source.parse(text.encode(), "README.md")).warnings


def test_the_first_screen_has_ten_lines_of_toml_one_of_python_and_two_commands():
    (first, toml), (second, python), (third, _), (fourth, shell) = BLOCKS[:4]
    assert [first, second, third, fourth] == ["toml", "python", "console", "sh"]
    assert len([line for line in toml.splitlines() if line]) <= 10
    assert python == "limitkit.install(app)\n"
    assert shell.split("\n")[:2] == ["make demo", "make test"]


def test_each_link_leads_somewhere():
    for target in re.findall(r"\]\(([^)#]+)\)", README):
        assert (ROOT / target).exists(), target
