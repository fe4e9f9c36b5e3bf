"""What a Redis says of itself: software, version, memory, copies, clock. It only reads."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from redis.exceptions import ResponseError

from limitkit.clock import SYSTEM

if TYPE_CHECKING:
    from collections.abc import Mapping

    from limitkit.clock import Clock

_OTHERS: Final = {"dragonfly_version": "Dragonfly", "kvrocks_version": "kvrocks", "garnet_version": "Garnet"}
_LOOKS: Final = 3
"""How often a clock is read: the quickest answer tells most."""


@dataclass(frozen=True, slots=True)
class ServerFacts:
    """What is known of one server; None, or an empty text, where it does not say."""

    software: str
    version: str
    role: str
    """``master``, ``slave``, or another word of the server's own."""
    clustered: bool
    policy: str
    """What it does when its memory is full: ``maxmemory-policy``."""
    used: int
    most: int
    """Bytes; 0 is no bound."""
    replicas: int
    persists: bool | None
    ahead: float | None
    """Seconds by which its clock is ahead of this machine's."""
    silent: str = ""
    """Why it says nothing of itself; empty when it does."""

    @property
    def name(self) -> str:
        """Software and version: ``Redis 7.0.15``."""
        return f"{self.software} {self.version}".strip()


def facts_of(client: Any, clock: Clock = SYSTEM) -> ServerFacts:
    """Ask a server about itself. Raises what redis-py raises when it can't be asked; a missing right is noted."""
    silent, told = "", {}
    try:
        told = client.info()
    except ResponseError as error:
        silent = str(error)
    software, version = _software(told)
    return ServerFacts(
        software,
        version,
        str(told.get("role", "")),
        bool(int(told.get("cluster_enabled", 0) or 0)),
        str(told.get("maxmemory_policy", "")),
        int(told.get("used_memory", 0) or 0),
        int(told.get("maxmemory", 0) or 0),
        int(told.get("connected_slaves", 0) or 0),
        _persists(told),
        _ahead(client, clock),
        silent,
    )


def _software(told: Mapping[str, Any]) -> tuple[str, str]:
    for key, name in _OTHERS.items():
        if key in told:
            return name, str(told[key])
    version = str(told.get("redis_version", ""))
    if str(told.get("server_name", "")).lower() == "valkey" or "valkey_version" in told:
        return "Valkey", str(told.get("valkey_version", version))
    if "keydb" in str(told.get("executable", "")).lower() or "mvcc_depth" in told or "storage_provider" in told:
        return "KeyDB", version
    return "Redis", version


def _persists(told: Mapping[str, Any]) -> bool | None:
    """Whether a restart keeps data: an append-only file, or a snapshot that was written at some time."""
    if "aof_enabled" not in told:
        return None
    return bool(told["aof_enabled"]) or int(told.get("rdb_saves", 0) or 0) > 0


def _ahead(client: Any, clock: Clock) -> float | None:
    found = []
    try:
        for _ in range(_LOOKS):
            before, began = clock.time(), clock.monotonic()
            seconds, microseconds = client.time()
            took = clock.monotonic() - began
            found.append((took, int(seconds) + int(microseconds) / 1e6 - before - took / 2))
    except ResponseError:
        return None
    return min(found)[1]
