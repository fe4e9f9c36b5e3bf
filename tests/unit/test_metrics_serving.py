"""The port on which metrics are shown: one of a range, warned of when there is none, and never a pool process's."""

import logging
import os
import socket
import urllib.request

import pytest
from prometheus_client import CollectorRegistry, Counter

from limitkit.metrics import Collector, families
from limitkit.metrics.numbers import made
from limitkit.metrics.serving import serve


@pytest.fixture
def registry():
    registry = CollectorRegistry()
    Counter("seen", "Things seen.", registry=registry).inc()
    return registry


@pytest.fixture
def show(registry):
    servers, own = [], Collector()
    own.source = lambda: [made(families.DEGRADED, {(): 1.0})]
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
