"""A store that misbehaves while tasks are limited by it: no task fails, limits hold, and it heals by itself."""

import contextlib
import time
from collections import Counter
from itertools import pairwise

import pytest
import redis
from support.measure import excess, promised
from support.servers import RedisServer
from support.stalls import Stalls
from support.tls import TlsLink
from support.workers import Shop, wait_until

from limitkit import RateLimitManager
from limitkit.buckets.decision import Bucket, Take
from limitkit.errors import StoreError
from limitkit.stores.circuit_breaker import CircuitBreaker
from limitkit.stores.redis import RedisStore

RATE, BURST = 20, 5
NOISE = 1.0
"""Seconds by which a busy machine may be late, beside those in which it stood still."""
TOML = """
version = 1

[store]
url = "{url}"
on_error = "hold"
timeout = "1s"

[tasks.paid]
strategy = "token_bucket"
rate = "20/s"
burst = 5
"""
KEY = "limitkit:{task=paid}:g1"
LOST, BACK = "The store can't be asked", "The store answers again"
RIGHTS = ["+evalsha", "+script|load", "+get", "+set", "+del", "+time", "+info"]
LOOKS = ["+hget", "+hset", "+hdel", "+hgetall", "+hexists", "+zadd", "+zrem", "+zrange", "+zrangebyscore", "+pexpire"]
"""What the store's user must be allowed; docs/store.md says so."""


@pytest.fixture(scope="module")
def broker(tmp_path_factory):
    with RedisServer(tmp_path_factory.mktemp("broker")) as server:
        yield server


# -- a row of faults --------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def script_flush(store, admin, gone):
    admin.script_flush()
    yield


@contextlib.contextmanager
def connections_killed(store, admin, gone):
    assert admin.execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes") >= 2
    yield


@contextlib.contextmanager
def restarted(store, admin, gone, *, keep=True):
    admin.set("kept", 1)
    admin.shutdown(save=keep, nosave=not keep)
    store.process.wait(60)
    gone()
    if not keep:
        (store.folder / "dump.rdb").unlink(missing_ok=True)
    store.start()
    assert bool(admin.exists("kept")) == keep
    yield


def restarted_empty(store, admin, gone):
    return restarted(store, admin, gone, keep=False)


@contextlib.contextmanager
def paused(store, admin, gone):
    admin.client_pause(3000)
    gone()
    assert admin.ping()  # which has to wait, too
    yield


@contextlib.contextmanager
def read_only(store, admin, gone):
    admin.replicaof("127.0.0.1", "1")
    gone()
    admin.replicaof("NO", "ONE")
    yield


@contextlib.contextmanager
def out_of_memory(store, admin, gone):
    admin.config_set("maxmemory-policy", "noeviction")
    admin.config_set("maxmemory", 1)
    gone()
    admin.config_set("maxmemory", 0)
    yield


@contextlib.contextmanager
def evicting(store, admin, gone):
    admin.config_set("maxmemory-policy", "allkeys-lru")
    admin.config_set("maxmemory", 1)
    gone()
    assert not admin.exists(KEY)
    admin.config_set("maxmemory", 0)
    yield


@contextlib.contextmanager
def password_changed(store, admin, gone):
    admin.config_set("requirepass", "hunter2")
    admin.execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
    gone()
    admin.config_set("requirepass", "")
    yield


@contextlib.contextmanager
def clock_behind(store, admin, gone):
    """The bucket is as another server left it, whose clock was 30 s ahead of this one's."""
    seconds, micros = admin.time()
    admin.set(KEY, (seconds + 30) * 1_000_000 + micros, px=31_000)
    yield


FAULTS = {
    script_flush: 0,
    connections_killed: 0,
    restarted: 0,
    restarted_empty: 1,
    paused: 0,
    read_only: 0,
    clock_behind: 0,
    out_of_memory: 0,
    evicting: 1,
    password_changed: 0,
}
"""How often each of them loses the buckets' data."""


def said(workers, text):
    return Counter({worker: worker.output().count(text) for worker in workers})


def top_up(shop, sent, ahead=60):
    """See to it that so many are waiting."""
    lacking = len(shop.starts("paid")) + ahead - len(sent)
    if lacking > 0:
        sent += shop.send_many([("paid", ())] * lacking)


@pytest.mark.quiet
def test_a_row_of_faults_in_one_drain(broker, tmp_path):
    data = tmp_path / "store"
    data.mkdir()
    with contextlib.ExitStack() as stack:
        store = stack.enter_context(RedisServer(data, "--maxmemory-policy", "allkeys-lru"))
        admin = stack.enter_context(redis.Redis(port=store.port, single_connection_client=True, retry=None))
        shop = stack.enter_context(Shop(tmp_path, broker.url, TOML.format(url=store.url)))
        workers = shop.start_workers(2)
        stalls = stack.enter_context(Stalls())
        sent, ends = [], [time.monotonic()]
        top_up(shop, sent)
        shop.wait_for(20, "paid")
        for fault, losses in FAULTS.items():
            before = said(workers, LOST)
            seen = lambda before=before: any((said(workers, LOST) - before).values())  # noqa: E731
            with fault(store, admin, lambda seen=seen: wait_until(seen)):
                ended = time.monotonic()
            count = len(shop.times("paid"))
            top_up(shop, sent)
            wait_until(lambda: said(workers, BACK) == said(workers, LOST))
            # What was reserved before a fault starts in any case, within a second.
            shop.wait_for(count + (40 if fault is clock_behind else 10), "paid")
            times = shop.times("paid")
            since = [ended, *(at for at in times if at > ended)]
            gaps = [later - earlier - stalls.within(earlier, later) for earlier, later in pairwise(since)]
            assert max(gaps) < 2 + NOISE, fault.__name__
            stalled = stalls.within(ends[-1], time.monotonic())
            assert max((said(workers, LOST) - before).values(), default=0) <= 1 + stalled, fault.__name__
            here = [at for at in times if at > ends[-1]]
            assert excess(here, RATE) <= promised(RATE, BURST) + losses * BURST, fault.__name__
            ends.append(max(times))
        assert excess(shop.times("paid"), RATE) <= promised(RATE, BURST) + sum(FAULTS.values()) * BURST
        shop.wait_for(len(sent), "paid")
    assert sorted(start.id for start in shop.starts()) == sorted(sent), "each started, and none twice"
    assert {start.retries for start in shop.starts()} == {0}
    for worker in workers:
        assert worker.output().count("LK053 store.url: the store's maxmemory-policy is allkeys-lru") == 1
        for word in ("Traceback", "raised unexpected", "hunter2"):
            assert word not in worker.output()
    said_all = "".join(worker.output() for worker in workers)
    reasons = ("uthentica", "ResponseError: READONLY You", "ResponseError: OOM command", "Timeout", "refused")
    assert [reason for reason in reasons if reason not in said_all] == []


# -- who may ask ------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def guarded(tmp_path_factory):
    """A store that speaks TLS, and has one user, who has only the rights that are needed."""
    folder = tmp_path_factory.mktemp("guarded")
    with RedisServer(folder) as server, TlsLink(server.port, folder) as link:
        with redis.Redis(port=server.port) as admin:
            admin.execute_command("ACL", "SETUSER", "limitkit", "on", ">s3cret", "~limitkit:*", *RIGHTS, *LOOKS)
            admin.execute_command("ACL", "SETUSER", "blind", "on", ">s3cret", "~limitkit:*", *RIGHTS)
            admin.execute_command("ACL", "SETUSER", "default", "off")
        yield link


def address(link, password="s3cret", user="limitkit"):
    return f"rediss://{user}:{password}@127.0.0.1:{link.port}/0?ssl_ca_certs={link.cert}"


def test_tls_and_a_user_with_only_the_rights_it_needs(broker, guarded, tmp_path):
    with Shop(tmp_path, f"{broker.url[:-1]}1", TOML.format(url=address(guarded))) as shop:
        worker = shop.start_worker()
        shop.send_many([("paid", ())] * 30)
        shop.wait_for(30, "paid")
        assert excess(shop.times("paid"), RATE) <= promised(RATE, BURST)
        assert LOST not in worker.output()
        assert "s3cret" not in worker.output()
        RateLimitManager(shop.app, tmp_path / "ratelimits.toml").adjust_rate("paid", "7/s")
        worker.wait_for_output("tasks.paid has the rate 7/s now")


def test_a_user_that_may_not_see_what_is_set_keeps_the_limits_as_declared(broker, guarded, tmp_path):
    with Shop(tmp_path, f"{broker.url[:-1]}2", TOML.format(url=address(guarded, user="blind"))) as shop:
        worker = shop.start_worker()
        shop.send_many([("paid", ())] * 60)
        shop.wait_for(60, "paid")
        worker.wait_for_output("What is set at run time can't be seen (")
        assert excess(shop.times("paid"), RATE) <= promised(RATE, BURST)
        assert LOST not in worker.output()


@pytest.mark.parametrize(
    ("url", "said"),
    [
        (lambda link: address(link, "wr0ng"), "AuthenticationError: .*(WRONGPASS|invalid username-password)"),
        (lambda link: address(link).replace("ssl_ca_certs", "ssl_ca_path"), "certificate verify failed"),
        (lambda link: address(link).replace("limitkit:s3cret@", ""), "uthenticat"),
        (lambda link: f"redis://:s3cret@127.0.0.1:{link.port}/0", "ConnectionError: |TimeoutError: "),
    ],
    ids=["wrong password", "unknown certificate", "no password", "no TLS"],
)
def test_who_may_not_ask_is_told_why_without_the_password(guarded, url, said):
    timeout = 1.0 if url(guarded).startswith("redis:") else 10.0  # without TLS, each side waits for the other
    with (
        contextlib.closing(RedisStore(url(guarded), timeout)) as store,
        pytest.raises(StoreError, match=said) as caught,
    ):
        store.take([Take((Bucket(KEY, 1000, 1),))])
    assert "s3cret" not in str(caught.value)
    assert "wr0ng" not in str(caught.value)


# -- one fault at a time ----------------------------------------------------------------------------------------------


def test_a_bucket_that_was_evicted_is_full_again_and_no_take_fails(tmp_path):
    slow = Bucket("limitkit:{slow}:g1", 3_600_000_000, 3)
    with (
        RedisServer(tmp_path, "--maxmemory-policy", "allkeys-lru") as server,
        redis.Redis(port=server.port) as admin,
        contextlib.closing(CircuitBreaker(RedisStore(server.url, 5.0))) as store,
    ):
        assert store.evicts() == "allkeys-lru"
        store.take([Take((slow,), 3, 3)])
        admin.config_set("maxmemory", admin.info("memory")["used_memory"] + 2_000_000)
        for number in range(10_000):
            if not admin.exists(slow.key):
                break
            admin.set(f"junk {number}", "x" * 10_000)
        assert store.take([Take((slow,), 5, 5)])[0].slots == (0.0,) * 3
