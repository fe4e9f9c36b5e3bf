"""Starts workers as copies of a process that has imported Celery already, which is most of what a start costs."""

import atexit
import importlib
import multiprocessing
import os
import subprocess
import sys
import time
from pathlib import Path

_MODULES = [
    "billiard.synchronize",
    "celery.app.control",
    "celery.apps.worker",
    "celery.backends.redis",
    "celery.bin.celery",
    "celery.concurrency.prefork",
    "celery.events",
    "celery.loaders.app",
    "celery.worker.consumer",
    "celery.worker.strategy",
    "encodings.idna",
    "jsonschema",
    "kombu.pidbox",
    "kombu.transport.redis",
    "psutil",
    "pydantic.main",
    "pydantic.json_schema",
    "pytest",
    "tomli",
    "tree_sitter",
    "tree_sitter_toml",
]
"""None of limitkit's own: each worker has secrets that are made on import."""
_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload(_MODULES)


class WarmProcess:
    """A command of ``python -m …`` in a process of its own, with the part of ``Popen`` that tests use."""

    def __init__(self, command, env, log):
        assert command[:2] == [sys.executable, "-m"], command
        self._process = _context.Process(target=_run, args=(command[2:], env, log))
        self._process.start()
        self.pid = self._process.pid

    @property
    def returncode(self):
        return self._process.exitcode

    def poll(self):
        return self._process.exitcode

    def wait(self, timeout=None):
        self._process.join(timeout)
        if self._process.exitcode is None:
            raise subprocess.TimeoutExpired(str(self.pid), timeout)
        return self._process.exitcode

    def send_signal(self, number):
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self):
        if self.poll() is None:
            self._process.terminate()

    def kill(self):
        if self.poll() is None:
            self._process.kill()


def _run(argv, env, log):
    """Become what the command would have been."""
    multiprocessing.current_process().name = "MainProcess"  # as logs name it
    out = os.open(log, os.O_WRONLY | os.O_APPEND)
    for number in (1, 2):
        os.dup2(out, number)
    os.close(out)
    os.environ.clear()
    os.environ.update(env)
    time.tzset()
    os.chdir(Path(log).parent)
    sys.path[:0] = ["", *env["PYTHONPATH"].split(os.pathsep)]
    sys.argv = argv
    try:
        importlib.import_module(f"{argv[0]}.__main__").main()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        atexit._run_exitfuncs()
