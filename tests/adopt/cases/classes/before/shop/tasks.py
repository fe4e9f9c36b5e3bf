from celery import Celery, Task

from .bases import Slow

app = Celery("shop")


class Charge(Task):
    """Has a name."""

    name = "charge"
    rate_limit = "8/m"

    def run(self):
        return 1


class Refund(Task):
    rate_limit = 2
    def run(self): return 1


class Ping(Task): rate_limit = "1/s"; name = "ping"


app.register_task(Charge())
app.register_task(Refund())


@app.task(base=Slow)
def crawl(): ...


@app.task(base=Slow, rate_limit="1/h")
def index(): ...
