"""Checks the options in an address: whether the installed redis-py accepts each of them, with its value.

redis-py reports some wrong options with the first connection, some with the first command, and some never. Here all are
reported before that, by the option's name; its value is never shown.
"""

from __future__ import annotations

import codecs
import inspect
import math
import os
import re
import ssl
import warnings
from typing import TYPE_CHECKING, Any, Final, cast
from urllib.parse import unquote_plus, urlencode

import redis
from redis import cluster, connection

from limitkit.config.model.env_values import Expanded
from limitkit.config.model.store_url import MASTER, options
from limitkit.config.wording import listed, quote, suggest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

Fault = tuple[str, str]
"""Fact and hint."""

_OF_SENTINELS: Final = "sentinel_"
_YES, _NO = ("true", "yes", "1", "t", "y"), ("false", "no", "0", "f", "n")
_COMMAND: Final = "EVALSHA azAZ09:{}-_."
_LONGEST: Final = 86_400
_TLS: Final = "ssl"
_BY_OPTION: Final = ("sentinel", "redis+cluster")
"""Schemes that use TLS with ``ssl=true``."""
_FILES: Final = ("ssl_ca_certs", "ssl_ca_path", "ssl_certfile", "ssl_keyfile")
_READ: Final = frozenset(
    {
        *("db", "socket_timeout", "socket_connect_timeout", "socket_keepalive", "socket_read_size", "max_connections"),
        *("retry_on_timeout", "health_check_interval", "legacy_responses", "ssl_check_hostname", "ssl_min_version"),
    }
)
"""Numbers and flags that need a redis-py which converts them; older versions leave some of them texts."""


def _number(least: int, most: int) -> Callable[[str], bool]:
    return lambda text: re.fullmatch("[0-9]{1,10}", text) is not None and least <= int(text) <= most


def _seconds(text: str) -> bool:
    try:
        return text.isascii() and "_" not in text and 0 < float(text) <= _LONGEST and not math.isnan(float(text))
    except ValueError:
        return False


def _flag(text: str) -> bool:
    return text.lower() in (*_YES, *_NO)


def _encoding(text: str) -> bool:
    """Say whether Redis can read commands in this encoding: it could not read UTF-16, for example."""
    try:
        return _COMMAND.encode(text) == _COMMAND.encode()
    except (LookupError, ValueError, TypeError):
        return False


def _handler(text: str) -> bool:
    try:
        return codecs.lookup_error(text) is not None
    except (LookupError, ValueError):
        return False


def _name(text: str) -> bool:
    return re.fullmatch("[!-~]+", text) is not None


def _ciphers(text: str) -> bool:
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).set_ciphers(text)
    except (ssl.SSLError, ValueError):
        return False
    return True


def _certificates(text: str) -> bool:
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cadata=text)
    except (ssl.SSLError, ValueError):
        return False
    return True


def _tls_version(text: str) -> bool:
    return text.isdecimal() and int(text) in [int(each) for each in ssl.TLSVersion if each > 0]


def _any(text: str) -> bool:
    return "\0" not in text


_A_FLAG: Final = (_flag, "write true or false")
_SECONDS: Final = (_seconds, f"write seconds, above 0 and up to {_LONGEST}")
_TEXT: Final = (_any, "write a text")
_VALUES: Final[dict[str, tuple[Callable[[str], bool], str]]] = {
    "db": (_number(0, 10**9), "write the number of a database, e.g. 0"),
    "host": (_name, "write the name or the address of a host"),
    "port": (_number(1, 65535), "write a number from 1 to 65535"),
    "path": _TEXT,
    "username": _TEXT,
    "password": _TEXT,
    "client_name": (_name, "write a name without spaces"),
    "lib_name": (_name, "write a name without spaces"),
    "lib_version": (_name, "write a version without spaces"),
    "socket_timeout": _SECONDS,
    "socket_connect_timeout": _SECONDS,
    "socket_keepalive": _A_FLAG,
    "socket_read_size": (_number(1, 2**30), "write a number of bytes, e.g. 65536"),
    "retry_on_timeout": _A_FLAG,
    "health_check_interval": (_number(0, 10**9), "write whole seconds, e.g. 30"),
    "max_connections": (_number(1, 2**31), "write a whole number from 1 on"),
    "protocol": (lambda text: text in ("2", "3"), "write 2 or 3"),
    "decode_responses": _A_FLAG,
    "legacy_responses": _A_FLAG,
    "encoding": (_encoding, "write the name of one that has ASCII in it, e.g. utf-8"),
    "encoding_errors": (_handler, "write strict, ignore or replace"),
    "ssl": _A_FLAG,
    "ssl_cert_reqs": (lambda text: text in ("none", "optional", "required"), "write none, optional or required"),
    "ssl_check_hostname": _A_FLAG,
    "ssl_ca_data": (_certificates, "write certificates in PEM, or name a file of them by ssl_ca_certs"),
    "ssl_password": _TEXT,
    "ssl_ciphers": (_ciphers, "write ciphers as OpenSSL names them"),
    "ssl_min_version": (_tls_version, "write 771 for TLS 1.2, or 772 for TLS 1.3"),
    **dict.fromkeys(_FILES, (_any, "write a path")),
}
"""Options that may be in an address: what their values must be, and what to write."""


def option_fault(url: Expanded) -> Fault | None:
    """Say what is wrong with an address's options, as fact and hint; None when the installed redis-py accepts them."""
    scheme = url.plain().partition(":")[0]
    mine, of_sentinels = _sorted(scheme, options(url))
    for names, prefix in ((mine, ""), (of_sentinels, _OF_SENTINELS)):
        tls = _is_on(names, _TLS) if prefix or scheme in _BY_OPTION else scheme == "rediss"
        known = _known(scheme, prefix, tls=tls)
        for name, (written, value) in names.items():
            fault = _fault(prefix, name, written, value, known, tls=tls, scheme=scheme)
            if fault:
                return fault
        if "ssl_keyfile" in names and "ssl_certfile" not in names:
            return f"{prefix}ssl_keyfile has no certificate beside it", f"name it by {prefix}ssl_certfile"
    return _unusable(url, scheme)


def usable(url: Expanded) -> Expanded:
    """Return an address with only the options that redis-py accepts: an app's broker may have others, too."""
    pairs = options(url)
    if not pairs:
        return url
    head = url.part(0, url.plain().index("?"))
    kept: list[tuple[str, str]] = []
    for pair in pairs:
        name, value = pair
        sign = "&" if kept else "?"
        query = [*kept, (sign, sign), *name.pieces, ("=", "="), *value.pieces]
        if option_fault(Expanded((*head.pieces, *query))) is None:
            kept = query
    return Expanded((*head.pieces, *kept))


def file_faults(url: Expanded) -> Iterator[Fault]:
    """Go through what is wrong with the files that an address names, on this machine."""
    scheme = url.plain().partition(":")[0]
    for names in _sorted(scheme, options(url)):
        yield from _unreadable({name: _decoded(value) for name, (_, value) in names.items() if value})


def _unreadable(said: dict[str, str]) -> Iterator[Fault]:
    hint = "put it there, or name another"
    for name in [name for name in _FILES if name in said]:
        what, is_there = ("folder", os.path.isdir) if name == "ssl_ca_path" else ("file", os.path.isfile)
        if not is_there(said[name]):  # pathlib's raise for a long name, or in a folder without permission
            yield f"the {what} that {name} names is not on this machine, so TLS can't be spoken", hint
            return
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        name = "ssl_ca_certs"
        if name in said:
            context.load_verify_locations(said[name])
        name = "ssl_certfile"
        if name in said:
            # With no password OpenSSL would ask for one at the terminal.
            context.load_cert_chain(said[name], said.get("ssl_keyfile"), password=said.get("ssl_password", ""))
    except (OSError, ValueError):
        fact = f"what {name} names can't be used as a certificate, so TLS can't be spoken"
        yield fact, "name a file in PEM that this user may read, with the key and the password that belong to it"


def _sorted(
    scheme: str, found: list[tuple[Expanded, Expanded]]
) -> tuple[dict[str, tuple[Expanded, Expanded]], dict[str, tuple[Expanded, Expanded]]]:
    """Split the options into those of the server and those of its sentinels; of a double option the first counts."""
    mine: dict[str, tuple[Expanded, Expanded]] = {}
    of_sentinels: dict[str, tuple[Expanded, Expanded]] = {}
    for name, value in found:
        plain = _decoded(name)
        if scheme == "sentinel" and plain.startswith(_OF_SENTINELS):
            of_sentinels.setdefault(plain.removeprefix(_OF_SENTINELS), (name, value))
        elif scheme != "sentinel" or plain != MASTER:
            mine.setdefault(plain, (name, value))
    return mine, of_sentinels


def _decoded(text: Expanded) -> str:
    return unquote_plus(text.plain())


def _is_on(names: dict[str, tuple[Expanded, Expanded]], flag: str) -> bool:
    return flag in names and _decoded(names[flag][1]).lower() in _YES


def _known(scheme: str, prefix: str, *, tls: bool) -> set[str]:
    """Return the options of the installed redis-py that an address of this scheme may have."""
    if prefix:
        found = set(inspect.signature(redis.Redis.__init__).parameters)
    elif scheme == "redis+cluster":
        found = {*cluster.REDIS_ALLOWED_KEYS, *inspect.signature(cluster.RedisCluster.__init__).parameters}
    elif scheme == "unix":
        found = taken(connection.UnixDomainSocketConnection)
    else:
        found = taken(connection.SSLConnection if tls else connection.Connection)
    if scheme in _BY_OPTION:
        found |= {_TLS}
    return found | {"max_connections"}


def taken(kind: type) -> set[str]:
    """Return the parameters of a connection's class, and of its base classes that get the other arguments."""
    found: set[str] = set()
    for each in kind.__mro__:
        if "__init__" in vars(each):
            parameters = inspect.signature(vars(each)["__init__"]).parameters.values()
            found |= {each.name for each in parameters if each.kind is not each.VAR_KEYWORD}
            if all(each.kind is not each.VAR_KEYWORD for each in parameters):
                break
    return found - {"self"}


def _fault(
    prefix: str, name: str, written: Expanded, value: Expanded, known: set[str], *, tls: bool, scheme: str
) -> Fault | None:
    if not tls and (name == _TLS or name.startswith("ssl_")) and not (name == _TLS and name in known):
        if scheme in ("redis", "unix"):
            hint = "write rediss:// for TLS, or take it out" if scheme == "redis" else "take it out"
        else:
            hint = f"write {prefix}ssl=true for TLS, or take it out"
        if name in _VALUES:
            return f"{prefix}{name} is for TLS, which is not spoken with this address", hint
    if name not in known:
        names = [f"{prefix}{each}" for each in sorted(known & _VALUES.keys())]
        near = "" if written.masked else suggest(f"{prefix}{name}", names)
        return f"{quote(written)} is no option of the redis-py that is installed", near or "take it out"
    unread = _READ - connection.URL_QUERY_ARGUMENT_PARSERS.keys()
    if prefix:  # redis-py 5 can't read the sentinels' answers in protocol 3
        unread |= {"protocol"}
    if name not in _VALUES or name in unread:
        return f"{quote(written)} can't be said in an address", "take it out"
    judge, hint = _VALUES[name]
    if value and not judge(_decoded(value)):
        return f"the value of {prefix}{name} can't be used", hint
    return None


def _unusable(url: Expanded, scheme: str) -> Fault | None:
    """Make a connection object and a command, as a worker does, to find what else redis-py rejects."""
    if scheme == "redis+cluster":
        return None
    single = url.plain()
    if scheme == "sentinel":
        mine, _ = _sorted(scheme, options(url))
        said = {name: _decoded(value) for name, (_, value) in mine.items() if name != _TLS}
        single = f"{'rediss' if _is_on(mine, _TLS) else 'redis'}://localhost?{urlencode(said)}"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            client = cast("Any", redis.Redis).from_url(single)
            cast("Any", client.connection_pool).make_connection().pack_command("ECHO", _COMMAND)
    except Exception:  # noqa: BLE001 (any error would stop a worker, and its text may show a value)
        return (
            "the redis-py that is installed can't use its options",
            f"take them out; known: {listed(sorted(_VALUES), 'and')}",
        )
    return None
