"""The same task under other ways to limit it; the worker's ``RIVAL`` says which.

``page`` is the token bucket task of a page of Celery patterns, word for word but for the client: the page calls
``redis.asyncio`` from sync code, where ``bool(coroutine)`` is always true, so that as it stands it limits nothing.
"""

import os
import time

import redis
from celery import Task, signals
from support.shop import app, started

from benchmarks.compare import BURST, RATE, WORKERS


class TokenBucketTask(Task):
    """The page's base class."""

    abstract = True
    rate_limit_key = None
    tokens_per_second = 10.0
    bucket_size = 100
    _redis = None

    @property
    def redis(self):
        """Each process's own client."""
        if self._redis is None:
            self._redis = redis.from_url(os.environ["BROKER_URL"])
        return self._redis

    def acquire_token(self):
        """Take a token, or say that there is none."""
        key = f"rate_limit:{self.rate_limit_key}"
        now = time.time()
        script = """
        local key = KEYS[1]
        local now = tonumber(ARGV[1])
        local rate = tonumber(ARGV[2])
        local capacity = tonumber(ARGV[3])

        local bucket = redis.call('HMGET', key, 'tokens', 'last_update')
        local tokens = tonumber(bucket[1]) or capacity
        local last_update = tonumber(bucket[2]) or now

        local elapsed = now - last_update
        tokens = math.min(capacity, tokens + elapsed * rate)

        if tokens >= 1 then
            tokens = tokens - 1
            redis.call('HMSET', key, 'tokens', tokens, 'last_update', now)
            redis.call('EXPIRE', key, 3600)
            return 1
        end
        return 0
        """
        return bool(self.redis.eval(script, 1, key, now, self.tokens_per_second, self.bucket_size))

    def __call__(self, *args, **kwargs):  # noqa: D102 (the page has none)
        if not self.acquire_token():
            countdown = 2 ** min(self.request.retries, 6)
            raise self.retry(countdown=countdown)
        return super().__call__(*args, **kwargs)


def options(rival):
    page = {"base": TokenBucketTask, "rate_limit_key": "charge", "tokens_per_second": RATE, "bucket_size": BURST}
    if rival == "celery":
        return {"rate_limit": f"{RATE // WORKERS}/s"}
    if rival == "page":
        return page
    if rival == "page-endless":
        return {**page, "max_retries": None}
    if rival == "heimdall":
        from celery_heimdall import HeimdallTask, RateLimit  # noqa: PLC0415 (only this one needs it)

        heimdall = {"rate_limit": RateLimit((RATE, 1)), "key": lambda args, kwargs: "charge"}  # noqa: ARG005
        return {"base": HeimdallTask, "heimdall": heimdall}
    raise ValueError(rival)


@app.task(bind=True, name="charge", **options(os.environ["RIVAL"]))
def charge(self):
    started(self)


@signals.task_failure.connect(weak=False)
def lost(task_id=None, **_):
    """Log what has failed for good beside what has started, as a task of its own name."""
    with open(os.environ["START_LOG"], "ab", buffering=0) as log:  # noqa: PTH123 (one unbuffered write)
        log.write(f"{time.monotonic():.6f} lost {task_id} - 0 \n".encode())
