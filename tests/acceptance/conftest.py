import pytest
from support.servers import RedisServer
from support.workers import POOL, Shop

KEPT = """
version = 1

[tasks."kept.*"]
strategy = "token_bucket"
rate = "3/s"

[tasks."slow.*"]
strategy = "token_bucket"
rate = "20/m"

[tasks."static.*"]
strategy = "static"
rate = "3/s"

[tasks."kept.bound"]
strategy = "per_user"
rate = "3/s"
key = "user_id"

[tasks."hourly.user"]
strategy = "per_user"
rate = "1/h"
key = "user_id"
"""


@pytest.fixture(scope="module")
def redis(tmp_path_factory):
    """A Redis that is a module's broker, result backend and store."""
    with RedisServer(tmp_path_factory.mktemp("redis")) as server:
        yield server


@pytest.fixture(scope="module")
def make_kept(redis, tmp_path_factory):
    """Make the app of ``support.kept_app``, with results; each call has a database of its own for messages."""
    made = []

    def make(toml=KEPT, *, module="support.kept_app", env=None, **conf):
        number = 2 * len(made)
        broker, results = (redis.url[:-1] + str(number + each) for each in (0, 1))
        folder = tmp_path_factory.mktemp("kept")
        env = {"RESULT_URL": results, "C_FORCE_ROOT": "1", **(env or {})}
        made.append(Shop(folder, broker, toml, module=module, env=env, **conf))
        return made[-1]

    yield make
    for shop in made:
        shop.terminate()
    for shop in made:
        shop.__exit__()


@pytest.fixture(scope="module")
def kept(make_kept):
    """Two workers, and one with a single process that has the queue "single" alone, and fetches more of it."""
    shop = make_kept(accept_content=["json", "pickle"])
    workers = [shop.start_worker("-P", POOL, "-Q", "celery", wait=False) for _ in range(2)]
    options = ("-P", POOL, "-Q", "single", "--prefetch-multiplier", "16")
    single = shop.start_worker(*options, concurrency=1, name="single", wait=False)
    for worker in (*workers, single):
        worker.wait_ready()
    yield shop
    # Whatever the tests did, no attempt ran twice; a killed one does, and what is called directly has no id.
    once_more = {"kept.killed", "kept.direct", "plain.errback"}
    attempts = [(start.id, start.retries) for start in shop.starts() if start.task not in once_more]
    assert len(attempts) == len(set(attempts))
