"""Which store is used, with the configurations of real apps."""

from __future__ import annotations

import ssl
from contextlib import closing

import celery
import pytest
import redis
from support.given_clock import GivenClock

from limitkit.buckets.decision import Bucket, Take, Window
from limitkit.config.declared import Resets, StoreSettings
from limitkit.errors import StoreError
from limitkit.stores.choice import open_store, store_url
from limitkit.stores.circuit_breaker import CircuitBreaker
from limitkit.stores.memory import MemoryStore
from limitkit.stores.time_bound import TimeBound

NOT_GIVEN = StoreSettings(url=None, prefix="limitkit", timeout=0.25, on_error="allow")
TLS = {"ssl_cert_reqs": ssl.CERT_REQUIRED, "ssl_ca_certs": "/etc/ca.pem"}


def given(url):
    return StoreSettings(url=url, prefix="limitkit", timeout=0.25, on_error="allow")


def app(broker=None, **conf):
    made = celery.Celery("storechoice", broker=broker, set_as_current=False)
    made.conf.update(conf)
    return made


def inner(store):
    """The store itself, without what stands before it."""
    return inner(store.store) if hasattr(store, "store") else store


def connection_of(store):
    """What the store's connections are made with."""
    with closing(store), closing(inner(store)._make_client()) as client:
        return client.connection_pool.connection_kwargs


@pytest.mark.parametrize(
    "url",
    [
        "redis://given/1",
        "rediss://given/1",
        "unix:///given.sock",
        "memory://",
        "sentinel://given:26379/0?master=mymaster",
        "redis+cluster://given",
    ],
)
def test_the_file_comes_first(url):
    assert store_url(app("redis://broker/1", result_backend="redis://results/2"), given(url)) == url


@pytest.mark.parametrize(
    ("broker", "url"),
    [
        ("redis://", "redis://"),
        ("redis://broker:6380/3", "redis://broker:6380/3"),
        (
            "redis://user:secret@broker/3?health_check_interval=30",
            "redis://user:secret@broker/3?health_check_interval=30",
        ),
        ("rediss://broker:6380/3", "rediss://broker:6380/3"),
        ("redis://one/1;redis://two/2", "redis://one/1"),
        ("rediss://one/1;redis://two/2", "rediss://one/1"),
        ("redis+socket:///run/redis.sock", "unix:///run/redis.sock?db=0"),
        (["redis://one/1", "redis://two/2"], "redis://one/1"),
        ("redis+socket:///run/redis.sock?virtual_host=5", "unix:///run/redis.sock?db=5"),
        ("redis+socket:///run/redis.sock?virtual_host=/5", "unix:///run/redis.sock?db=5"),
        ("redis+socket://:secret@/run/redis.sock", "unix://:secret@/run/redis.sock?db=0"),
        ("rediss://broker/0?a=b&ssl_cert_reqs=CERT_REQUIRED", "rediss://broker/0?a=b&ssl_cert_reqs=required"),
    ],
)
def test_else_the_broker(broker, url):
    assert store_url(app(broker), NOT_GIVEN) == url
    assert store_url(app(broker, result_backend="redis://results/2"), NOT_GIVEN) == url


def test_the_broker_that_is_read_from_comes_before_the_one_that_is_written_to():
    assert (
        store_url(app(broker_read_url="redis://read/1", broker_write_url="redis://write/2"), NOT_GIVEN)
        == "redis://read/1"
    )


@pytest.mark.parametrize(
    "broker", ["amqp://broker//", "memory://", "sqs://", "sentinel://one:26379;sentinel://two:26379"]
)
@pytest.mark.parametrize(
    ("backend", "url"),
    [
        ("redis://results:6380/2", "redis://results:6380/2"),
        ("rediss://results/2?ssl_cert_reqs=required", "rediss://results/2?ssl_cert_reqs=required"),
        ("redis+socket:///run/results.sock?virtual_host=2", "unix:///run/results.sock?db=2"),
        ("socket:///run/results.sock", "unix:///run/results.sock?db=0"),
    ],
)
def test_else_the_result_backend(broker, backend, url):
    assert store_url(app(broker, result_backend=backend), NOT_GIVEN) == url


@pytest.mark.parametrize("backend", [None, "", "rpc://", "db+sqlite:///results.db", "cache+memory://"])
def test_else_there_is_none(backend):
    assert store_url(app("amqp://broker//", result_backend=backend), NOT_GIVEN) is None
    assert open_store(app("amqp://broker//", result_backend=backend), NOT_GIVEN) is None


def test_memory_is_a_store_of_this_process():
    assert isinstance(open_store(app("redis://broker"), given("memory://")), MemoryStore)


def test_memory_goes_by_the_clock_that_is_given_also_where_it_is_the_time_of_day():
    clock, resets = GivenClock(), Resets("clock", "clock", period_us=60_000_000)
    store = open_store(app(), given("memory://"), clock)
    bucket, window = Bucket("a", 5_000_000, 1), Window("b", 1, 1, period_us=60_000_000, resets=resets)
    waits = [store.take([Take((each,), 1)] * 2)[1].retry_after for each in (bucket, window)]
    assert waits == [5.0, 60.0 - clock.time() % 60]
    clock.sleep(4.0)
    assert store.take([Take((bucket,), 0)])[0].retry_after == 1.0
    look = store.run("look", (), (("", "", "", "", "")))
    assert look[1] == round(clock.time() * 1_000_000)


@pytest.mark.parametrize("url", ["redis://127.0.0.1:1/0", "redis+cluster://127.0.0.1:1"])
def test_a_server_that_failed_is_left_alone_by_the_clock_that_is_given(url):
    clock = GivenClock()
    with closing(open_store(app(), given(url), clock)) as store:
        for _ in range(2):
            with pytest.raises(StoreError):
                store.adapted(["a"])
        assert store._closed_until == 1001.0


def test_a_redis_store_has_the_timeout_and_database():
    made = connection_of(open_store(app(), given("redis://given:6380/4")))
    assert made["socket_timeout"] == made["socket_connect_timeout"] == 0.25
    assert (made["host"], made["port"], made["db"]) == ("given", 6380, 4)


def test_a_socket_is_opened_by_its_path():
    made = connection_of(open_store(app("redis+socket:///run/redis.sock?virtual_host=5"), NOT_GIVEN))
    assert (made["path"], made["db"]) == ("/run/redis.sock", 5)


def tls_of(store):
    return {key: value for key, value in connection_of(store).items() if key.startswith("ssl_")}


def test_the_brokers_tls_options_are_the_stores():
    assert tls_of(open_store(app("rediss://broker", broker_use_ssl=TLS), NOT_GIVEN)) == TLS


def test_the_result_backends_tls_options_are_the_stores():
    made = app("amqp://broker//", result_backend="rediss://results", redis_backend_use_ssl=TLS)
    assert tls_of(open_store(made, NOT_GIVEN)) == TLS


def test_a_broker_with_tls_options_speaks_tls_whatever_its_scheme():
    made = app("redis://broker:6380/1", broker_use_ssl=TLS)
    assert store_url(made, NOT_GIVEN) == "rediss://broker:6380/1"
    assert tls_of(open_store(made, NOT_GIVEN)) == TLS


def test_another_brokers_tls_options_are_not_for_redis():
    made = app("amqps://broker//", broker_use_ssl={"ca_certs": "/etc/ca.pem"}, result_backend="redis://results/2")
    assert store_url(made, NOT_GIVEN) == "redis://results/2"
    assert tls_of(open_store(made, NOT_GIVEN)) == {}


@pytest.mark.parametrize("word", ["CERT_OPTIONAL", "optional"])
def test_certificate_requirements_by_either_name(word):
    made = app("rediss://broker", broker_use_ssl={"ssl_cert_reqs": word})
    assert tls_of(open_store(made, NOT_GIVEN)) == {"ssl_cert_reqs": "optional"}


def test_a_store_of_its_own_has_its_own_tls_options():
    made = app("rediss://broker", broker_use_ssl=TLS)
    assert tls_of(open_store(made, given("rediss://given?ssl_cert_reqs=optional"))) == {"ssl_cert_reqs": "optional"}


@pytest.mark.parametrize("use_ssl", [True, None, False])
def test_tls_without_options_is_the_urls_own(use_ssl):
    assert tls_of(open_store(app("rediss://broker", broker_use_ssl=use_ssl), NOT_GIVEN)) == {}


# -- behind sentinels ------------------------------------------------------------------------------------------------


def sentinels_of(store):
    """The sentinels that are asked, and what their connections and the master's are made with."""
    with closing(store), closing(inner(store)._make_client()) as client:
        pool = client.connection_pool
        pools = [each.connection_pool.connection_kwargs for each in pool.sentinel_manager.sentinels]
        return [(each["host"], each["port"]) for each in pools], pools[0], pool.connection_kwargs, pool


def behind_sentinels(broker="sentinel://:secret@one:26380/3;sentinel://two", **options):
    return app(broker, broker_transport_options={"master_name": "my master", **options.pop("transport", {})}, **options)


def test_the_brokers_sentinels_are_the_stores():
    made = behind_sentinels(transport={"sentinel_kwargs": {"password": "other"}, "min_other_sentinels": 2})
    assert store_url(made, NOT_GIVEN) == "sentinel://:secret@one:26380,two/3?master=my%20master"
    hosts, to_sentinels, to_master, pool = sentinels_of(open_store(made, NOT_GIVEN))
    assert hosts == [("one", 26380), ("two", 26379)]
    assert (pool.service_name, pool.sentinel_manager.min_other_sentinels) == ("my master", 2)
    assert (to_master["password"], to_master["db"]) == ("secret", 3)
    assert to_sentinels["password"] == "other"
    for connection in (to_sentinels, to_master):
        assert connection["socket_timeout"] == connection["socket_connect_timeout"] == 0.25


def test_the_brokers_sentinels_have_its_tls_options_for_the_master():
    made = behind_sentinels(broker_use_ssl=TLS, transport={"sentinel_kwargs": {"ssl": True}})
    _, to_sentinels, to_master, pool = sentinels_of(open_store(made, NOT_GIVEN))
    assert to_master["ssl_ca_certs"] == "/etc/ca.pem"
    assert to_sentinels.get("ssl_ca_certs") is None
    assert issubclass(pool.connection_class, redis.SSLConnection)


def test_the_result_backends_sentinels_are_the_stores():
    made = app(
        "amqp://broker//",
        result_backend="sentinel://one:1/2;sentinel://two:2/2",
        result_backend_transport_options={"master_name": "results"},
    )
    assert store_url(made, NOT_GIVEN) == "sentinel://one:1,two:2/2?master=results"


def test_sentinels_of_the_file_have_options_of_their_own():
    url = "sentinel://user:s%40crit@one,two:2/4?master=m&sentinel_password=other&ssl=true&ssl_ca_certs=/ca.pem"
    hosts, to_sentinels, to_master, pool = sentinels_of(open_store(app(), given(url)))
    assert hosts == [("one", 26379), ("two", 2)]
    assert (to_master["username"], to_master["password"], to_master["db"]) == ("user", "s@crit", 4)
    assert to_master["ssl_ca_certs"] == "/ca.pem"
    assert issubclass(pool.connection_class, redis.SSLConnection)
    assert (to_sentinels["password"], to_sentinels.get("username")) == ("other", None)


@pytest.mark.parametrize("url", ["sentinel://one/0?master=m", "redis+cluster://one"])
def test_what_looks_for_its_servers_is_bounded_in_time(url):
    store = open_store(app(), given(url))
    assert isinstance(store, CircuitBreaker)
    assert isinstance(store.store, TimeBound)
    assert store.store._timeout == 0.25
