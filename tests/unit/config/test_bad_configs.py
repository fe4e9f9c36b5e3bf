"""Each fault that a config can have: one file, and the whole of what limitkit says of it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import limitkit
from limitkit.config.load import judge
from limitkit.config.source.toml import parse
from limitkit.errors import ConfigError

FOLDER = Path(__file__).parents[2] / "bad_configs"
FILES = sorted(FOLDER.glob("*.toml"))


def said_of(content: bytes, path: str) -> str:
    try:
        problems = judge(parse(content, path)).warnings
    except ConfigError as error:
        problems = error.problems
    return "".join(f"{problem}\n" for problem in problems)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_the_whole_message(file):
    assert said_of(file.read_bytes(), file.name) == file.with_suffix(".txt").read_text(encoding="utf-8")


def test_each_message_has_its_file():
    assert {file.stem for file in FILES} == {file.stem for file in FOLDER.glob("*.txt")}


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_no_message_speaks_python_or_tells_a_secret(file):
    said = file.with_suffix(".txt").read_text(encoding="utf-8")
    for word in ("dict", "NoneType", "'str'", "Traceback", "pydantic", "secret"):
        assert word not in said


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("{tmp}", "the file is a folder; name the file in it, e.g. ratelimits.toml"),
        ("{tmp}/gone.toml", "the file does not exist; name an existing file"),
        ("{tmp}/file/x.toml", "the file can't be read (Not a directory); name a file that can be read"),
        ("{tmp}/nul\0.toml", "the file can't be read (no name has a null character); name a file that can be read"),
    ],
)
def test_bytes_that_cannot_be_had(tmp_path, path, said):
    (tmp_path / "file").write_text("")
    path = path.replace("{tmp}", str(tmp_path))
    with pytest.raises(ConfigError) as caught:
        limitkit.load(path)
    assert str(caught.value) == f"{path}:1:1: LK001 {said}"
    assert caught.value.unreadable


def test_no_permission(tmp_path):
    """Root may read all, so the file is read by a process that is not root any more."""
    file = tmp_path / "ratelimits.toml"
    file.write_text("version = 1\n")
    file.chmod(0)
    code = """
import os, sys, limitkit.config.load
fd = os.open(sys.argv[1], os.O_RDONLY | os.O_DIRECTORY)
os.fchdir(fd)
if os.getuid() == 0:
    os.setgroups([])
    os.setgid(65534)
    os.setuid(65534)
try:
    limitkit.load("ratelimits.toml")
except limitkit.ConfigError as error:
    print(error, error.unreadable)
"""
    tmp_path.chmod(0o755)
    run = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    said = "ratelimits.toml:1:1: LK001 the file may not be read; give its reader the permission True\n"
    assert (run.stdout, run.stderr) == (said, "")
