"""How commands write what comes from outside, and what they do when it can't be written."""

import subprocess
import sys

import pytest
from support.commands import CLI, run
from support.workers import ROOT

from limitkit.cli.output import Drawn, Unusable, say, styled, table

HOSTILE = "a\x1b[2J\nb\u202ec[red]d:bomb:\\"
SHOWN = "a\\u001B[2J\\nb\\u202Ec[red]d:bomb:\\"


def test_a_line_is_a_line(capsys):
    say(HOSTILE, "next")
    assert capsys.readouterr().out == f"{SHOWN}\nnext\n"


def test_an_error_is_a_line(capsys):
    Unusable(HOSTILE).show()
    assert capsys.readouterr().err == f"limitkit: {SHOWN}\n"


def test_what_was_drawn_keeps_its_colors_and_no_others(monkeypatch):
    drawn = styled(HOSTILE, fg="red")
    assert drawn == f"\x1b[31m{SHOWN}\x1b[0m"
    assert isinstance(drawn.splitlines()[0], Drawn)


def test_cells_show_as_they_are():
    first, second = table(["name", "n"], [[HOSTILE, "1"]], numbers=["n"]).splitlines()
    assert first.split() == ["name", "n"]
    assert second == f"{SHOWN}  1"


BIG = ["schema"]
CASES = {
    "a full disk": (["validate", "with_problems.toml"], ">/dev/full"),
    "a full disk, and a table": (["explain", "shop.charge_customer"], ">/dev/full"),
    "a full disk, and much to write": (BIG, ">/dev/full"),
    "a full disk, and help": (["--help"], ">/dev/full"),
    "a full disk, and a command's help": (["explain", "--help"], ">/dev/full"),
    "a full disk, and the version": (["--version"], ">/dev/full"),
    "closed": (["validate", "with_problems.toml"], ">&-"),
    "closed, and a table": (["explain", "shop.charge_customer"], ">&-"),
    "closed, and much to write": (BIG, ">&-"),
}


def shell(arguments, behind, **environ):
    code = f'"{sys.executable}" -m limitkit {" ".join(arguments)} {behind}'
    environ = {"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", **environ}
    return subprocess.run(["bash", "-c", code], cwd=CLI, env=environ, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("name", CASES)
def test_standard_output_that_can_not_be_written(name):
    is_refused_in_one_line(shell(*CASES[name]))


@pytest.mark.parametrize("arguments", [["explain", "--help"], ["--version"]])
def test_nor_where_nothing_is_buffered(arguments):
    is_refused_in_one_line(shell(arguments, ">/dev/full", PYTHONUNBUFFERED="1"))


def is_refused_in_one_line(done):
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert line.startswith("limitkit: standard output can't be written (")


@pytest.mark.parametrize(("arguments", "status"), [(BIG, 0), (["validate", *["with_problems.toml"] * 9], 1)])
def test_a_reader_who_has_seen_enough(arguments, status):
    """The pipe's reading end is closed before anything is written, and the exit status is what it would be else."""
    done = shell(arguments, "| true; exit ${PIPESTATUS[0]}")
    assert done.returncode == status
    assert "Traceback" not in done.stderr
    assert "BrokenPipe" not in done.stderr


@pytest.mark.parametrize("behind", ["2>/dev/full", "2>&-"])
def test_standard_error_that_can_not_be_written(behind):
    done = shell(["validate", "with_problems.toml"], behind)
    assert done.returncode == 1
    assert "LK012" in done.stdout


def test_nothing_to_write_needs_no_standard_output():
    assert shell(["validate"], ">&-").returncode == 0
    assert run(["validate"]).returncode == 0
