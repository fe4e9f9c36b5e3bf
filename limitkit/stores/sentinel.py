"""Connects to the master that Redis Sentinel names."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, cast
from urllib.parse import parse_qsl, urlencode, urlsplit

from redis.connection import parse_url
from redis.sentinel import Sentinel

from limitkit.config.model.store_url import MASTER, servers

if TYPE_CHECKING:
    from collections.abc import Mapping

SCHEME: Final = "sentinel://"
_PREFIX: Final = "sentinel_"
_PORT: Final = 26379
_BOUNDS: Final = ("socket_timeout", "socket_connect_timeout", "retry")


def master(url: str, options: Mapping[str, Any]) -> Any:
    """Return a client that asks the sentinels for the master whenever it connects.

    Options in the URL that begin with ``sentinel_`` are for the sentinels, all others for the master.
    """
    hosts, single = servers(url, _PORT)
    query = parse_qsl(urlsplit(single).query)
    of_sentinels = [(name.removeprefix(_PREFIX), value) for name, value in query if name.startswith(_PREFIX)]
    to_sentinels = url_options(f"redis://?{urlencode(of_sentinels)}")
    to_master = {name: value for name, value in url_options(single).items() if not name.startswith(_PREFIX)}
    service = to_master.pop(MASTER)
    given = dict(options)
    to_sentinels |= given.pop("sentinel_kwargs", None) or {}
    # Even if the app says otherwise: a sentinel that hangs must not take longer than the store itself.
    to_sentinels |= {name: given[name] for name in _BOUNDS}
    fewest = given.pop("min_other_sentinels", 0)
    sentinels = cast("Any", Sentinel)(hosts, min_other_sentinels=fewest, sentinel_kwargs=to_sentinels)
    return sentinels.master_for(service, **{**given, **to_master})


def close(client: Any) -> None:
    """Close the connections to the sentinels."""
    for each in client.connection_pool.sentinel_manager.sentinels:
        each.close()
        each.connection_pool.disconnect()


def url_options(url: str) -> dict[str, Any]:
    """Read an address as redis-py does, without its host and port; ``ssl=true`` means TLS."""
    options = cast("dict[str, Any]", parse_url(url))  # type: ignore[no-untyped-call]
    options.pop("host", None)
    options.pop("port", None)
    if "ssl" in options:
        options["ssl"] = str(options["ssl"]).lower() in ("true", "yes", "1")
    return options
