"""The board: where overrides are posted, and where each worker says by which file it goes. It is kept in the store.

A look is one small call that brings the overrides only when they have changed. A store that lost its data has no
version any more: then whoever still knows what was posted puts it back.
"""

from __future__ import annotations

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
    """What is on the board."""

    version: str
    """Another one each time that something is posted; empty when nothing ever was, or its data is lost."""
    now: float
    """The store's time, in seconds since 1970."""
    overrides: tuple[Override, ...] | None
    """None when the version is the one that was known."""
    files: tuple[str, ...]
    """Digests of all files in force lately."""
    declared: Mapping[str, str]
    """What those of them declare that were asked about."""
    told: bool
    """Whether the board knows what the looker's own file declares."""


class OverrideStore:
    """The board of one store and prefix. All methods raise StoreError when the store can't be asked."""

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
        """Look at it. With a ``digest``, note that somebody goes by this file; ``declares`` tells what is in it.

        ``left`` is the file that it went by until now: if others still do, they note it again.
        """
        args = ["" if now_us is None else now_us, known, digest, declares, left, *wanted]
        version, now, told, files, declared, posted = self._store.run("look", self._keys, args)
        overrides = None if _text(version) == known else tuple(_read(posted))
        said = dict(zip(wanted, map(_text, declared), strict=True))
        return Look(_text(version), int(now) / MICROSECONDS, overrides, tuple(map(_text, files)), said, bool(told))

    def post(
        self,
        posts: Sequence[tuple[Override, float | None]],
        takes_off: Sequence[str] = (),
        *,
        now_us: int | None = None,
    ) -> str:
        """Post overrides, each for so many seconds (None: without an end), and take others off; returns the version."""
        args: list[Any] = ["" if now_us is None else now_us, ""]
        for override, seconds in posts:
            args += (override.name, "" if seconds is None else max(1, round(seconds * MICROSECONDS)), override.text())
        for name in takes_off:
            args += (name, "", "")
        return _text(self._store.run("post", [self._overrides], args))

    def put_back(self, version: str, overrides: Sequence[Override]) -> str:
        """Post again what the store has lost, unless somebody else did; returns the version that the board has then."""
        args: list[Any] = ["", version]
        for each in overrides:
            args += (each.name, "" if each.until is None else round(each.until * MICROSECONDS), each.text())
        return _text(self._store.run("post", [self._overrides], args))


def _read(posted: Sequence[Any]) -> list[Override]:
    found = []
    for name, value in zip(posted[::2], posted[1::2], strict=True):
        ends, _, text = _text(value).partition("\n")
        if not _END.fullmatch(ends):  # no client of ours has written it
            continue
        override = read(_text(name), text, int(ends) / MICROSECONDS if int(ends) else None)
        if override is not None:
            found.append(override)
    return sorted(found, key=lambda override: override.name)


def _text(reply: Any) -> str:
    return reply.decode(errors="backslashreplace") if isinstance(reply, bytes) else str(reply)
