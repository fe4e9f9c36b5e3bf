"""Brokers of a scene: each says which messages it has, and how many came to its queues."""

import contextlib
import json
import re
from pathlib import Path

import redis
from kombu import Connection

from support.rabbit import RabbitServer
from support.servers import RedisServer

QUEUE = "celery"
_WAIT_QUEUES = "limitkit.wait."


class RedisBroker(RedisServer):
    """Redis, which knows what is unacknowledged and how many commands it was told."""

    conf = {}  # noqa: RUF012 (none changes it)

    def queued(self):
        """How many messages no worker has fetched yet."""
        with redis.Redis(port=self.port) as client:
            return client.llen(QUEUE)

    def waiting(self):
        """Return the ids of the messages that are queued or parked."""
        with redis.Redis(port=self.port) as client, client.pipeline() as at_once:
            messages, parked = at_once.lrange(QUEUE, 0, -1).hvals("limitkit:waiting:messages").execute()
        return {_id(json.loads(message)) for message in (*messages, *(kept.split(b"\n", 1)[1] for kept in parked))}

    def unacknowledged(self):
        """Return the ids of the messages that were delivered to some worker and not acknowledged."""
        with redis.Redis(port=self.port) as client:
            return {_id(json.loads(noted)[0]) for noted in client.hvals("unacked")}

    def arrived(self):
        """How many messages came to the queues, from wherever; those that were parked don't count again."""
        with redis.Redis(port=self.port) as client:
            return client.info("commandstats").get("cmdstat_lpush", {}).get("calls", 0)


class RabbitBroker(RabbitServer):
    """RabbitMQ with one kind of queue, ``classic`` or ``quorum``."""

    def __init__(self, folder, kind):
        super().__init__(folder)
        self.conf = {}
        if kind == "quorum":
            # Celery delays messages of quorum queues by topic exchanges.
            self.conf = {"task_default_queue_type": "quorum", "task_default_exchange_type": "topic"}
            self.conf |= {"broker_transport_options": {"confirm_publish": True}}

    def queued(self):
        """How many messages no worker has fetched yet."""
        return self._ready()[QUEUE]

    def waiting(self):
        """Return the ids of the messages that are queued or parked; no worker may run."""
        found = set()
        names = sorted(self._ready(), key=lambda name: name == QUEUE)  # the last one: what is parked goes there
        with Connection(self.url) as connection, connection.channel() as channel:  # all goes back as it closes
            for name in names:
                while message := channel.basic_get(name):
                    found.add(message.headers["id"])
        return found

    def unacknowledged(self):
        """Return nothing: what a lost connection has not acknowledged is queued again at once."""
        return set()

    def arrived(self):
        """How many messages came to the queues, from wherever; those that were parked don't count again."""
        # What was parked was published once more, and has expired by now or is still there.
        parked = sum(count for name, count in self._ready().items() if name != QUEUE)
        # A quorum queue counts as redelivered what was on its way to a consumer that was cancelled: nobody has got it.
        names = ["messages_received_total"] if self.conf else ["messages_received_total", "messages_redelivered_total"]
        counted = self._counted(*names)
        return counted - self._counted("messages_dead_lettered_expired_total") - parked

    def _counted(self, *names):
        each = ", ".join(f"maps:get({name}, Counters, 0)" for name in names)
        code = f"lists:sum(lists:append([[{each}] || Counters <- maps:values(rabbit_global_counters:overview())]))."
        return int(self.control("eval", code))

    def _ready(self):
        """Count what is in the tasks' queue and in those for what is parked; rabbitmqctl's own counts come late."""
        names = self.control("--quiet", "--no-table-headers", "list_queues", "name").split()
        with Connection(self.url) as connection, connection.channel() as channel:
            return {
                name: channel.queue_declare(name, passive=True).message_count
                for name in names
                if name == QUEUE or name.startswith(_WAIT_QUEUES)
            }


class FolderBroker:
    """A folder of files, over which workers have no event loop."""

    url = "filesystem://"

    def __init__(self, folder):
        self._queued, self._taken, control = (Path(folder) / name for name in ("queued", "taken", "control"))
        for each in (self._queued, self._taken, control):
            each.mkdir()
        both = {"data_folder_in": str(self._queued), "data_folder_out": str(self._queued)}
        kept = {"store_processed": True, "processed_folder": str(self._taken), "control_folder": str(control)}
        self.conf = {"broker_transport_options": both | kept}

    def __enter__(self):
        return self

    def __exit__(self, *_):
        """Leave the files: their folder is the scene's."""

    def queued(self):
        """How many messages no worker has fetched yet."""
        return len(self._files(self._queued))

    def waiting(self):
        """Return the ids of the messages that are queued; those with an ETA among them."""
        found = set()
        for file in self._files(self._queued):
            with contextlib.suppress(FileNotFoundError):
                found.add(_id(json.loads(file.read_bytes())))
        return found

    def unacknowledged(self):
        """Return nothing: workers alone know."""
        return set()

    def arrived(self):
        """How many messages came to the queue, from wherever; those that were parked, too: they wait in it."""
        return len({file.name for folder in (self._queued, self._taken) for file in self._files(folder)})

    def _files(self, folder):
        return [file for file in folder.iterdir() if re.fullmatch(rf"[^.]+\.{QUEUE}\.msg", file.name)]


def make_broker(name, folder):
    """Return the broker of this name: ``redis``, RabbitMQ with ``classic`` or ``quorum`` queues, or ``filesystem``."""
    if name == "redis":
        return RedisBroker(folder)
    if name == "filesystem":
        return FolderBroker(folder)
    return RabbitBroker(folder, name)


def _id(message):
    return message["headers"]["id"]
