"""The address of the store from the file: its variables are expanded, and it is checked.

Messages only name parts of it (``Expanded.part``), so that no message can show a variable's value, or the text
before an ``@``.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qs, unquote, urlsplit

from limitkit.config.model.env_values import Expanded, VariableError
from limitkit.config.model.env_values import expand as expand_variables
from limitkit.config.wording import quote, suggest

if TYPE_CHECKING:
    from collections.abc import Mapping

SCHEMES: Final = ("memory", "redis", "rediss", "unix", "sentinel", "redis+cluster")
MASTER: Final = "master"
"""The option of an address with the name of the master."""
_USABLE: Final = "write memory://, redis://, rediss://, unix://, sentinel:// or redis+cluster://"
_EXAMPLES: Final = {
    "redis": "redis://localhost:6379/0",
    "rediss": "rediss://localhost:6379/0",
    "sentinel": "sentinel://one:26379,two:26379/0?master=mymaster",
    "redis+cluster": "redis+cluster://one:6379,two:6379",
}
_SPLIT: Final = re.compile(
    r"[^:]+://(?P<authority>[^/?#]*)(?P<path>[^?#]*)(?:\?(?P<query>[^#]*))?(?P<rest>.*)", re.DOTALL
)
_LONGEST: Final = 16_384
_LONGEST_NUMBER: Final = 10
"""Digits of a database's number."""


class BadUrlError(ValueError):
    """An address that can't be used: code, fact and hint. It never shows the address, which may hold a password."""

    def __init__(self, code: str, fact: str, hint: str) -> None:
        self.code, self.fact, self.hint = code, fact, hint
        super().__init__(f"{fact}; {hint}")


def expand(text: str, environ: Mapping[str, str]) -> Expanded:
    """Put the environment's values in place of ``${NAME}`` and ``${NAME:-default}``, and check the result."""
    try:
        url = expand_variables(text, environ)
    except VariableError as error:
        raise BadUrlError("LK020", error.fact, error.hint) from None
    try:
        url.encode()
    except UnicodeEncodeError:
        raise BadUrlError("LK019", "it has bytes that are not UTF-8", "write them as %XX") from None
    if len(url) > _LONGEST:
        raise BadUrlError("LK019", f"it is longer than {_LONGEST} characters", "write a shorter one")
    _judge(url)
    return url


def _split(url: Expanded) -> re.Match[str]:
    found = _SPLIT.fullmatch(url.plain())
    assert found is not None  # noqa: S101 (the scheme was judged before)
    return found


def options(url: Expanded) -> list[tuple[Expanded, Expanded]]:
    """Return names and values of an address's query, in their order, as they are written."""
    found = []
    start, end = _split(url).span("query")
    for each in re.finditer(r"[^&]+", url.plain()[start:end] if start >= 0 else ""):
        first, last = start + each.start(), start + each.end()
        name = first + len(each[0].partition("=")[0])
        found.append((url.part(first, name), url.part(min(name + 1, last), last)))
    return found


def _judge(url: Expanded) -> None:
    scheme, separator, rest = url.plain().partition("://")
    if not separator or not scheme:
        raise BadUrlError("LK019", "this is not the address of a store", _USABLE)
    if scheme not in SCHEMES:
        shown = url.part(0, len(scheme))
        hint = "" if shown.masked else suggest(scheme, SCHEMES)
        raise BadUrlError("LK019", f"{quote(shown)} is not a store scheme that limitkit knows", hint or _USABLE)
    if scheme == "memory":
        if rest:
            raise BadUrlError("LK019", "memory:// has no address", "write memory:// and nothing after it")
        return
    if scheme == "unix" and not _split(url)["path"]:
        raise BadUrlError("LK019", "unix:// needs the path of a socket", "write e.g. unix:///run/redis.sock")
    if scheme != "unix":
        _judge_credentials(url)
        _judge_servers(scheme, url)


def _judge_credentials(url: Expanded) -> None:
    """Find a password with a sign that ends the address part before it: such signs must be escaped."""
    parts = _split(url)
    before, at, _ = (parts["query"] or "").partition("@")
    in_query = at and "=" not in before and "@" not in parts["authority"]
    if "@" in parts["path"] or "@" in parts["rest"] or in_query:
        fact = "an @ stands behind a /, ? or #, so its user or password can't be told from the rest"
        raise BadUrlError("LK019", fact, "in a user or password write %2F for /, %3F for ?, %23 for # and %40 for @")


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
            raise ValueError
        _judge_host(each, parts.hostname)
        found.append((parts.hostname, parts.port or port))
    return found, f"redis://{user}{at}{rest}"


def _judge_host(written: str, name: str) -> None:
    """Reject a host that can't be a name. Raises ValueError."""
    if any(char.isspace() or not char.isprintable() for char in written):
        raise ValueError
    name.encode("idna")


def _judge_servers(scheme: str, url: Expanded) -> None:
    """Check host, port and database, or the list of servers where there are several."""
    parts, several = _split(url), scheme in ("sentinel", "redis+cluster")
    example = f"write e.g. {_EXAMPLES[scheme]}" if several else 'write e.g. "redis://localhost:6379/0"'
    try:
        if several:
            servers(url.plain(), 1)
        else:
            single = urlsplit(url.plain())
            _judge_host(single.netloc.rpartition("@")[2], single.hostname or "")
            if single.port == 0:
                raise ValueError  # noqa: TRY301 (as a port that is none does)
    except ValueError:
        fact = "its hosts or ports can't be read" if several else "its host or port can't be read"
        raise BadUrlError("LK019", fact, example) from None
    path = parts["path"]
    database = path.strip("/")
    start = parts.start("path") + len(path) - len(path.lstrip("/"))
    shown = quote(url.part(start, start + len(database)))
    if scheme == "redis+cluster":
        if unquote(database) not in ("", "0"):
            raise BadUrlError("LK019", f"a Redis Cluster has no database {shown}", "take it out")
        return
    if database and not (database.isascii() and database.isdigit() and len(database) <= _LONGEST_NUMBER):
        hint = f"write a whole number after the slash, e.g. {_EXAMPLES[scheme]}"
        raise BadUrlError("LK019", f"{shown} is not the number of a database", hint)
    if scheme == "sentinel" and not any(parse_qs(parts["query"] or "").get(MASTER, ())):
        raise BadUrlError("LK019", "it does not say which master the sentinels are asked for", example)
