"""Tasks in all the ways of writing them."""

import os
from functools import partial

from celery import Celery
from celery import shared_task as st

app = Celery("shop")
FAST = "10/s"
TWICE = "1/s"
TWICE = "2/s"
OPTIONS = {"rate_limit": "1/s"}
limited = app.task(rate_limit="1/s")
limited_too = partial(app.task, rate_limit="1/s")


@st(
    # kept
    # stays
    bind=True,  # stays, too
)
def constant(self): ...


@app.task(bind=True  # stays
          )
def decimal(self): ...


@app.task(name="mail.send", max_retries=3)
def named(): ...


@app.task
def number(): ...


@app.task(
    # stays
)
async def commented(): ...


@app.task
def computed(): ...


def called(): ...


called = app.task()(called)


@app.task(queue="slow",)
def trailing_comma(): ...


def make():
    @app.task
    def inner(): ...

    return inner


@app.task(rate_limit=TWICE)
def set_twice(): ...


@app.task(rate_limit=f"{os.environ['N']}/s")
def from_outside(): ...


@app.task(rate_limit="100/min")
def no_rate(): ...


@app.task(rate_limit="200000/s")
def too_fast(): ...


@app.task(rate_limit=None)
def none(): ...


@app.task(rate_limit=0)
def zero(): ...


@app.task(**OPTIONS)
def options(): ...


@limited
def by_alias(): ...


@app.task(rate_limit="1/s", name="twice")
def first(): ...


@app.task(rate_limit="2/s", name="twice")
def second(): ...


@app.task(rate_limit="5/s")
def changed(): ...


changed.rate_limit = "6/s"
app.control.rate_limit("mail.send", "5/s")
