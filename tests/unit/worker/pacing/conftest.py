import pytest
from support.virtual_worker import Worker


@pytest.fixture
def make_worker(monkeypatch):
    def make(*, size=2, prefetch=8, grows=True):
        return Worker(monkeypatch, size=size, prefetch=prefetch, grows=grows)

    return make
