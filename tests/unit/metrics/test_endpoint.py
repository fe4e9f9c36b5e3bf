"""The port on which metrics are shown: one of a range, warned of when there is none, and never a pool process's."""

import gzip
import logging
import os
import socket
import urllib.request
from urllib.parse import urlencode

import pytest
from prometheus_client import CollectorRegistry, Counter, generate_latest
from prometheus_client.openmetrics.exposition import generate_latest as generate_openmetrics
from prometheus_client.openmetrics.parser import text_string_to_metric_families
from support.scrape import Scrape

from limitkit.metrics import families
from limitkit.metrics import registry as registries
from limitkit.metrics.counters import Numbers, made
from limitkit.metrics.endpoint import serve
from limitkit.metrics.registry import Collector


@pytest.fixture
def registry():
    registry = CollectorRegistry()
    Counter("seen", "Things seen.", registry=registry).inc()
    return registry


@pytest.fixture
def show(registry):
    numbers = Numbers()
    numbers.add(families.HITS, "shop.charge")
    numbers.add(families.OUTCOMES, "shop.charge", "held")
    numbers.observe(families.WAITS, 3.0, "shop.charge")
    servers, own = [], Collector(families.WORKER)
    own.source = lambda: [
        made(families.DEGRADED, {(): 1.0}),
        numbers.shown(families.FEEDBACK),
        *(numbers.shown(each) for each in (families.HITS, families.OUTCOMES, families.WAITS)),
    ]
    registry.register(own)

    def show(host, ports):
        server = serve(host, ports, registry, own)
        if server is not None:
            servers.append(server)
        return server

    yield show
    for server in servers:
        server.shutdown()
        server.server_close()


def taken():
    sock = socket.create_server(("127.0.0.1", 0))
    return sock, sock.getsockname()[1]


def test_the_first_that_is_free(show):
    sock, port = taken()
    with sock:
        server = show("127.0.0.1", range(port, min(port + 20, 65536)))
        assert server.server_port > port
        with urllib.request.urlopen(f"http://127.0.0.1:{server.server_port}/metrics") as answer:
            text = answer.read().decode()
        assert "seen_total 1.0" in text
        assert text.count("celery_rate_limit_degraded 1.0") == 1
        with urllib.request.urlopen(f"http://127.0.0.1:{server.server_port}/metrics?name[]=other") as answer:
            assert answer.read() == b""


def test_no_port_is_a_warning(show, caplog):
    sock, port = taken()
    with sock, caplog.at_level(logging.WARNING, "limitkit"):
        assert show("127.0.0.1", [port]) is None
        assert show("no.such.host.invalid", [port]) is None
    assert [record.action for record in caplog.records] == ["metrics_not_shown"] * 2
    assert f"Metrics can't be shown on 127.0.0.1, port {port} (Address already in use)" in caplog.text


def test_a_forked_process_does_not_keep_the_port(show):
    server = show("127.0.0.1", range(20000, 60000))
    out, into = os.pipe()
    pid = os.fork()
    if not pid:
        try:
            os.write(into, b"closed" if server.socket.fileno() == -1 else b"open")
        finally:
            os._exit(0)
    os.waitpid(pid, 0)
    assert os.read(out, 10) == b"closed"
    assert server.socket.fileno() != -1
    os.close(out)
    os.close(into)


@pytest.fixture
def port(show):
    return show("127.0.0.1", range(20000, 60000)).server_port


def get(port, query=(), method="GET", **headers):
    url = f"http://127.0.0.1:{port}/metrics?{urlencode(query)}"
    with urllib.request.urlopen(urllib.request.Request(url, method=method, headers=headers), timeout=10) as answer:
        return answer.headers, answer.read()


NAMES = [
    *(each.shown for each in families.WORKER if each.kind != "histogram"),
    *(each.name + suffix for each in families.WORKER for suffix in ("", "_bucket", "_sum", "_count", "_created")),
    "seen_total",
    "nobody_has_this",
]


def test_metrics_are_found_by_name_as_prometheus_client_finds_them(port, registry):
    for names in (*([name] for name in NAMES), NAMES, ["celery_rate_limit_degraded", "nobody_has_this", "seen_total"]):
        _, found = get(port, [("name[]", name) for name in names])
        assert found == generate_latest(registry.restricted_registry(names)), names


def test_found_by_name_there_is_something(port):
    for name in ("degraded", "hits_total", "wait_seconds_bucket", "wait_seconds_sum"):
        assert get(port, {"name[]": f"celery_rate_limit_{name}"})[1]


def test_head_is_get_without_the_body(port):
    wanted, body = get(port)
    headers, nothing = get(port, method="HEAD")
    assert (headers["Content-Length"], headers["Content-Type"]) == (str(len(body)), wanted["Content-Type"])
    assert nothing == b""
    assert get(port, {"name[]": "seen_total"}, method="HEAD")[1] == b""


def test_it_is_compressed_for_whom_that_suits(port):
    headers, body = get(port, **{"Accept-Encoding": "gzip"})
    assert headers["Content-Encoding"] == "gzip"
    assert Scrape(gzip.decompress(body).decode()) == Scrape(get(port)[1].decode())


def test_openmetrics_for_whom_asks_for_it(port, registry):
    headers, body = get(port, Accept="application/openmetrics-text; version=1.0.0,text/plain;q=0.5")
    assert headers["Content-Type"].startswith("application/openmetrics-text")

    def read(text):
        return {
            each.name: (each.type, each.documentation, each.samples) for each in text_string_to_metric_families(text)
        }

    assert read(body.decode()) == read(generate_openmetrics(registry).decode())


def test_metrics_of_the_app_with_the_same_names_are_warned_of(registry, caplog, monkeypatch):
    monkeypatch.setattr(registries, "_shown_in", [])
    Counter("celery_rate_limit_hits", "As on a page of patterns.", ["task_name"], registry=registry)
    with caplog.at_level(logging.WARNING, "limitkit"):
        registries.show_in(registry)
        registries.show_in(registry)
    (said,) = caplog.messages
    assert said.startswith("The app has metrics of the same names as limitkit's (Duplicated timeseries")
    monkeypatch.setattr(registries.COLLECTOR, "source", lambda: [made(families.DEGRADED, {(): 1.0})])
    assert b"celery_rate_limit_degraded 1.0" in generate_latest(registry)
