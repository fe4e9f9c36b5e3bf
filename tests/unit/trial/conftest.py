from contextlib import closing

import pytest
import redis
from support.needed import missing
from support.servers import RedisServer, redis_binary


@pytest.fixture(scope="session")
def real(tmp_path_factory):
    """A client of a real Redis of its own."""
    if redis_binary() is None:
        missing("redis-server", "redis-server")
    with (
        RedisServer(tmp_path_factory.mktemp("redis")) as running,
        closing(redis.Redis.from_url(running.url)) as client,
    ):
        yield client
