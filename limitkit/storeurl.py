"""The address of the store as the file gives it: variables expanded, scheme known."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qs, urlsplit

from limitkit.wording import listed, quote, suggest

if TYPE_CHECKING:
    from collections.abc import Mapping

SCHEMES: Final = ("memory", "redis", "rediss", "unix", "sentinel", "redis+cluster")
MASTER: Final = "master"
"""The option in which an address says which master its sentinels are asked for."""
_VARIABLE = re.compile(r"\$\{(?:([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\})?")
_USABLE: Final = "write memory://, redis://, rediss://, unix://, sentinel:// or redis+cluster://"
_EXAMPLES: Final = {
    "sentinel": "sentinel://one:26379,two:26379/0?master=mymaster",
    "redis+cluster": "redis+cluster://one:6379,two:6379",
}


class BadUrlError(ValueError):
    """An address that can't be used: code, fact and hint. It never shows the address, which may hold a password."""

    def __init__(self, code: str, fact: str, hint: str) -> None:
        self.code, self.fact, self.hint = code, fact, hint
        super().__init__(f"{fact}; {hint}")


def expand(text: str, environ: Mapping[str, str]) -> str:
    """Put the environment's values in place of ``${NAME}`` and ``${NAME:-default}``, and judge the result."""

    def value(match: re.Match[str]) -> str:
        name, default = match.groups()
        if name is None:
            fact = "${ begins a variable here, but no name and } follow"
            raise BadUrlError("LK020", fact, "write ${NAME} or ${NAME:-default}")
        found = environ.get(name)
        if default is not None:
            return found or default
        if found is None:
            raise BadUrlError("LK020", f"the variable {name} is not set", f"set it, or write ${{{name}:-default}}")
        return found

    url = _VARIABLE.sub(value, text)
    _judge(url)
    return url


def _judge(url: str) -> None:
    scheme, separator, rest = url.partition("://")
    if not separator:
        raise BadUrlError("LK019", "this is not the address of a store", _USABLE)
    if scheme not in SCHEMES:
        hint = suggest(scheme, SCHEMES)
        raise BadUrlError("LK019", f"{quote(scheme)} is not a store scheme that limitkit knows", hint or _USABLE)
    if scheme == "memory" and rest:
        raise BadUrlError("LK019", "memory:// has no address", "write memory:// and nothing after it")
    if scheme == "unix" and not urlsplit(url).path:
        raise BadUrlError("LK019", "unix:// needs the path of a socket", "write e.g. unix:///run/redis.sock")
    if scheme in ("redis", "rediss"):
        _judge_redis(url)
    if scheme in _EXAMPLES:
        _judge_several(scheme, url)


def servers(url: str, port: int) -> tuple[list[tuple[str, int]], str]:
    """Split an address of several servers: hosts with their ports, and the same as a ``redis://`` of no host.

    Raises ValueError when they can't be read.
    """
    authority, rest = re.fullmatch(r"[^:]+://([^/?#]*)(.*)", url, re.DOTALL).groups()  # type: ignore[union-attr]
    user, at, listed_hosts = authority.rpartition("@")
    found = []
    for each in listed_hosts.split(","):
        parts = urlsplit(f"//{each}")
        if not parts.hostname or parts.port == 0:
            raise ValueError(each)
        found.append((parts.hostname, parts.port or port))
    return found, f"redis://{user}{at}{rest}"


def _judge_several(scheme: str, url: str) -> None:
    example = f"write e.g. {_EXAMPLES[scheme]}"
    try:
        single = urlsplit(servers(url, 1)[1])
    except ValueError:
        raise BadUrlError("LK019", "its hosts or ports can't be read", example) from None
    database = single.path.strip("/")
    if scheme == "redis+cluster":
        if database not in ("", "0"):
            fact = f"a Redis Cluster has no database {quote(database)}"
            raise BadUrlError("LK019", fact, "take it out")
        return
    _judge_database(database, _EXAMPLES[scheme])
    if MASTER not in parse_qs(single.query):
        raise BadUrlError("LK019", "it does not say which master the sentinels are asked for", example)


def _judge_redis(url: str) -> None:
    try:
        parts = urlsplit(url)
        known = parts.port is None or parts.port > 0
    except ValueError:
        known = False
    if not known:
        example = listed(["redis://localhost:6379/0"])
        raise BadUrlError("LK019", "its host or port can't be read", f"write e.g. {example}")
    _judge_database(parts.path.strip("/"), "redis://localhost:6379/0")


def _judge_database(database: str, example: str) -> None:
    if database and not (database.isascii() and database.isdigit()):
        fact = f"{quote(database)} is not the number of a database"
        raise BadUrlError("LK019", fact, f"write a whole number after the slash, e.g. {example}")
