"""Says why a port can't be listened on, as a fact and a remedy; and writes an address as a URL."""

from __future__ import annotations

import errno
import socket
from typing import NamedTuple

from limitkit.config.wording import quote


class Fault(NamedTuple):
    """Why a port can't be listened on; ``of`` says which setting has to change."""

    fact: str
    hint: str
    of: str


def fault(error: OSError | UnicodeError, host: str, port: int | str) -> Fault:
    """Say what is wrong with a host or a port, from the error of an attempt to listen there."""
    if isinstance(error, (socket.gaierror, UnicodeError)):
        why = error.strerror if isinstance(error, OSError) else "it is not written as a name is"
        return Fault(f"the host {quote(host)} can't be found ({why})", _ADDRESS, "host")
    if error.errno == errno.EADDRNOTAVAIL:
        return Fault(f"{quote(host)} is not an address of this machine", _ADDRESS, "host")
    if error.errno == errno.EADDRINUSE:
        return Fault(f"the port {port} of {host} is taken", "name another", "port")
    if error.errno in (errno.EACCES, errno.EPERM):
        return Fault(f"this user may not listen on the port {port} of {host}", "name one above 1023", "port")
    return Fault(f"the port {port} of {host} can't be listened on ({error.strerror or error})", "name another", "port")


def url(host: str, port: int, path: str = "") -> str:
    """Write the URL of a host and a port; an IPv6 address is put in brackets."""
    return f"http://{f'[{host}]' if ':' in host else host}:{port}{path}"


_ADDRESS = "name an address of this machine, e.g. 127.0.0.1, or 0.0.0.0 for all of them"
