"""The line that shows how far a play is: on a terminal alone, seldom, and removed at the end."""

import os
import pty
import subprocess
import sys
from io import StringIO

import pytest
from support.workers import ROOT

from limitkit.cli.progress import ProgressLine, progress_line

CONFIG = """
version = 1
[limits.api]
strategy = "static"
rate = "100/s"
[tasks."mail.send"]
limits = ["api"]
"""
SENDS = """
[[{}send]]
task = "mail.send"
count = 3000
"""
EXPECTS = '[[test.expect]]\ntask = "mail.send"\nlost = 0\n'


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "ratelimits.toml").write_text(CONFIG)
    (tmp_path / "old.toml").write_text(CONFIG.replace("100/s", "200/s"))
    (tmp_path / "mail.toml").write_text(SENDS.format(""))
    (tmp_path / "mail.limits.toml").write_text('[[test]]\nname = "a"\n' + SENDS.format("test.") + EXPECTS)
    return tmp_path


def on_a_terminal(folder, *arguments, **environ):
    """Run a command whose standard error is a terminal; returns its status, standard output, and what is shown."""
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "limitkit", *arguments]
    environ = {**os.environ, "PYTHONPATH": str(ROOT), "TERM": "xterm", "COLUMNS": "100", **environ}
    with subprocess.Popen(command, cwd=folder, env=environ, stdout=subprocess.PIPE, stderr=theirs) as running:
        os.close(theirs)
        out, _ = running.communicate(timeout=120)
    shown = b""
    while True:
        try:
            read = os.read(ours, 65536)
        except OSError:  # Linux says so at the end
            read = b""
        if not read:
            break
        shown += read
    os.close(ours)
    return running.returncode, out, shown.decode()


@pytest.mark.parametrize(
    "arguments",
    [
        ("simulate", "mail.toml", "--no-chart"),
        ("test", "--output-format", "json"),
        ("plan", "old.toml", "ratelimits.toml", "--scenario", "mail.toml"),
    ],
    ids=lambda arguments: arguments[0],
)
def test_a_terminal_shows_how_far_a_play_is(folder, arguments):
    status, out, shown = on_a_terminal(folder, *arguments)
    assert status == 0, shown
    assert "of virtual time, " in shown
    assert " of 3,000 messages started\x1b[K" in shown
    assert shown.split("messages started\x1b[K")[-1].startswith("\r\x1b[K"), "it is removed at the end"
    assert b"playing: " not in out


def test_without_a_terminal_nothing_is_shown(folder):
    command = [sys.executable, "-m", "limitkit", "simulate", "mail.toml", "--no-chart"]
    environ = {**os.environ, "PYTHONPATH": str(ROOT)}
    assert subprocess.run(command, cwd=folder, env=environ, capture_output=True, check=True).stderr == b""


def test_a_terminal_that_can_remove_no_line_gets_none(folder):
    status, out, shown = on_a_terminal(folder, "simulate", "mail.toml", "--no-chart", TERM="dumb")
    assert (status, shown) == (0, "")
    assert b"3,000 messages" in out


def test_it_is_written_twice_a_second_at_most():
    now, stream = [0.0], StringIO()
    line = ProgressLine(stream, lambda: now[0])
    for step in range(30):
        now[0] = step / 10
        line(float(step), step, 100)
    assert stream.getvalue().count("\r") == 5, "at 0.5s, 1s, 1.5s, 2s and 2.5s"
    assert "playing: 5s of virtual time, 5 of 100 messages started" in stream.getvalue()


def test_it_is_as_wide_as_the_terminal_at_most_and_removed_once(monkeypatch):
    monkeypatch.setenv("COLUMNS", "30")
    now, stream = [0.0], StringIO()
    line = ProgressLine(stream, lambda: now[0])
    line.remove()
    assert stream.getvalue() == ""
    now[0] = 1.0
    line(86_400.0, 5, 100)
    assert stream.getvalue() == "\rplaying: 1d of virtual time, \x1b[K"
    line.remove()
    line.remove()
    assert stream.getvalue().count("\r\x1b[K") == 1


def test_it_is_removed_when_a_play_is_stopped(monkeypatch):
    class Terminal(StringIO):
        def isatty(self):
            return True

    monkeypatch.setattr(sys, "stderr", stream := Terminal())
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr("limitkit.cli.progress._EVERY", 0.0)

    def stopped():
        with progress_line() as line:
            line(1.0, 1, 1)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stopped()
    assert stream.getvalue().endswith("\r\x1b[K")
