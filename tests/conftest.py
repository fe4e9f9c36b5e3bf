import pytest
from celery import _state
from hypothesis import HealthCheck, settings

pytest.register_assert_rewrite("support")  # before any of it is imported: what it compares is shown then, too

from support.needed import needed
from support.rabbit import RabbitServer, need_rabbitmq
from support.sizes import examples
from support.skipped import note
from support.workers import Shop

Shop.warm = True
settings.register_profile(
    "patient",
    settings(),
    max_examples=examples(100),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("patient")


@pytest.fixture(autouse=True)
def shared_tasks_end_with_their_test():
    """Forget what a test has shared with all apps of its process: others count the tasks of theirs."""
    before = set(_state._on_app_finalizers)
    yield
    _state._on_app_finalizers.intersection_update(before)


@pytest.fixture(scope="session")
def rabbit(tmp_path_factory):
    """A RabbitMQ for all tests that leave it as it is."""
    need_rabbitmq()
    with RabbitServer(tmp_path_factory.mktemp("rabbit")) as server:
        yield server


@pytest.fixture(scope="session")
def need_promtool():
    """The path of promtool, which comes with Debian's package ``prometheus``."""
    return needed("promtool", package="prometheus")


@pytest.fixture(scope="session")
def need_prometheus():
    """The path of Prometheus."""
    return needed("prometheus", package="prometheus")


def pytest_runtest_logreport(report):
    note(report)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items):
    """Begin with the folders whose files take longest, else one of these may still run when all others are done."""
    items.sort(key=lambda item: item.path.parent.name not in {"acceptance", "faults"})
