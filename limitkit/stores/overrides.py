"""Overrides in the store: what is set at run time, and which config file each worker uses.

A look is one small call that returns the overrides only when they have changed. A store that lost its data has no
version any more: then a worker that still knows the overrides puts them back.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from limitkit.buckets.override import read
from limitkit.buckets.token_bucket import MICROSECONDS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from limitkit.buckets.override import Override
    from limitkit.stores.store import Store

_TAG: Final = "{overrides}"
_END: Final = re.compile(r"[0-9]{1,17}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Look:
    """What the store knows at one moment."""

    version: str
    """A new one each time that an override is set or removed; empty when there never was one, or data was lost."""
    now: float
    """The store's time, in seconds since 1970."""
    overrides: tuple[Override, ...] | None
    """None when the version is still the known one."""
    files: tuple[str, ...]
    """Digests of all files that workers have used lately."""
    declared: Mapping[str, str]
    """The declarations of those files that were asked for, by digest."""
    knows_own: bool
    """Whether the store knows the declarations of this worker's own file."""


class OverrideStore:
    """The overrides of one store and prefix. All methods raise StoreError when the store can't be asked."""

    def __init__(self, store: Store, prefix: str) -> None:
        self._store = store
        self._overrides = f"{prefix}:{_TAG}"
        self._keys = [self._overrides, f"{self._overrides}:files", f"{self._overrides}:declared"]

    def look(
        self,
        known: str = "",
        *,
        digest: str = "",
        declares: str = "",
        left: str = "",
        wanted: Sequence[str] = (),
        now_us: int | None = None,
    ) -> Look:
        """Return what is set. With a ``digest``, note that a worker uses this file; ``declares`` are its declarations.

        ``left`` is the file that this worker has used until now: workers that still use it note it again.
        """
        args = ["" if now_us is None else now_us, known, digest, declares, left, *wanted]
        version, now, knows_own, files, declared, posted = self._store.run("look", self._keys, args)
        overrides = None if _text(version) == known else tuple(_read(posted))
        by_digest = dict(zip(wanted, map(_text, declared), strict=True))
        digests = tuple(map(_text, files))
        return Look(_text(version), int(now) / MICROSECONDS, overrides, digests, by_digest, bool(knows_own))

    def post(
        self,
        posts: Sequence[tuple[Override, float | None]],
        removes: Sequence[str] = (),
        *,
        now_us: int | None = None,
    ) -> str:
        """Set overrides, each for so many seconds (None: without an end), and remove others; returns the version."""
        parts: list[str | int] = []
        for override, seconds in posts:
            parts += (override.name, "" if seconds is None else max(1, round(seconds * MICROSECONDS)), override.text())
        for name in removes:
            parts += (name, "", "")
        return self._post("" if now_us is None else now_us, "", parts)

    def put_back(self, version: str, overrides: Sequence[Override]) -> str:
        """Set again what the store has lost, unless another worker did; returns the version that the store has then."""
        parts: list[str | int] = []
        for each in overrides:
            parts += (each.name, "" if each.until is None else round(each.until * MICROSECONDS), each.text())
        return self._post("", version, parts)

    def _post(self, now: str | int, lost: str, parts: Sequence[str | int]) -> str:
        return _text(self._store.run("post", [self._overrides], [now, lost, json.dumps(parts)]))


def _read(posted: Sequence[Any]) -> list[Override]:
    found = []
    for name, value in zip(posted[::2], posted[1::2], strict=True):
        ends, _, text = _text(value).partition("\n")
        if not _END.fullmatch(ends):  # not written by limitkit
            continue
        override = read(_text(name), text, int(ends) / MICROSECONDS if int(ends) else None)
        if override is not None:
            found.append(override)
    return sorted(found, key=lambda override: override.name)


def _text(reply: Any) -> str:
    return reply.decode(errors="backslashreplace") if isinstance(reply, bytes) else str(reply)
