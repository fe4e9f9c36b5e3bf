"""Why a port can't be had, from real errors where they can be had anywhere, and what to do about it."""

import errno
import os
import socket

import pytest

from limitkit.metrics.bind_errors import fault, url


def refused(host, port=0):
    with pytest.raises((OSError, UnicodeError)) as caught:
        socket.create_server(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][4])
    return caught.value


def test_a_port_that_is_taken():
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        error = refused("127.0.0.1", port)
    assert fault(error, "127.0.0.1", port) == (f"the port {port} of 127.0.0.1 is taken", "name another", "port")


@pytest.mark.parametrize("host", ["203.0.113.1", "a..b", "x" * 80])
def test_a_host_that_is_none_of_this_machine(host):
    found = fault(refused(host), host, 9)
    assert found.of == "host"
    assert found.hint == "name an address of this machine, e.g. 127.0.0.1, or 0.0.0.0 for all of them"
    assert found.fact.startswith(('"203.0.113.1" is not an address of this machine', f'the host "{host[:50]}'))


def test_a_host_that_has_no_address():
    found = fault(socket.gaierror(socket.EAI_NONAME, "Name or service not known"), "no.such\x1b.host", 9)
    assert found.fact == 'the host "no.such\\u001B.host" can\'t be found (Name or service not known)'


@pytest.mark.parametrize(
    ("number", "fact"),
    [
        (errno.EACCES, "this user may not listen on the port 80 of 127.0.0.1"),
        (errno.EMFILE, "the port 80 of 127.0.0.1 can't be listened on (Too many open files)"),
    ],
)
def test_what_else_may_be_wrong_with_a_port(number, fact):
    found = fault(OSError(number, os.strerror(number)), "127.0.0.1", 80)
    assert (found.fact, found.of) == (fact, "port")


@pytest.mark.parametrize(("host", "shown"), [("::1", "http://[::1]:9/metrics"), ("h", "http://h:9/metrics")])
def test_an_address_as_a_url(host, shown):
    assert url(host, 9, "/metrics") == shown
