from celery import Celery, shared_task
from celery_heimdall import HeimdallTask, RateLimit
from celery_throttle import CeleryThrottle
from limits import parse, storage, strategies
from pyrate_limiter import Limiter, Rate

limiter = strategies.MovingWindowRateLimiter(storage.MemoryStorage())
pl = Limiter(Rate(5, 1))

app = Celery("x")
throttle = CeleryThrottle(celery_app=app)
throttle.create_queue("10/1m:5", "mail")
q = throttle.create_queue(rate_limit="300/15m")


def send():
    throttle.submit_task("mail", "tasks.mail", 1, x=2)
    throttle.submit_task(q, "tasks.api")


@shared_task(base=HeimdallTask, heimdall={"rate_limit": RateLimit((2, 60))})
def download(customer_id): ...


@shared_task(
    base=HeimdallTask,
    heimdall={"unique": True, "rate_limit": RateLimit((2, 900)), "key": lambda args, kwargs: "charge"},
    bind=True,
)
def charge(self, customer_id): ...


@shared_task(base=HeimdallTask, heimdall={"times": 3, "per": 7, "key": "shared"})
def dl(): ...


@shared_task(
    base=HeimdallTask, heimdall={"rate_limit": RateLimit(lambda args: (1, 30)), "key": lambda a, k: f"c{a[0]}"}
)
def dyn(x): ...


@shared_task
def limited(x):
    if not limiter.hit(parse("1/s"), "x"):
        raise ValueError
    with pl.ratelimit("x"):
        pass
    pl.try_acquire("y")


@shared_task(base=HeimdallTask, heimdall={"unique": True})
def lock_only(): ...
