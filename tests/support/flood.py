"""Sends a hundred thousand messages in seconds: Celery makes one for each task, and the others are its copies."""

import json
import time
import uuid
from base64 import b64encode

import redis
from celery import Celery

QUEUE = "celery"
_ASIDE = "flood"
_AT_ONCE = 1000


def flood(scene, batches):
    """Send (task, args) pairs so that workers see all of them at one moment, which is returned; the queue is empty."""
    made = {}
    with redis.Redis(port=scene.broker.port) as client:
        pipe = client.pipeline(transaction=False)
        for number, (task, args) in enumerate(batches, 1):
            message = made[task] if task in made else made.setdefault(task, _made(task))
            id_ = str(uuid.uuid4())
            scene.sent[id_] = 0.0
            message["headers"] |= {"id": id_, "root_id": id_, "argsrepr": repr(args)}
            message["properties"] |= {"correlation_id": id_, "delivery_tag": str(uuid.uuid4())}
            message["body"] = b64encode(json.dumps([args, {}, _EMBED]).encode()).decode()
            pipe.lpush(_ASIDE, json.dumps(message))
            if number % _AT_ONCE == 0:
                pipe.execute()
        pipe.execute()
        at = time.monotonic()
        assert client.renamenx(_ASIDE, QUEUE), "the queue is not empty"
    scene.sent.update(dict.fromkeys(scene.sent, at))
    return at


_EMBED = {"callbacks": None, "errbacks": None, "chain": None, "chord": None}


def _made(task):
    """Return a message as kombu's virtual transports write it, Redis's among them."""
    app = Celery("flood", broker="memory://", set_as_current=False)
    app.send_task(task, queue=_ASIDE)
    with app.connection_for_write() as connection:
        message = connection.default_channel._get(_ASIDE)
    message["properties"]["delivery_info"]["routing_key"] = QUEUE
    app.close()
    return message
