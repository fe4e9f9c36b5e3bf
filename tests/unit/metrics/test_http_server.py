"""However many connect and say nothing, or too much, others are answered, and few threads do it."""

import contextlib
import os
import socket
import struct
import threading
import time

import pytest
from support.workers import wait_until

from limitkit.metrics import http_server
from limitkit.metrics.http_server import BoundedServer

GET = b"GET / HTTP/1.1\r\nHost: here\r\n\r\n"
LARGE = b"x" * 30_000_000


@pytest.fixture
def serve():
    servers = []

    def serve(answer=b"hello"):
        def app(_, start_response):
            start_response("200 OK", [("Content-Type", "text/plain")])
            return [answer]

        server = BoundedServer("127.0.0.1", 0, app)
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        servers.append(server)
        return server

    yield serve
    for server in servers:
        server.shutdown()
        server.server_close()
    wait_until(lambda: not handling())


@pytest.fixture
def connect():
    with contextlib.ExitStack() as stack:
        yield lambda server: stack.enter_context(socket.create_connection(server.server_address, 20))


def handling():
    return [thread for thread in threading.enumerate() if "process_request_thread" in thread.name]


def ask(server, what=GET):
    with socket.create_connection(server.server_address, 20) as sock:
        sock.sendall(what)
        return everything(sock)


def everything(sock):
    got = bytearray()
    with contextlib.suppress(ConnectionError):
        while part := sock.recv(65_536):
            got += part
    return bytes(got)


@pytest.mark.parametrize("said", [b"", b"GET / HT", b"GET / HTTP/1.1\r\nHost: h\r\nX: "], ids=["no", "line", "headers"])
def test_those_who_say_no_more_give_way(serve, connect, said):
    server = serve()
    most = 0
    for _ in range(300):
        sock = connect(server)
        with contextlib.suppress(ConnectionError):
            sock.sendall(said)
        most = max(most, len(handling()))
    assert ask(server).endswith(b"hello")
    assert most < 2 * http_server._MOST <= 64  # a thread lives on for a moment when its connection has ended


def test_whoever_takes_long_to_ask_is_hung_up_on(serve, connect, monkeypatch):
    monkeypatch.setattr(http_server, "_REQUEST_TIMEOUT", 0.2)
    server = serve()
    silent, slow = connect(server), connect(server)
    slow.sendall(b"GET / HTTP/1.1\r\nX: ")
    with contextlib.suppress(ConnectionError):
        for _ in range(1000):  # a letter now and then, as if there were no end
            slow.sendall(b"y")
            time.sleep(0.02)
        pytest.fail("it was listened to for 20 s")
    assert everything(silent) == b""
    wait_until(lambda: not handling())


def test_whoever_does_not_take_the_answer_is_hung_up_on(serve, connect, monkeypatch, capfd):
    server = serve(LARGE)
    for _ in range(http_server._MOST):
        connect(server).sendall(GET)
    wait_until(lambda: len(server._answered) == http_server._MOST)
    assert ask(server) == b"", "more threads than there may be"
    monkeypatch.setattr(http_server, "_ANSWER_TIMEOUT", 0.2)
    wait_until(lambda: not handling())
    monkeypatch.undo()
    assert ask(server).endswith(LARGE)
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize(
    ("said", "status"),
    [
        (b"GET /" + b"a" * 70_000 + b" HTTP/1.1\r\n\r\n", b"414"),
        (b"GET / HTTP/1.1\r\n" + b"X: " + b"a" * 70_000 + b"\r\n\r\n", b"431"),
        (b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 101 + b"\r\n", b"431"),
        (b"GET / HTTP/1.1\r\n" + (b"X: " + b"a" * 50_000 + b"\r\n") * 3 + b"\r\n", b"431"),
        (b"nonsense\r\n\r\n", b"400"),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n", b"400"),
    ],
    ids=["line", "header", "headers", "in all", "nonsense", "tls"],
)
def test_too_much_and_nonsense_are_refused(serve, said, status, capfd):
    server = serve()
    answer = ask(server, said)
    assert status in answer[:600] or (status == b"431" and not answer)  # what was not read may reset the connection
    assert ask(server).endswith(b"hello")
    assert capfd.readouterr().err == ""


def test_a_body_is_not_waited_for(serve):
    assert b"hello" in ask(serve(), b"POST / HTTP/1.1\r\nContent-Length: 1000000\r\n\r\n")


def test_a_connection_is_closed_after_its_answer(serve):
    assert ask(serve(), GET + GET).count(b"hello") == 1


def test_a_forked_process_keeps_no_connection(serve, connect):
    server = serve()
    sock = connect(server)
    wait_until(lambda: len(server._incoming) == 1)
    out, into = os.pipe()
    pid = os.fork()
    if not pid:
        try:
            os.write(into, b"%d" % sum(each.fileno() != -1 for each in (server.socket, *server._incoming)))
        finally:
            os._exit(0)
    os.waitpid(pid, 0)
    assert os.read(out, 10) == b"0"
    os.close(out)
    os.close(into)
    sock.sendall(GET)
    assert everything(sock).endswith(b"hello")


def test_nothing_is_said_of_clients_that_are_gone(serve, connect, capfd):
    server = serve(LARGE)
    for said in (b"", b"GET / HT", GET):
        sock = connect(server)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        sock.sendall(said)
        wait_until(handling)
        sock.close()
        wait_until(lambda: not handling())
    assert capfd.readouterr().err == ""
