"""``limitkit rule``: the page of a problem code, as text and in a terminal."""

import os
import pty
import subprocess
import sys

import pytest
from support.commands import CLI, Runner, compare
from support.workers import ROOT

from limitkit.cli.problem_pages import find

EXAMPLES = {
    "one": ["rule", "LK009"],
    "several": ["rule", "9", "lk006", "LK009"],
    "unknown": ["rule", "LK012", "LK912"],
    "no_code": ["rule"],
    "like_no_code": ["rule", "rates"],
    "codes_and_list": ["rule", "--list", "LK012"],
}


@pytest.mark.parametrize("name", EXAMPLES)
def test_example(name):
    compare("rule", name, Runner(CLI).transcript(*EXAMPLES[name]), mask=str)


def test_the_list_has_all_codes():
    said = Runner(CLI).run("rule", "--list")
    assert [line.split(" ")[0] for line in said.stdout.decode().splitlines()] == find.codes()
    assert "\nLK012 a rate is not written as a rate\n" in said.stdout.decode()
    assert (said.returncode, said.stderr) == (0, b"")


@pytest.mark.parametrize("no_color", ["", "1"])
def test_in_a_terminal_it_is_drawn(no_color):
    leader, follower = pty.openpty()
    environ = {"PYTHONPATH": str(ROOT), "TERM": "xterm", "COLUMNS": "50", "NO_COLOR": no_color, "LANG": "C.UTF-8"}
    command = [sys.executable, "-m", "limitkit", "rule", "LK054"]
    subprocess.run(command, stdout=follower, check=True, cwd=CLI, env=environ)
    os.close(follower)
    said = os.read(leader, 100_000).decode()
    os.close(leader)
    assert "What to do" in said
    assert "## What to do" not in said
    assert ("\x1b" in said) == (not no_color)
    if no_color:
        assert max(map(len, said.splitlines())) <= 50
