"""Tables on narrow and low terminals: nothing is wider, and what is left out is said."""

import contextlib
import os
import pty
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from support.commands import CLI
from support.workers import ROOT

from limitkit.cli.table_width import cut_to, fitted, shortened, wrapped

HEADINGS = ("limit", "declared", "in force", "held", "oldest", "why")
FIRST = ("limit", "in force", "held", "why", "declared", "oldest")
ROWS = [
    ("tasks.shop.user_api_request", "5/h, burst 1", "paused", "2", "8s", "paused by ann, until it is resumed"),
    ("limits.api", "25/s, burst 100", "10/s, burst 100", "0", "-", ""),
]


def drawn(width, rows=ROWS):
    return fitted(HEADINGS, rows, width=width, first=FIRST, numbers=("held",), below="why")


def test_without_a_terminal_a_table_is_as_wide_as_it_needs_to_be():
    lines = drawn(None)
    assert len(lines) == 3
    assert "paused by ann, until it is resumed" in lines[1]


def test_the_reason_goes_under_its_row_first():
    lines = drawn(80)
    assert lines[0].split() == ["limit", "declared", "in", "force", "held", "oldest"]
    assert lines[2] == "    paused by ann, until it is resumed"
    assert len(lines) == 4


def test_columns_that_say_least_go_next_and_are_named():
    lines = drawn(60)
    assert lines[0].split() == ["limit", "in", "force", "held"]
    assert "Not shown, since this window is too narrow: declared, oldest." in " ".join(lines)


def test_at_forty_columns_names_are_cut_with_a_sign():
    lines = drawn(40)
    assert all(cell_len(line) <= 40 for line in lines)
    assert "…" in lines[1]
    assert "paused" in lines[1]
    assert "declared" in " ".join(lines[-3:])


@given(
    width=st.integers(20, 120),
    rows=st.lists(st.tuples(*[st.text(st.characters(codec="utf-8"), max_size=40)] * 6), max_size=5),
)
def test_no_line_is_ever_wider_than_the_terminal(width, rows):
    assert all(cell_len(line) <= width for line in drawn(width, rows))


def test_a_low_terminal_says_how_much_it_does_not_show():
    lines = [str(number) for number in range(30)]
    shown = cut_to(lines, 80, 24)
    assert len(shown) == 24
    assert shown[-1] == "7 more lines: a higher window shows them"
    assert cut_to(lines, 80, 30) == lines


@pytest.mark.parametrize(
    ("text", "width", "wanted"), [("abcdef", 6, "abcdef"), ("abcdefgh", 5, "ab…gh"), ("ab", 1, "…")]
)
def test_a_text_is_cut_in_its_middle(text, width, wanted):
    assert shortened(text, width) == wanted


def test_long_sentences_are_broken():
    assert wrapped("one two three", 7, "  ") == ["one two", "  three"]
    assert wrapped("one two three", None) == ["one two three"]


def on_a_terminal(columns, *words):
    """Run a command on a terminal that is so wide, and return the lines of its tables, and all that it wrote."""
    leader, follower = pty.openpty()
    environ = {**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": str(columns), "LINES": "24", "NO_COLOR": "1"}
    command = [sys.executable, "-m", "limitkit", *words]
    with subprocess.Popen(command, stdout=follower, stderr=follower, cwd=CLI, env=environ) as process:
        os.close(follower)
        said = b""
        with contextlib.suppress(OSError):  # nobody is at the other end any more
            while more := os.read(leader, 100_000):
                said += more
        os.close(leader)
        assert process.wait(20) == 0
    text = said.decode().replace("\r\n", "\n")
    return [line for line in text.splitlines() if "  " in line], text


@pytest.mark.parametrize("columns", [40, 80])
@pytest.mark.parametrize(
    "words",
    [
        ("explain", "shop.charge_customer"),
        ("explain", "emails.welcome"),
        ("explain", "stripe_api"),
        ("validate", "--workers", "4"),
    ],
)
def test_each_commands_table_fits_the_terminal(words, columns):
    table, text = on_a_terminal(columns, *words)
    assert table
    assert all(cell_len(line) <= columns for line in table), text
    assert columns > 40 or "Not shown, since this window is too narrow" in text.replace("\n", " ")
