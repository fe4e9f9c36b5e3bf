from celery import Celery, Task

from .bases import Slow

app = Celery("shop")


class Charge(Task):
    """Has a name."""

    name = "charge"

    def run(self):
        return 1


class Refund(Task):
    def run(self): return 1


class Ping(Task): name = "ping"


app.register_task(Charge())
app.register_task(Refund())


@app.task(base=Slow)
def crawl(): ...


@app.task(base=Slow)
def index(): ...
