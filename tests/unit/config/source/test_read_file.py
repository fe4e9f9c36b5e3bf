"""What is read as a config: regular files of a size that one may have; nothing waits, and nothing is read for ever."""

from __future__ import annotations

import io
import os
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest

import limitkit
from limitkit.config.load import locate
from limitkit.config.source import read_file
from limitkit.control.config_reload import Reload

GOOD = 'version = 1\n[tasks.a]\nstrategy = "static"\nrate = "1/s"\n'
PIPE = "LK001 the file is a pipe; name a file, or pipe its text to limitkit validate -"
LARGE = "LK009 the file is larger than 10 MB, which no config is; name the right file"


def refused(path):
    with pytest.raises(limitkit.ConfigError) as caught:
        limitkit.load(path)
    assert caught.value.unreadable
    return str(caught.value).removeprefix(f"{path}:1:1: ")


def validate(*arguments, **how):
    code = "from limitkit.cli import main; main()"
    how = {"capture_output": True, "timeout": 60, **how}
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    return subprocess.run([sys.executable, "-c", code, "validate", *arguments], check=False, env=environ, **how)


def test_a_pipe_that_nobody_writes_to_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "f.toml")
    assert refused(tmp_path / "f.toml") == PIPE


def test_what_becomes_a_pipe_while_it_is_looked_at_is_not_waited_for_either(tmp_path, monkeypatch):
    os.mkfifo(tmp_path / "f.toml")
    (tmp_path / "file").write_text(GOOD)
    before, said = (tmp_path / "file").stat(), []
    monkeypatch.setattr(read_file.os, "stat", lambda *_, **__: before)
    thread = threading.Thread(target=lambda: said.append(refused(tmp_path / "f.toml")), daemon=True)
    thread.start()
    thread.join(30)
    assert said == [PIPE]


def test_devices_and_sockets_are_refused(tmp_path, monkeypatch):
    for device in ("/dev/zero", "/dev/null", "/dev/random"):
        assert refused(device) == "LK001 the file is a device; name a file"
    monkeypatch.chdir(tmp_path)  # a socket's path may not be long
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind("s.toml")
        assert refused("s.toml") == "LK001 the file is a socket; name a file"


def test_a_file_that_is_larger_than_any_config_is_not_read(tmp_path):
    with (tmp_path / "f.toml").open("wb") as file:
        file.truncate(10**12)  # a hole: it takes no room on the disk, and would take all of the memory
    assert refused(tmp_path / "f.toml") == LARGE


def test_the_largest_config_is_read(tmp_path):
    (tmp_path / "f.toml").write_text(GOOD + "#" * (read_file.MOST - len(GOOD)))
    assert limitkit.load(tmp_path / "f.toml").rules.exact
    (tmp_path / "f.toml").write_text(GOOD + "#" * (read_file.MOST - len(GOOD) + 1))
    assert refused(tmp_path / "f.toml") == LARGE


def test_links_are_followed_as_those_of_a_config_map(tmp_path):
    (tmp_path / "..data_1").mkdir()
    (tmp_path / "..data_1" / "f.toml").write_text(GOOD)
    (tmp_path / "..data").symlink_to("..data_1")
    (tmp_path / "f.toml").symlink_to("..data/f.toml")
    assert limitkit.load(tmp_path / "f.toml").rules.exact


def test_a_file_of_the_name_that_can_t_be_read_is_not_passed_by(tmp_path, monkeypatch):
    (tmp_path / "ratelimits.toml").write_text(GOOD)
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    monkeypatch.delenv("LIMITKIT_CONFIG", raising=False)
    for make in (os.mkfifo, lambda path: path.symlink_to("nowhere")):
        make(here / "ratelimits.toml")
        assert locate() == "ratelimits.toml"
        (here / "ratelimits.toml").unlink()
    assert locate() == str(tmp_path / "ratelimits.toml")


def test_a_running_worker_s_file_that_becomes_a_pipe_changes_nothing(tmp_path):
    file = tmp_path / "f.toml"
    file.write_text(GOOD)
    watched = Reload(limitkit.load(file), lambda _: (), lambda _: None)
    file.unlink()
    os.mkfifo(file)
    assert not watched.now()
    assert watched.refused == f"{file}:1:1: {PIPE}"


def test_standard_input_that_does_not_end_is_refused():
    endless = subprocess.Popen(["yes", "# no config is as long as this"], stdout=subprocess.PIPE)
    try:
        done = validate("-", stdin=endless.stdout)
    finally:
        endless.kill()
        endless.stdout.close()
        endless.wait()
    assert (done.returncode, done.stdout.decode()) == (2, f"-:1:1: {LARGE}\n")


@pytest.mark.parametrize("first", [b"", b"version = 1\n"])
def test_standard_input_that_would_not_wait_is_read_to_its_end(first, monkeypatch):
    """As some parents hand it over; what is there at once is not all that comes."""
    reading, writing = os.pipe()
    os.set_blocking(reading, False)
    os.write(writing, first)

    def end(*_):
        os.write(writing, GOOD.encode())
        os.close(writing)

    with open(reading) as standard_input:  # noqa: PTH123 - a handle has no path
        monkeypatch.setattr("sys.stdin", standard_input)
        later = threading.Timer(0.5, end)
        later.start()
        try:
            assert read_file.of_pipe("-") == first + GOOD.encode()
        finally:
            later.join()


def test_a_file_that_has_nothing_yet_is_refused():
    class Later(io.RawIOBase):
        def read(self, size=-1):
            """As a handle that does not wait says that there is nothing yet."""

    with pytest.raises(read_file.UnreadableError, match="has nothing to be read yet"):
        read_file.of_stream(Later())


def test_standard_input_that_is_closed_is_no_traceback():
    done = subprocess.run(
        ["sh", "-c", f'exec "{sys.executable}" -c "from limitkit.cli import main; main()" validate - <&-'],
        capture_output=True,
        check=False,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert (done.returncode, done.stderr) == (2, b"-: 1 error\nlimitkit rule LK001 says more\n")


def test_what_a_shell_hands_over_as_a_pipe_is_read(tmp_path):
    reading, writing = os.pipe()
    path = f"/dev/fd/{reading}"
    thread = threading.Thread(target=lambda: Path(f"/dev/fd/{writing}").write_text(GOOD))
    thread.start()
    thread.join()
    os.close(writing)
    done = validate(path, pass_fds=[reading])
    os.close(reading)
    assert (done.returncode, done.stderr.decode()) == (0, f"{path}: fine\n")
    assert read_file.of_pipe(str(tmp_path)) is None
