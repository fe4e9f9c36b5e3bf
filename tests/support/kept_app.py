"""The shop's app with one task for each thing of Celery's that limits must not touch.

Each ``kept.…`` task has a bucket of its own (a pattern in the tests' TOML), ``plain.…`` tasks have no limit.
"""

import json
import os
import signal

from celery import Task, shared_task, signals

import limitkit
from support.shop import app, started


def described(request):
    """All that a task can see of its message, as JSON carries it."""
    return json.loads(json.dumps(vars(request), default=repr))


def flat(values):
    return sum(flat(value) if isinstance(value, (list, tuple, set)) else value for value in values)


def adding(name, **options):
    @app.task(bind=True, name=name, **options)
    def task(self, *values):
        started(self)
        return flat(values)


for _name in ("result", "chain", "group", "header", "body", "link", "linked"):
    adding(f"kept.{_name}")
for _name in ("eta", "countdown", "priority", "early", "after_install", "child", "forged", "serialized", "sent_back"):
    adding(f"kept.{_name}")
adding("kept.acks_late", acks_late=True)
adding("kept.ignoring", ignore_result=True)
for _name in ("slow.expiring", "slow.revoked", "slow.stamped", "static.add", "plain.add"):
    adding(_name)


def pacing_events(name):
    @app.task(bind=True, name=name)
    def task(self, *values, **named):
        started(self)
        return described(self.request)


for _name in ("kept.tell", "kept.old_protocol", "kept.compressed", "kept.told_back", "plain.tell"):
    pacing_events(_name)


@app.task(bind=True, name="kept.failing")
def failing(self):
    started(self)
    raise LookupError("nothing here")


@app.task(name="plain.collect")
def collect(values):
    return values


@app.task(bind=True, name="kept.recycled")
def recycled(self):
    started(self, os.getpid())


@app.task(name="plain.errback")
def errback(request, error, traceback):
    """Celery calls this one at once, where the task failed."""
    started(errback, f"{request.id} {error!r}")


@app.task(bind=True, name="kept.errback")
def sent_errback(self, failed_id):
    """Celery sends a message to this one, because it is bound."""
    started(self, failed_id)


@app.task(bind=True, name="kept.killed", acks_late=True, reject_on_worker_lost=True)
def killed(self):
    started(self)
    if not self.request.delivery_info["redelivered"]:
        os.kill(os.getpid(), signal.SIGKILL)
    return "survived"


@app.task(bind=True, name="kept.autoretry", autoretry_for=(Exception,), max_retries=2, default_retry_delay=0)
def autoretry(self, failures):
    started(self)
    if self.request.retries < failures:
        raise ValueError(f"failure {self.request.retries}")
    return self.request.retries


@app.task(bind=True, name="kept.retry", max_retries=2)
def retry(self):
    started(self)
    if self.request.retries < 2:
        raise self.retry(countdown=0)
    return described(self.request)


@app.task(bind=True, name="kept.parent")
def parent(self):
    started(self)
    return self.app.send_task("plain.tell", headers=self.request.headers).id


@app.task(bind=True, name="kept.bound")
def bound(self, user_id, *, greeting="hello"):
    started(self, user_id)
    return f"{greeting} {user_id}"


class ClassBased(app.Task):
    name = "kept.class_based"
    greeting = "hello"

    def run(self, name):
        started(self)
        return f"{self.greeting} {name}"


app.register_task(ClassBased())


class Calling(Task):
    def __call__(self, *args, **kwargs):
        return ["called", super().__call__(*args, **kwargs)]


class NotCallingUp(Task):
    def __call__(self, *args, **kwargs):
        started(self, "call")
        return ["not up", self.run(*args, **kwargs)]


@app.task(bind=True, name="kept.own_call", base=Calling)
def own_call(self, value):
    started(self)
    return value


@app.task(bind=True, name="kept.own_call_only", base=NotCallingUp)
def own_call_only(self, value):
    return value


@app.task(bind=True, name="plain.own_call", base=NotCallingUp)
def plain_own_call(self, value):
    return value


@shared_task(bind=True, name="kept.shared")
def shared(self, value):
    started(self)
    return value


@app.task(bind=True, name="kept.direct")
def direct(self, value):
    started(self)
    return value


@app.task(bind=True, name="plain.calling")
def calling(self, times):
    """Call a limited task from within a worker, in the two ways that send nothing."""
    called = [direct(number) for number in range(times)]
    return called + [direct.apply((number,)).get(disable_sync_subtasks=False) for number in range(times)]


@app.task(name="plain.attributes")
def attributes(name):
    task = app.tasks[name]
    return sorted(vars(task)) + [
        f"__call__ of {cls.__qualname__}" for cls in type(task).__mro__ if "__call__" in vars(cls)
    ]


class Odd(app.Task):
    """Has the key ``user_id`` by whatever way a message gives it."""

    name = "user.odd"

    def run(self, *_, note="", **__):
        started(self, note)


app.register_task(Odd())


@app.task(bind=True, name="hourly.user")
def hourly_user(self, user_id):
    started(self)


@app.task(bind=True, name="hourly.name")
def hourly_name(self, user_id):
    started(self)


@app.task(bind=True, name="user.default")
def user_default(self, user_id="nobody"):
    started(self, "default")


def register_late(**_):
    """Register tasks when the worker has been set up: what a late import does."""

    @app.task(bind=True, name="kept.late")
    def late(self, value):
        started(self)
        return value

    @shared_task(bind=True, name="kept.late_shared", autoretry_for=(ValueError,))
    def late_shared(self, value):
        started(self)
        return value

    class LateClass(app.Task):
        name = "kept.late_class"

        def run(self, value):
            started(self)
            return value

    app.register_task(LateClass())


# Sent after worker_init, in which limitkit looks at all tasks that are there.
signals.celeryd_after_setup.connect(register_late, weak=False)

if os.environ.get("INSTALL_LAST"):
    app.finalize()
limitkit.install(app)  # else once more, which changes nothing
