from celery import Celery, Task
from celery_heimdall import HeimdallTask, RateLimit as Rate

from ours import buckets, users

app = Celery("shop")


class Bucket(Task):
    rate_limit_key = None
    tokens_per_second = 10.0
    bucket_size = 100

    def acquire_token(self):
        return buckets.take(self)

    def __call__(self, *args, **kwargs):
        if not self.acquire_token():
            raise self.retry(countdown=2)
        return super().__call__(*args, **kwargs)


class Users(Task):
    user_rate_limit = "10/m"

    def check_user_limit(self, user_id):
        return users.ask(self, user_id)


class Bare(Task):
    tokens_per_second = 10.0


@app.task
def charge(customer): ...


@app.task(bind=True)
def ask(self, user_id):
    return users.answer(user_id)


@app.task(base=Bare)
def read_by_others(): ...


@app.task
def report(): ...
