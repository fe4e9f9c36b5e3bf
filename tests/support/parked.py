"""A waiting room in a Redis broker, filled over a connection of kombu's as a worker fills it, but without one."""

import contextlib
import json
from types import SimpleNamespace

import redis
from celery import Celery

from limitkit.buckets.decision import Bucket
from limitkit.buckets.partition import Partition, bucket_key, canonical
from limitkit.waiting.redis_room import RedisRoom
from limitkit.waiting.room import ORDER, ORDERS_A_SECOND, Leaving

PREFIX = "limitkit"
TURN = 7230.0
"""Seconds; as a length of time for people it stays the same while a test runs."""


class Filler:
    def __init__(self, app, channel, queues):
        self.app = app
        self.channel = channel
        self.room = RedisRoom(PREFIX, lambda: channel, lambda: queues)

    def park(self, limit, task, args=(), *, value=None, count=1, queue="celery", turn=TURN, **options):
        """Send so many messages of a task, receive them, and park them for one bucket; returns their ids."""
        partition = None if value is None else Partition(canonical(value))
        bucket = Bucket(bucket_key(PREFIX, limit, partition), limit.interval_us, limit.most)
        ids = []
        for _ in range(count):
            ids.append(self.app.send_task(task, args, queue=queue, **options).id)
            message = self.channel.basic_get(queue)
            self.room.park([Leaving(SimpleNamespace(message=message, acknowledged=False), queue, bucket, turn)])
        return ids


@contextlib.contextmanager
def filling(url, queues=("celery",), **conf):
    """Open a waiting room to fill it."""
    app = Celery("filler", broker=url, set_as_current=False)
    app.conf.update(conf, task_ignore_result=True)
    with app.connection_for_write() as connection:
        yield Filler(app, connection.default_channel, queues)
    app.close()


def age(url, seconds, prefix=""):
    """Have all that is parked wait for so much longer already."""
    units = seconds * ORDERS_A_SECOND
    with redis.Redis.from_url(url) as client:
        for line in client.keys(f"{prefix}{PREFIX}:waiting:line:*"):
            for place in client.zrange(line, 0, -1):
                bucket, order, tag = place.split(b"\0")
                client.zrem(line, place)
                client.zadd(line, {b"%s\0%016d\0%s" % (bucket, int(order) - units, tag): 0})
        messages = f"{prefix}{PREFIX}:waiting:messages"
        for tag, kept in client.hgetall(messages).items():
            place, _, text = kept.decode().partition("\n")
            message = json.loads(text)
            message["properties"][ORDER] = str(int(message["properties"][ORDER]) - units)
            client.hset(messages, tag, f"{place}\n{json.dumps(message)}")
