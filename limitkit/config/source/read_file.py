"""Reads the bytes of a config file: only a regular file, of a limited size, and without ever waiting."""

from __future__ import annotations

import contextlib
import os
import stat
import sys
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from typing import BinaryIO

MOST: Final = 10_000_000
"""Bytes: a config of 50,000 tasks has fewer. More is a device, a log, or an endless stream."""
_KINDS: Final = (
    (stat.S_ISDIR, "is a folder", "name the file in it, e.g. ratelimits.toml"),
    (stat.S_ISFIFO, "is a pipe", "name a file, or pipe its text to limitkit validate -"),
    (stat.S_ISSOCK, "is a socket", "name a file"),
    (stat.S_ISCHR, "is a device", "name a file"),
    (stat.S_ISBLK, "is a device", "name a file"),
)
_HANDED_OVER: Final = ("/dev/fd", "/proc/self/fd")


class UnreadableError(Exception):
    """A file that can't be read, or is too large: code, fact and hint."""

    def __init__(self, code: str, fact: str, hint: str) -> None:
        self.code, self.fact, self.hint = code, fact, hint
        super().__init__(f"{fact}; {hint}")


def of_file(path: str | os.PathLike[str]) -> bytes:
    """Read a file. Raises UnreadableError.

    A pipe or a device is rejected, and not read: it may never end, or never begin, and a worker that reads its file
    again would get other bytes each time.
    """
    try:
        _judge(os.stat(path).st_mode)  # noqa: PTH116 - the path may be anything
        # The file may be replaced by a pipe a moment later: so it is opened without waiting, and checked again.
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with open(handle, "rb") as file:  # noqa: PTH123 - a handle has no path
            _judge(os.fstat(handle).st_mode)
            return of_stream(file)
    except PermissionError:
        raise _refused("may not be read", "give its reader the permission") from None
    except FileNotFoundError:
        raise _refused("does not exist", "name an existing file") from None
    except ValueError:  # its text depends on the Python version
        raise _refused("can't be read (no name has a null character)", "name a file that can be read") from None
    except OSError as error:
        raise _refused(f"can't be read ({error.strerror or error})", "name a file that can be read") from None


def of_stream(stream: BinaryIO) -> bytes:
    """Read a stream to its end. Raises UnreadableError when it is too long, or has no bytes yet."""
    content: bytes | None = stream.read(MOST + 1)
    if content is None:  # a file of the kernel, such as its log, may have no bytes yet
        raise _refused("has nothing to be read yet", "name a file")
    if len(content) > MOST:
        fact = f"is larger than {MOST // 1_000_000} MB, which no config is"
        raise UnreadableError("LK009", fact, "name the right file")
    return content


def of_pipe(path: str) -> bytes | None:
    """Read what a shell passes: standard input (``-``), or a pipe as in ``<(...)``; None for any other path.

    It waits for the writer, as every program at the end of a pipe does. Raises UnreadableError.
    """
    if path == "-":
        if sys.stdin is None:
            raise _refused("is standard input, which is closed", "name a file")
        # The caller may have made it non-blocking: then a read may return half a file.
        with contextlib.suppress(OSError, ValueError):
            os.set_blocking(sys.stdin.fileno(), True)
        return of_stream(sys.stdin.buffer)
    if path != "/dev/stdin" and os.path.dirname(path) not in _HANDED_OVER:  # noqa: PTH120 - as it was written
        return None
    try:
        if not stat.S_ISFIFO(os.stat(path).st_mode):  # noqa: PTH116
            return None
        with open(path, "rb") as file:  # noqa: PTH123
            return of_stream(file)
    except OSError:
        return None


def _judge(mode: int) -> None:
    for is_one, fact, hint in _KINDS:
        if is_one(mode):
            raise _refused(fact, hint)


def _refused(fact: str, hint: str) -> UnreadableError:
    return UnreadableError("LK001", fact, hint)
