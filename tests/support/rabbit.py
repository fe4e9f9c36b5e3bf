"""A real RabbitMQ for tests, of Debian's package: one node on free loopback ports, with all its files in one folder."""

import contextlib
import os
import socket
import subprocess
import time
from pathlib import Path

from support.needed import needed
from support.servers import free_port

_SCRIPT = "/usr/lib/rabbitmq/bin/rabbitmq-server"


def rabbitmq_script():
    """The server's own script: the one on the PATH of Debian's package wants to change to another user."""
    found = needed("rabbitmq-server", package="rabbitmq-server")
    return _SCRIPT if Path(_SCRIPT).exists() else found


def need_rabbitmq():
    """Skip a test where there is no RabbitMQ."""
    rabbitmq_script()


class RabbitServer:
    def __init__(self, folder):
        self.folder = Path(folder)
        self.port = 0
        self.process = self.names = self.env = None

    @property
    def url(self):
        return f"amqp://guest:guest@127.0.0.1:{self.port}//"

    def __enter__(self):
        # A port that was free a moment ago may be somebody's own by the time that the node has come up to taking it.
        for attempt in range(3):
            if self._start(self.folder / str(attempt)):
                return self
            self.__exit__()
        raise RuntimeError(f"rabbitmq-server did not answer:\n{(self.folder / '2' / 'out').read_text()[-2000:]}")

    def _start(self, folder):
        for name in ("mnesia", "log"):
            (folder / name).mkdir(parents=True)
        (folder / "rabbit.conf").write_text("loopback_users = none\n")
        self.port = free_port()
        names_port = str(free_port())
        self.env = {
            **os.environ,
            "HOME": str(folder),
            "RABBITMQ_NODENAME": f"limitkit{self.port}@localhost",
            "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODE_PORT": str(self.port),
            "RABBITMQ_DIST_PORT": str(free_port()),
            "ERL_EPMD_PORT": names_port,
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "RABBITMQ_MNESIA_BASE": str(folder / "mnesia"),
            "RABBITMQ_LOG_BASE": str(folder / "log"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "plugins"),
            "RABBITMQ_CONFIG_FILE": str(folder / "rabbit"),
            "RABBITMQ_PID_FILE": str(folder / "pid"),
            # When a quorum queue asks again for a dead letter whose confirmation was lost; by default after 3 minutes.
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-rabbit dead_letter_worker_publisher_confirm_timeout 5000",
        }
        # Erlang's name server: one that the node starts by itself would stay behind as a daemon.
        self.names = subprocess.Popen(["epmd", "-port", names_port, "-address", "127.0.0.1"])
        return self._run()

    def _run(self):
        with (Path(self.env["HOME"]) / "out").open("ab") as out:
            command, home = [rabbitmq_script()], self.env["HOME"]  # where it leaves a dump if it is killed
            self.process = subprocess.Popen(command, env=self.env, stdout=out, stderr=out, cwd=home)
        deadline = time.monotonic() + 90
        while time.monotonic() < deadline and self.process.poll() is None:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 0.2) as sock:
                sock.sendall(b"AMQP\x00\x00\x09\x01")
                if sock.recv(7)[:1] == b"\x01":
                    return True
            time.sleep(0.2)
        return False

    def restart(self):
        """Restart the node in good order; what is durable stays."""
        self.process.terminate()
        self.process.wait(90)
        if not self._run():
            raise RuntimeError("rabbitmq-server did not answer again")

    def control(self, *command):
        """Have rabbitmqctl do something to the node; returns what it prints. It needs a second or two."""
        script = Path(rabbitmq_script()).with_name("rabbitmqctl")
        run = subprocess.run([script, *command], env=self.env, check=True, capture_output=True, timeout=60, text=True)
        return run.stdout

    def __exit__(self, *_):
        for process in (self.process, self.names):
            process.terminate()
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(10)
