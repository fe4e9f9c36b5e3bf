"""The shop with two more queues whose messages nobody can have back: a broadcast, and one without acknowledgements."""

from kombu import Queue
from kombu.common import Broadcast

from support.shop import app

app.conf.task_queues = [Queue("celery"), Broadcast("shout"), Queue("told once", no_ack=True)]
