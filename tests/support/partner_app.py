"""The shop with tasks that call a partner over HTTP, each as its author might have written it: none knows of limits."""

import os
import urllib.error
import urllib.request

from celery import Task

from support.shop import app, started


def ask(path):
    with urllib.request.urlopen(os.environ["PARTNER_URL"] + path, timeout=30) as answer:
        return answer.status


@app.task(bind=True, name="call")
def call(self):
    started(self)
    return ask("call")


@app.task(bind=True, name="call.autoretry", autoretry_for=(OSError,), max_retries=1, default_retry_delay=0)
def autoretry(self):
    started(self)
    return ask("call.autoretry")


@app.task(bind=True, name="call.retry", max_retries=1)
def retry(self):
    started(self)
    try:
        return ask("call.retry")
    except urllib.error.HTTPError as error:
        raise self.retry(exc=error, countdown=0) from error


@app.task(bind=True, name="call.caused", acks_late=True)
def caused(self):
    started(self)
    try:
        return ask("call.caused")
    except urllib.error.HTTPError as error:
        raise RuntimeError("the partner does not answer") from error


class Called(Task):
    name = "call.class"

    def __call__(self, *args, **kwargs):
        return super().__call__(*args, **kwargs)

    def run(self):
        started(self)
        return ask("call.class")


app.register_task(Called())


@app.task(bind=True, name="goes.on", autoretry_for=(OSError,), max_retries=1, default_retry_delay=0)
def goes_on(self):
    started(self)
    return ask("goes.on")


@app.task(bind=True, name="few.autoretry", autoretry_for=(OSError,), max_retries=1, default_retry_delay=0)
def few(self):
    """Say what the task can see of its message."""
    started(self, "seen" if "limitkit_resent" in repr(vars(self.request)) else "")
    return ask("few.autoretry")


@app.task(bind=True, name="out.of.money", autoretry_for=(OSError,), max_retries=1, default_retry_delay=0)
def out_of_money(self):
    started(self)
    return ask("out.of.money")


@app.task(bind=True, name="hostile")
def hostile(self):
    started(self)
    raise ValueError("a" * 1500 + "!")


@app.task(bind=True, name="call.user")
def call_user(self, user_id):
    started(self, user_id)
    return ask(f"call.user/{user_id}")
