"""The shop's app with queues of every kind of exchange, and tasks whose classes have their own way of being sent.

Each ``routed.…`` task has a bucket of its own (a pattern in the tests' TOML), ``feedback.…`` tasks meet a refusal once.
"""

import json
import os
from pathlib import Path

from celery_once import QueueOnce
from celery_singleton import Singleton
from kombu import Exchange, Queue

from support.shop import app, started

URL, LOCKS = os.environ["BROKER_URL"], os.environ["LOCKS_URL"]
TOPIC, DIRECT, FANOUT, HEADERS = (Exchange(f"an.{kind}", kind) for kind in ("topic", "direct", "fanout", "headers"))
BOUND = {
    "topic": [Queue("topic.some", TOPIC, "a.#"), Queue("topic.all", TOPIC, "#")],
    "direct": [Queue("direct.one", DIRECT, "x"), Queue("direct.two", DIRECT, "x")],
    "fanout": [Queue("fanout.one", FANOUT, "y"), Queue("fanout.two", FANOUT, "y")],
    "headers": [
        Queue(f"headers.{name}", HEADERS, binding_arguments={"x-match": "all", "for": "all"}) for name in ("one", "two")
    ],
}
if not URL.startswith("amqp"):  # kombu's other transports have no exchange by headers, and fanout without queues
    del BOUND["headers"], BOUND["fanout"]

app.conf.update(
    task_queues=[Queue("celery"), *(queue for queues in BOUND.values() for queue in queues)],
    accept_content=["json", "pickle"],
    singleton_backend_url=LOCKS,
    ONCE={"backend": "celery_once.backends.Redis", "settings": {"url": LOCKS, "default_timeout": 600}},
)


def tell(task, number, *values):
    """Note what a task sees of its message."""
    request = task.request
    route = {name: request.delivery_info[name] for name in ("exchange", "routing_key")}
    seen = {"number": number, "values": repr(values), "eta": request.eta, "headers": request.headers, **route}
    started(task, json.dumps(seen))


for _name in (*BOUND, "pickled"):
    app.task(bind=True, name=f"routed.{_name}")(tell)
app.task(bind=True, name="routed.singleton", base=Singleton)(tell)
app.task(bind=True, name="routed.once", base=QueueOnce, once={"graceful": True})(tell)


@app.task(bind=True, name="feedback.topic")
def refused(self, number):
    """Meet a refusal, the first time that this message comes from this queue."""
    met = Path(os.environ["START_LOG"]).with_name(f"met-{number}")
    try:
        with met.open("x"):
            pass
    except FileExistsError:
        tell(self, number)
    else:
        raise ConnectionAbortedError("slow down")


@app.task(name="send")
def send(count):
    """Send what only its own class can send."""
    for number in range(count):
        for name in ("singleton", "once"):
            app.tasks[f"routed.{name}"].delay(number)
