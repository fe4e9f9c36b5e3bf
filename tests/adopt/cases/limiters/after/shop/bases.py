from celery import Task


class MyBucket(Task):
    abstract = True
    tokens_per_second = 10.0
    bucket_size = 100
    rate_limit_key = None

    def _acquire(self):
        return self.redis.eval("", 1, self.rate_limit_key, self.tokens_per_second, self.bucket_size)

    @property
    def redis(self):
        return None

    def __call__(self, *args, **kwargs):
        while not self._acquire():
            time.sleep(0.1)
        return self.run(*args, **kwargs)


class StripeTask(MyBucket):
    rate_limit_key = "stripe"
    tokens_per_second = 25


class Busy(MyBucket):
    rate_limit_key = "busy"

    def on_failure(self, *args):
        log(args)


class ByUser(Task):
    abstract = True
    user_rate_limit = "10/m"

    def allow(self, who):
        return count(self.user_rate_limit, who)
