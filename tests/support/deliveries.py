"""Celery's requests as a worker has them: delivered by a real broker, and not acknowledged yet."""

import time
from collections import Counter

from celery import Celery
from celery.worker.request import Request
from celery.worker.strategy import proto1_to_proto2
from kombu import Consumer, Queue

from limitkit.buckets.decision import Bucket
from limitkit.waiting.room import Leaving

BUCKET = Bucket("paid", 1_000_000, 1)


def paid(*values):
    return values


class Deliveries:
    """The app of a sender, and the messages of one of its queues as they are delivered to one consumer."""

    def __init__(self, url, queue="celery", arguments=None, **conf):
        self.app = Celery("deliveries", broker=url, set_as_current=False)
        self.queue = Queue(queue, queue_arguments=arguments)
        self.app.conf.update(task_queues=[self.queue], task_default_queue=queue, **conf)
        self.task = self.app.task(name="paid", ignore_result=True, shared=False)(paid)
        self._received = []

    def __enter__(self):
        self.connection = self.app.connection_for_read()
        channel = self.connection.channel()
        # A quorum queue knows no window of the whole channel.
        channel.basic_qos(0, 1000, False)  # noqa: FBT003 (the channels name it differently)
        content = ["json", "pickle", "yaml"]
        callbacks = [lambda _, message: self._received.append(message)]
        self.consumer = Consumer(channel, [self.queue], callbacks=callbacks, accept=content, auto_declare=True)
        self.consumer.on_message = self._received.append
        self.consumer.consume()
        return self

    def __exit__(self, *_):
        self.connection.release()
        self.app.close()

    def send(self, *args, **options):
        return self.task.apply_async(args, **options).id

    def receive(self, count=1, timeout=60.0):
        """Wait for so many deliveries; returns their requests."""
        deadline = time.monotonic() + timeout
        while len(self._received) < count:
            assert time.monotonic() < deadline, f"{len(self._received)} of {count} deliveries in {timeout} s"
            try:
                self.connection.drain_events(timeout=0.2)
            except TimeoutError:
                continue
        taken, self._received[:] = self._received[:count], self._received[count:]
        return [self.request(message) for message in taken]

    def request(self, message):
        """Make what Celery's strategy makes of a message."""
        how = {"on_ack": message.ack_log_error, "app": self.app, "task": self.task}
        if isinstance(message.payload, dict):
            how |= zip(("body", "headers", "decoded", "utc"), proto1_to_proto2(message, message.payload), strict=True)
        return Request(message, **how)

    def counts(self, ids, done, timeout=60.0):
        """Receive and acknowledge until ``done``, given how often each message came; returns that."""
        counts = Counter()
        deadline = time.monotonic() + timeout
        while not done(counts):
            assert time.monotonic() < deadline, f"{counts} of {ids} in {timeout} s"
            try:
                (request,) = self.receive(timeout=0.5)
            except AssertionError:
                continue
            request.acknowledge()
            counts[request.id] += 1
        return counts

    def messages(self, queue):
        """How many messages lie in a queue, delivered to nobody."""
        with self.connection.channel() as channel:
            return channel.queue_declare(queue, passive=True).message_count


def leavers(requests, turn=1.0):
    return [Leaving(request, request.delivery_info["routing_key"], BUCKET, turn) for request in requests]
