import pytest
from support.rabbit import RabbitServer, need_rabbitmq


@pytest.fixture
def rabbit(tmp_path):
    """A RabbitMQ that a test may break."""
    need_rabbitmq()
    with RabbitServer(tmp_path / "rabbit") as server:
        yield server
