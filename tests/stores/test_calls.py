"""Scripts are called on connections that stay at hand: none that is broken, or owes an answer, is used again."""

from __future__ import annotations

import signal
import threading
from contextlib import closing, contextmanager
from typing import ClassVar
from uuid import uuid4

import pytest
import redis

from limitkit.buckets.decision import Bucket, Take
from limitkit.stores.redis import RedisStore

HOUR_US = 3_600_000_000


def bucket(burst=1):
    return Bucket(f"test:{{{uuid4().hex}}}", HOUR_US, burst)


def left(store, asked):
    """Peek: how many starts a bucket of one token admits now."""
    (decision,) = store.take([Take((asked,), 0)])
    return int(decision.waits == (0.0,))


def ids(admin, name):
    return [client["id"] for client in admin.client_list() if client["name"] == name]


def test_calls_share_a_connection(server, admin):
    with closing(RedisStore(server.url, 5.0, client_name="shares")) as store:
        for _ in range(3):
            store.take([Take((bucket(),))])
            store.note("test:{workers}", "me")
        assert len(ids(admin, "shares")) == 1


def test_a_connection_that_was_closed_meanwhile_is_not_used(server, admin):
    with closing(RedisStore(server.url, 5.0, client_name="closed")) as store:
        store.take([Take((bucket(),))])
        for each in ids(admin, "closed"):
            admin.client_kill_filter(_id=each)
        assert store.take([Take((bucket(),))])[0].slots == (0.0,)


class _InterruptedError(BaseException):
    """As a task's soft time limit ends it: anywhere."""


@contextmanager
def interrupted(after):
    def interrupt(*_):
        raise _InterruptedError

    before = signal.signal(signal.SIGALRM, interrupt)
    signal.setitimer(signal.ITIMER_REAL, after)
    try:
        with pytest.raises(_InterruptedError):
            yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def test_an_answer_that_nobody_waited_for_is_not_the_next_ones(server, admin):
    spent, full = bucket(), bucket()
    with closing(RedisStore(server.url, 60.0)) as store:
        store.take([Take((spent,))])
        admin.execute_command("CLIENT", "PAUSE", 600_000, "WRITE")
        try:
            with interrupted(0.1):
                left(store, spent)
            threading.Timer(0.3, lambda: admin.execute_command("CLIENT", "UNPAUSE")).start()
            assert left(store, full) == 1, "that was the answer for the other bucket"
        finally:
            admin.execute_command("CLIENT", "UNPAUSE")


def test_an_answer_to_the_greeting_is_not_the_next_ones(server, admin):
    ends = iter([True])

    def greet(connection):
        connection.on_connect()
        if next(ends, False):
            connection.send_command("ECHO", "0 5000000 1")  # what a take might answer
            raise _InterruptedError

    with closing(RedisStore(server.url, 5.0, redis_connect_func=greet)) as store:
        with pytest.raises(_InterruptedError):
            left(store, bucket())
        admin.ping()  # by now the echo has come
        assert left(store, bucket()) == 1


class _Connection(redis.Connection):
    made: ClassVar[list[_Connection]] = []
    ends = False

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.made.append(self)

    def can_read(self, *args):
        if self.ends:
            raise _InterruptedError
        return super().can_read(*args)


@pytest.fixture
def made():
    _Connection.made.clear()
    return _Connection.made


def test_a_look_that_ends_early_costs_no_connection(server, made):
    with closing(RedisStore(f"{server.url}?max_connections=1", 5.0, connection_class=_Connection)) as store:
        assert left(store, bucket()) == 1
        made[0].ends = True
        with pytest.raises(_InterruptedError):
            left(store, bucket())
        made[0].ends = False
        assert left(store, bucket()) == 1


def test_a_server_that_moves_is_followed(server, admin, made):
    with closing(RedisStore(server.url, 5.0, client_name="moves", connection_class=_Connection)) as store:
        assert left(store, bucket()) == 1
        before = ids(admin, "moves")
        for each in made:  # as redis-py does when a server says that it moves
            if hasattr(each, "mark_for_reconnect"):
                each.mark_for_reconnect()
        for _ in range(2):
            assert left(store, bucket()) == 1
        assert (ids(admin, "moves") != before) == hasattr(_Connection, "mark_for_reconnect")


def test_an_address_may_allow_one_connection(server):
    asked = bucket()
    with closing(RedisStore(f"{server.url}?max_connections=1", 5.0)) as store:
        store.take([Take((asked,))])
        assert store.evicts() == ""
        store.take([Take((asked,))])
        assert store.adapted([asked.key]) == [None]
        store.take([Take((asked,))])
        assert store.refill(asked.key, partitions=False) == 1
        assert left(store, asked) == 1


def test_threads_have_connections_of_their_own(server):
    spent, full = bucket(), bucket()
    wrong = []
    with closing(RedisStore(server.url, 60.0)) as store:
        store.take([Take((spent,))])

        def ask(asked, right):
            wrong.extend(found for _ in range(200) if (found := left(store, asked)) != right)

        threads = [threading.Thread(target=ask, args=pair) for pair in [(spent, 0), (full, 1)] * 4]
        for each in threads:
            each.start()
        for each in threads:
            each.join()
    assert wrong == []
