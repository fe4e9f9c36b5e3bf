"""Commands that are run one after the other in this process, and what they say with times made alike."""

import io
import os
import re
import sys
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from types import SimpleNamespace

import pytest
from cli.test_commands import told

from limitkit.cli import limitkit

HERE = Path(__file__).parent
_ROW = re.compile(r"^(?:(?:limits|tasks)\.\S+|[0-9a-f]{8})  .*$", re.MULTILINE)
_NUMBER = r"(?<=  )\d+(?=  |$)"
_SPAN = r"\b\d+(?:\.\d)?[dhms](?: \d+[hms])?\b"


class Teller:
    """Runs commands, each with the environment that is wanted, in a folder."""

    def __init__(self, folder, **environ):
        self.folder, self.environ = folder, environ

    def run(self, *arguments):
        with pytest.MonkeyPatch.context() as patch:
            patch.chdir(self.folder)
            patch.syspath_prepend(HERE)
            patch.delitem(sys.modules, "dialapp", raising=False)
            for name in [name for name in os.environ if name.startswith("LIMITKIT_") and "SNAPSHOT" not in name]:
                patch.delenv(name)
            for name, value in self.environ.items():
                patch.setenv(name, value)
            stdout, stderr = io.StringIO(), io.StringIO()
            with redirect_stdout(stdout), redirect_stderr(stderr), pytest.raises(SystemExit) as stopped:
                limitkit.main(args=list(arguments), prog_name="limitkit")
        said = {"stdout": stdout.getvalue().encode(), "stderr": stderr.getvalue().encode()}
        return SimpleNamespace(**said, returncode=stopped.value.code or 0)

    def tell(self, *arguments):
        """Run a command, and return all that it says."""
        return told(arguments, self.run(*arguments)).replace(f"{self.folder}/", "")


def alike(said):
    """Make two tellings of one example the same: times, and what follows from them."""
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


def compare(folder, name, said):
    """Compare what was said with the snapshot, which keeps it as it was once."""
    file = HERE / "snapshots" / folder / f"{name}.txt"
    kept = file.read_text(encoding="utf-8") if file.exists() else ""
    if "LIMITKIT_WRITE_SNAPSHOTS" in os.environ and alike(said) != alike(kept):
        file.parent.mkdir(exist_ok=True)
        file.write_text(said, encoding="utf-8")
        kept = said
    assert alike(said) == alike(kept)
