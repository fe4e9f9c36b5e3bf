"""A broker as another package may bring it: it has no broadcasts, and keeps messages in files."""

import os
import time
from pathlib import Path

from kombu.transport import TRANSPORT_ALIASES, filesystem, virtual
from kombu.utils.json import dumps


class Channel(filesystem.Channel):
    supports_fanout = False

    def _put(self, queue, payload, **_):
        """Put a message where it is looked for once it is whole: kombu's own may be fetched before that."""
        name = f"{time.monotonic_ns()}_{os.getpid()}.{queue}.msg"
        part = Path(self.control_folder, name)
        part.write_text(dumps(payload))
        part.rename(Path(self.data_folder_out, name))


class Transport(filesystem.Transport):
    Channel = Channel
    driver_type = "redis"  # as some say that are made for a server of its kind
    implements = virtual.Transport.implements.extend(exchange_type=frozenset(["direct", "topic"]))
    connections = 0
    """Made so far, in this process."""

    def establish_connection(self):
        Transport.connections += 1
        return super().establish_connection()


TRANSPORT_ALIASES["plain"] = f"{__name__}:Transport"


def in_files(folder):
    """Return transport options with which messages are kept in a folder, and looked for often."""
    folders = {name: str(folder / name) for name in ("queues", "control", "processed")}
    for path in folders.values():
        (folder / path).mkdir(parents=True, exist_ok=True)
    both = {"data_folder_in": folders["queues"], "data_folder_out": folders["queues"]}
    rest = {"control_folder": folders["control"], "processed_folder": folders["processed"], "polling_interval": 0.05}
    return {**both, **rest}
