"""Opens the store of a config: the one that it names, else the app's own Redis."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qs, quote, urlsplit

from limitkit.clock import SYSTEM
from limitkit.config.model.env_values import Expanded
from limitkit.config.model.store_url import MASTER
from limitkit.stores.circuit_breaker import CircuitBreaker
from limitkit.stores.memory import MemoryStore
from limitkit.stores.time_bound import TimeBound

if TYPE_CHECKING:
    from collections.abc import Mapping

    from limitkit.clock import Clock
    from limitkit.config.declared import StoreSettings
    from limitkit.stores.store import Store

_REDIS: Final = ("redis://", "rediss://", "unix://")
_SOCKET: Final = ("redis+socket://", "socket://")
_SENTINEL: Final = "sentinel://"
_CLUSTER: Final = "redis+cluster://"
_CERT_REQS = re.compile(r"(?<=[?&]ssl_cert_reqs=)CERT_(NONE|OPTIONAL|REQUIRED)\b")
_FOR_SENTINELS: Final = ("sentinel_kwargs", "min_other_sentinels")
"""Celery's transport options for its sentinels."""


def store_url(app: Any, settings: StoreSettings) -> Expanded | None:
    """Return the URL of the store, which is shown without its password; None when there is no store."""
    return _store(app, settings)[0]


def store_shown(app: Any, settings: StoreSettings) -> str | None:
    """Name a config's store for people, without user, password, options and values of variables; None without one."""
    url = store_url(app, settings)
    if url is None or url.startswith("memory://"):
        return url and "this worker's memory"
    scheme, separator, rest = url.written.partition("://")
    # All before the last @ is secret: a password may hold any character.
    secret, at, address = rest.rpartition("@")
    plain = "…" if at and re.search("[?#]", secret) else re.split("[?#]", address)[0]
    return f"{scheme}{separator}{plain}{'' if settings.url else ' (from the app)'}"


def open_store(app: Any, settings: StoreSettings, clock: Clock = SYSTEM) -> Store | None:
    """Open the store of a config; None when it has none. A server has its own clock."""
    url, options = _store(app, settings)
    if url is None:
        return None
    if url.startswith("memory://"):
        return MemoryStore(clock)
    # redis is imported only where it is needed.
    if not settings.url:
        from limitkit.config.model.store_options import usable  # noqa: PLC0415

        url = usable(url)  # redis-py does not know Celery's own options
    if url.startswith(_CLUSTER):
        from limitkit.stores.cluster import ClusterStore  # noqa: PLC0415

        return CircuitBreaker(TimeBound(ClusterStore(url, settings.timeout), settings.timeout), clock)
    from limitkit.stores.redis import RedisStore  # noqa: PLC0415

    store: Store = RedisStore(url, settings.timeout, **options)
    return CircuitBreaker(TimeBound(store, settings.timeout) if url.startswith(_SENTINEL) else store, clock)


def _store(app: Any, settings: StoreSettings) -> tuple[Expanded | None, dict[str, Any]]:
    """Return the URL and, for the app's own Redis, the options that the app has for it."""
    url, options = _found(app, settings)
    return (None if url is None else Expanded.of(url)), options


def _found(app: Any, settings: StoreSettings) -> tuple[str | None, dict[str, Any]]:
    if settings.url:
        return settings.url, {}
    conf = app.conf
    for given, use_ssl, transport in (
        (conf.broker_read_url or conf.broker_url, conf.broker_use_ssl, conf.broker_transport_options),
        (conf.result_backend, conf.redis_backend_use_ssl, conf.result_backend_transport_options),
    ):
        several = list(given) if isinstance(given, (list, tuple)) else str(given or "").split(";")
        first = next(iter(several), "")
        tls = {key: _plain(value) for key, value in use_ssl.items()} if isinstance(use_ssl, dict) else {}
        if first.startswith(_SOCKET):
            return _unix(first), {}
        if first.startswith(_REDIS):
            if tls:  # Celery uses TLS then, whatever the scheme
                first = re.sub("^redis://", "rediss://", first)
            return _CERT_REQS.sub(lambda match: match[1].lower(), first), tls
        if first.startswith(_SENTINEL) and (transport or {}).get("master_name"):
            options = {name: transport[name] for name in _FOR_SENTINELS if name in transport}
            return _sentinel(several, transport), {**tls, **({"ssl": True} if tls else {}), **options}
    return None, {}


def _plain(value: Any) -> Any:
    """Celery accepts Python's names for certificate requirements, redis-py has its own."""
    return value.removeprefix("CERT_").lower() if isinstance(value, str) and value.startswith("CERT_") else value


def _unix(url: str) -> str:
    parts = urlsplit(url)
    database = parse_qs(parts.query).get("virtual_host", ["0"])[0].strip("/") or "0"
    return f"unix://{parts.netloc}{parts.path}?db={database}"


def _sentinel(urls: list[str], transport: Mapping[str, Any]) -> str:
    """Write the addresses of an app's sentinels as one, with the first one's user, password and database."""
    parts = [urlsplit(url) for url in urls if url.startswith(_SENTINEL)]
    user, at, _ = parts[0].netloc.rpartition("@")
    hosts = ",".join(part.netloc.rpartition("@")[2] or "127.0.0.1" for part in parts)
    database = parts[0].path.strip("/") or "0"
    return f"{_SENTINEL}{user}{at}{hosts}/{database}?{MASTER}={quote(transport['master_name'])}"
