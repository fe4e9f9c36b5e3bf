import pytest
import redis
from support.rabbit import RabbitServer, need_rabbitmq
from support.servers import RedisServer


@pytest.fixture
def rabbit(tmp_path):
    """A RabbitMQ that a test may break."""
    need_rabbitmq()
    with RabbitServer(tmp_path / "rabbit") as server:
        yield server


@pytest.fixture
def broker(tmp_path):
    """A Redis that is both broker and store, unless a module has another."""
    with RedisServer(tmp_path) as broker:
        yield broker


@pytest.fixture
def client(broker):
    with redis.Redis.from_url(broker.url) as client:
        yield client
