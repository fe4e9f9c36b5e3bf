"""Writes a trace: JSON Lines, first what was recorded, then one line a message, last how it ended.

The file is bounded. It can be read by its owner alone, and up to its last whole line wherever the writing stops.
"""

from __future__ import annotations

import errno
import gzip
import json
import os
import secrets
import stat
import zlib
from contextlib import contextmanager, suppress
from typing import IO, TYPE_CHECKING, Any, Final, cast

from limitkit.errors import LimitkitError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

VERSION: Final = 1
MARK: Final = "limitkit_trace"
"""The first key of a trace's first line; its value is the version of the format."""
_ENDING: Final = 20_000
"""Bytes that are kept free for the last line."""


class UnwritableError(LimitkitError):
    """A trace can't be written; the text says why. What was written before can be read."""


class NotReplacedError(OSError):
    """What is at the path of a trace is no regular file."""


class TraceFile:
    """A trace that is written. To make one raises OSError where the file can't be opened.

    What it replaces stays as it is until there is something to record: up to then it is written beside it.
    """

    def __init__(self, path: str, most: int, *, replace: bool = False) -> None:
        """``most`` are the bytes that it may have.

        Raises FileExistsError unless it may ``replace`` one, and NotReplacedError for what is no regular file.
        """
        self.most = most
        self._path = self._made = path
        try:
            number = _create(path)
        except FileExistsError:
            _need_regular(path)
            if not replace:
                raise
            self._made = f"{path}.{secrets.token_hex(4)}.part"
            number = _create(self._made)
        self._raw = os.fdopen(number, "wb")
        packed = gzip.GzipFile("", "wb", 6, self._raw, 0) if path.endswith(".gz") else None
        self._to = cast("IO[bytes]", packed or self._raw)
        self._packed = packed
        self._unflushed = 0
        self.begun = False

    def begin(self, facts: Mapping[str, Any]) -> None:
        """Write the first line, and take the place of what it replaces."""
        self.write(line({MARK: VERSION, **facts}))
        self.flush()
        if self._made != self._path:
            with _written():
                with suppress(FileNotFoundError):
                    _need_regular(self._path)
                os.replace(self._made, self._path)  # noqa: PTH105 (a path as it was given)
        self.begun = True

    def write(self, text: bytes) -> None:
        """Write one line, with its end. Raises UnwritableError, as all that follows."""
        with _written():
            self._to.write(text)
        self._unflushed += len(text)

    def flush(self) -> None:
        """Have all that was written so far in the file."""
        with _written():
            if self._packed is not None:
                self._packed.flush(zlib.Z_SYNC_FLUSH)
            self._raw.flush()
        self._unflushed = 0

    def is_full(self, waiting: int) -> bool:
        """Whether there is no room for more than so many bytes that are still to be written, and the last line."""
        return self._raw.tell() + self._unflushed + waiting + _ENDING >= self.most

    def end(self, facts: Mapping[str, Any]) -> None:
        """Write the last line, and close the file."""
        self.write(line(facts))
        self.close()

    def close(self) -> None:
        """Close the file, and remove it unless it has begun; a second time does nothing."""
        with _written():
            try:
                if self._packed is not None:
                    self._packed.close()
            finally:
                made, self._made = self._made, ""
                if made and not self.begun:
                    os.unlink(made)  # noqa: PTH108 (likewise)
                self._raw.close()


def _create(path: str) -> int:
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0), 0o600)


def _need_regular(path: str) -> None:
    """Raise NotReplacedError for a device, a pipe, a folder or a symlink: another program's, or another file's name."""
    if not stat.S_ISREG(os.lstat(path).st_mode):
        raise NotReplacedError(errno.EINVAL, "it is no regular file, and only those are replaced")


@contextmanager
def _written() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise UnwritableError(error.strerror or str(error)) from None


def line(values: Mapping[str, Any]) -> bytes:
    """Write one line, as short as JSON can be."""
    return json.dumps(values, separators=(",", ":"), allow_nan=False).encode() + b"\n"
