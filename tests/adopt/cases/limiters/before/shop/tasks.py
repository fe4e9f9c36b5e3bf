from celery import Celery
from elsewhere import TokenBucketTask

from .bases import Busy, ByUser, StripeTask
from .bases import MyBucket as Bucket

app = Celery("shop")


@app.task(base=StripeTask, bind=True)
def pay(self): ...


@app.task(base=Bucket, rate_limit_key="geo code", tokens_per_second=100 / 60, bucket_size=10, queue="x")
def locate(): ...


class Refund(StripeTask):
    name = "refund"

    def run(self, order):
        return order


@app.task(base=Busy)
def busy(): ...


@app.task(base=TokenBucketTask, tokens_per_second=5)
def unknown_base(): ...


@app.task(base=ByUser, bind=True)
def profile(self, payload: dict):
    """Show a profile."""
    # who asks?
    if not self.allow(payload["user"]["id"]):
        raise self.retry(countdown=60)


@app.task(base=ByUser, bind=True, user_rate_limit="3/h")
def export(this, user):
    if not this.allow(user.id):
        this.retry(countdown=60)
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
