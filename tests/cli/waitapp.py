"""An app whose tasks wait; its broker is the one that the test names."""

import os
from functools import partial

from celery import Celery

import limitkit

app = Celery("waitapp", broker=os.environ.get("BROKER_URL", "memory://"), set_as_current=False)
limitkit.install(app, "waiting.toml")
task = partial(app.task, shared=False)  # for this app alone, or a second import would meet the first one's tasks


@task(name="shop.charge_customer")
def charge_customer(customer, card=None): ...


@task(name="shop.user_api_request")
def user_api_request(user_id): ...


@task(name="push.send")
def send_push(device): ...


@task(name="free")
def free(): ...
