from celery import Celery
from elsewhere import TokenBucketTask

from .bases import Busy, ByUser, StripeTask
from .bases import MyBucket as Bucket

app = Celery("shop")


@app.task(bind=True)
def pay(self): ...


@app.task(queue="x")
def locate(): ...


class Refund(StripeTask):
    name = "refund"

    def run(self, order):
        return order


@app.task(base=Busy)
def busy(): ...


@app.task(base=TokenBucketTask, tokens_per_second=5)
def unknown_base(): ...


@app.task(bind=True)
def profile(self, payload: dict):
    """Show a profile."""
    # who asks?


@app.task(bind=True)
def export(this, user):
    return user


@app.task(base=ByUser, bind=True)
def too_late(self, user):
    log(user)
    if not self.allow(user):
        raise self.retry(countdown=60)


@app.task(base=ByUser, bind=True)
def drops(self, user):
    if not self.allow(user):
        return None
    return user


@app.task(base=ByUser, bind=True)
def never_asks(self, user):
    return user
