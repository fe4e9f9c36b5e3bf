"""Nobody waits for a store longer than is said, however long the search for its servers takes."""

from __future__ import annotations

import os
import socket
import threading
import time
from contextlib import ExitStack, closing

import pytest

from limitkit.buckets.decision import Bucket, Take
from limitkit.errors import StoreError
from limitkit.stores.cluster import ClusterStore
from limitkit.stores.memory import MemoryStore
from limitkit.stores.redis import RedisStore
from limitkit.stores.time_bound import TimeBound

ASK = Take((Bucket("limitkit:test:aside", 3_600_000_000, 100),))


@pytest.fixture
def silent():
    """Addresses of servers that take connections and never answer."""
    with ExitStack() as stack:
        servers = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(20)]
        yield ",".join(f"127.0.0.1:{server.getsockname()[1]}" for server in servers)


class Slow(MemoryStore):
    """A store that answers when it may."""

    def __init__(self):
        super().__init__()
        self.may = threading.Event()
        self.begun = 0

    def take(self, takes, give_backs=(), *, now_us=None):
        self.begun += 1
        self.may.wait(20)
        return super().take(takes, give_backs, now_us=now_us)


@pytest.mark.parametrize(
    "make",
    [
        lambda hosts: RedisStore(f"sentinel://{hosts}/0?master=mymaster", 0.3),
        lambda hosts: ClusterStore(f"redis+cluster://{hosts}", 0.3),
    ],
    ids=["sentinel", "cluster"],
)
def test_a_search_that_takes_longer_is_not_waited_for(make, silent):
    with closing(TimeBound(make(silent), 0.3)) as store:
        begun = time.monotonic()
        with pytest.raises(StoreError, match=r"no answer within 0\.3 s"):
            store.take([ASK])
        assert 0.29 < time.monotonic() - begun < 4  # twenty servers would take 6 s


def test_what_nobody_waits_for_any_more_takes_no_tokens():
    slow = Slow()
    with closing(TimeBound(slow, 0.05)) as store:
        for _ in range(5):
            with pytest.raises(StoreError):
                store.take([ASK])
        slow.may.set()
        store._timeout = 20.0
        store.take([ASK])
        assert slow.begun <= 2


def test_a_forked_process_has_a_thread_of_its_own():
    with closing(TimeBound(MemoryStore(), 5.0)) as store:
        store.take([ASK])
        child = os.fork()
        if child == 0:
            status = 9
            try:
                status = len(store.take([ASK])[0].slots)
            finally:
                os._exit(status)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 1
        assert store.take([ASK])[0].slots == (0.0,)
