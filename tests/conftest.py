import pytest
from support.rabbit import RabbitServer, need_rabbitmq
from support.workers import Shop

Shop.warm = True


@pytest.fixture(scope="session")
def rabbit(tmp_path_factory):
    """A RabbitMQ for all tests that leave it as it is."""
    need_rabbitmq()
    with RabbitServer(tmp_path_factory.mktemp("rabbit")) as server:
        yield server
