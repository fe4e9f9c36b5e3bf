"""Runs commands, in a process of their own or in this one, and compares what they print with the snapshots.

``LIMITKIT_WRITE_SNAPSHOTS=1`` writes those that have changed.
"""

import io
import os
import re
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from types import SimpleNamespace

import pytest

from limitkit.cli import limitkit
from support.workers import ROOT

CLI = ROOT / "tests" / "cli"
"""The folder with the files and apps that the commands are run with, and with the snapshots."""
_CLEARED = ("LIMITKIT_", "NO_COLOR", "GITHUB_")
"""Beginnings of the names of variables that commands heed."""
_ROW = re.compile(r"^(?:(?:limits|tasks)\.\S+|[0-9a-f]{8})  .*$", re.MULTILINE)
_NUMBER = r"(?<=  )\d+(?=  |$)"
_SPAN = r"\b\d+(?:\.\d)?[dhms](?: \d+[hms])?\b"


def run(arguments, stdin=b"", cwd=CLI, **environ):
    """Run a command in a process of its own, in the folder of the tests' files or another one."""
    code = "from limitkit.cli import main; main()"
    cleared = {key: value for key, value in os.environ.items() if not key.startswith(_CLEARED)}
    return subprocess.run(
        [sys.executable, "-c", code, *arguments],
        capture_output=True,
        check=False,
        cwd=cwd,
        input=stdin,
        env={**cleared, "PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "utf-8", **environ},
    )


def transcript(arguments, done):
    """Return a command and all that it wrote, as a snapshot has it."""
    said = f"$ limitkit {' '.join(arguments)}\n{done.stdout.decode()}"
    said += "".join(f"stderr: {line}\n" for line in done.stderr.decode().splitlines())
    said = said.replace(str(CLI), "HERE")
    said = re.sub(r"'(--?\w+)'", r"\1", said)  # click's releases differ in quotes
    return said + f"exit status {done.returncode}\n"


class Runner:
    """Runs commands in this process, each with the environment that is wanted, in a folder."""

    def __init__(self, folder, **environ):
        self.folder, self.environ = folder, environ

    def run(self, *arguments):
        """Run a command; returns what it writes, and its exit status."""
        stdout, stderr = io.StringIO(), io.StringIO()
        status = self._run(arguments, stdout, stderr)
        said = {"stdout": stdout.getvalue().encode(), "stderr": stderr.getvalue().encode()}
        return SimpleNamespace(**said, returncode=status)

    def output(self, *arguments):
        """Run a command; returns all that it writes, in the order in which a terminal shows it."""
        both = io.StringIO()
        self._run(arguments, both, both)
        return both.getvalue()

    def _run(self, arguments, stdout, stderr):
        with pytest.MonkeyPatch.context() as patch:
            patch.chdir(self.folder)
            patch.syspath_prepend(CLI)
            for module in ("doctorapp", "runningapp", "shownapp", "waitapp"):  # which are other apps at another broker
                patch.delitem(sys.modules, module, raising=False)
            for name in [name for name in os.environ if name.startswith(_CLEARED) and "SNAPSHOT" not in name]:
                patch.delenv(name)
            for name, value in self.environ.items():
                patch.setenv(name, value)
            with redirect_stdout(stdout), redirect_stderr(stderr), pytest.raises(SystemExit) as stopped:
                limitkit.main(args=list(arguments), prog_name="limitkit")
        return stopped.value.code or 0

    def transcript(self, *arguments):
        """Run a command, and return all that it writes."""
        return transcript(arguments, self.run(*arguments)).replace(f"{self.folder}/", "")


def masked(said):
    """Mask what differs from run to run: times, and what follows from them."""
    said = re.sub(r"(\d{4}-\d\d-\d\d )?\d\d:\d\d:\d\d", "12:00:00", said)
    said = re.sub(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "ID", said)
    # In a column, what stands behind it stays where it is.
    said = re.sub(
        rf"{_SPAN}( *)", lambda match: f"{'…':<{len(match[0])}}" if len(match[1]) > 1 else f"…{match[1]}", said
    )
    # Whether a request is held or was parked, and what is left of a minute, depends on how fast the machine is.
    said = re.sub(_ROW, lambda match: re.sub(_NUMBER, lambda count: "n".rjust(len(count[0])), match[0]), said)
    said = re.sub(r'("(?:at|until|since|oldest_seconds|tokens)": )\d[\d.]*', r"\1...", said)
    return re.sub(r" +$", "", said, flags=re.MULTILINE)


def masked_widths(said):
    """Mask also how wide columns are, where that depends on the hour at which a test runs."""
    return re.sub("  +", "  ", masked(said))


def compare(folder, name, said, *, mask=masked):
    """Compare what was written with the snapshot of that name."""
    file = CLI / "snapshots" / folder / f"{name}.txt"
    kept = file.read_text(encoding="utf-8") if file.exists() else ""
    if "LIMITKIT_WRITE_SNAPSHOTS" in os.environ and mask(said) != mask(kept):
        file.parent.mkdir(exist_ok=True)
        file.write_text(said, encoding="utf-8")
        kept = said
    assert mask(said) == mask(kept)
