"""Overrides in a store in memory: does what ``look.lua`` and ``post.lua`` do."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from limitkit.clock import time_us

if TYPE_CHECKING:
    from collections.abc import Sequence

    from limitkit.clock import Clock

_LATELY_US: Final = 15_000_000


class MemoryOverrides:
    """The overrides of one process."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._version = ""
        self._posted: dict[str, tuple[int, str]] = {}
        self._files: dict[str, int] = {}
        self._declared: dict[str, str] = {}

    def look(self, _keys: Sequence[str], args: Sequence[Any]) -> list[Any]:
        """Answer as ``look.lua`` does."""
        now, known, own, declares, left, *wanted = args
        now = self._now(now)
        if own:
            self._files[own] = now
            if declares:
                self._declared[own] = declares
        for gone in [digest for digest, seen in self._files.items() if seen < now - _LATELY_US or digest == left]:
            del self._files[gone]
            self._declared.pop(gone, None)
        posted: list[str] = []
        if self._version != known:
            self._posted = {name: kept for name, kept in self._posted.items() if not 0 < kept[0] <= now}
            for name, (ends, text) in self._posted.items():
                posted += (name, f"{ends}\n{text}")
        known_here = int(not own or own in self._declared)
        declared = [self._declared.get(each, "") for each in wanted]
        return [self._version, now, known_here, list(self._files), declared, posted]

    def post(self, _keys: Sequence[str], args: Sequence[Any]) -> str:
        """Answer as ``post.lua`` does."""
        now, lost, text = args
        now, posts = self._now(now), json.loads(text)
        if lost and self._version:
            return self._version
        for name, ends, kept in zip(posts[::3], posts[1::3], posts[2::3], strict=True):
            if not kept:
                self._posted.pop(name, None)
            else:
                self._posted[name] = (0 if ends == "" else ends if lost else now + ends), kept
        self._version = lost or str(max(now, int(self._version or 0) + 1))
        return self._version

    def _now(self, given: int | str) -> int:
        return time_us(self._clock) if given == "" else int(given)
