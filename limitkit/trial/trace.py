"""Reads a trace that ``limitkit record`` has written: what arrived when, and what came of it.

A trace comes from outside: each line is checked before it is used, and how much of it is read at once is bounded. Its
lines are in the order of their ends, so they are read twice: once for the moments at which messages arrived, and then
in their order. A packed trace is unpacked into a temporary file for that.
"""

from __future__ import annotations

import contextlib
import gzip
import tempfile
import weakref
import zlib
from array import array
from collections import defaultdict
from dataclasses import dataclass
from math import fsum
from typing import IO, TYPE_CHECKING, Final, NamedTuple, cast

from limitkit.config.wording import count, one_line
from limitkit.errors import LimitkitError
from limitkit.trial.recording.trace_file import MARK
from limitkit.trial.recording.trace_line import LONGEST_LINE, Head, LineError, Message, Tail, judged
from limitkit.trial.scenario import Arrival, Scenario

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from limitkit.trial.recording.trace_line import Worker

_MOST_BYTES: Final = 4_000_000_000
"""A trace that is larger once it is unpacked is refused."""
_WHOLE: Final = 5.0
"""Seconds at the beginning or at the end of a recording that a worker may seem to miss."""
_CHUNK: Final = 1 << 20
_PACKED: Final = b"\x1f\x8b"


class TraceError(LimitkitError):
    """A trace can't be used; the text says where, why, and what to do."""


class Observed(NamedTuple):
    """What became of one message when it was recorded; times are seconds from the beginning of the recording."""

    at: float
    task: str
    start: float | None
    early: bool
    """Whether it had come before the recording began: what its wait was is not known."""


@dataclass(frozen=True, slots=True)
class _Index:
    """Where each message's line is, in the order in which they arrived."""

    offsets: array[int]
    mean_seconds: Mapping[str, float]
    unknown_sendings: int


class Trace:
    """A recorded run."""

    def __init__(self, path: str, plain: IO[bytes], head: Head, tail: Tail | None, index: _Index) -> None:
        self._path, self._plain, self._head, self._index = path, plain, head, index
        self.began = head.began
        """Seconds since 1970."""
        self.seconds = tail.ended if tail is not None else head.seconds
        """For how long it was recorded."""
        self.workers: Mapping[str, Worker] = {**head.workers, **(tail.workers if tail is not None else {})}
        self.limits: Mapping[str, tuple[str, ...]] = head.tasks
        """The names of each task's limits."""
        self.task_seconds = index.mean_seconds
        """How long each task ran, on average."""
        self.at_once = at_once(self.workers)
        """Those that were there together when the most processes were."""
        self.warnings = tuple(_warnings(path, tail, index, len(self.at_once)))
        """What makes it less exact than it could be; for people."""
        self.close = weakref.finalize(self, plain.close)
        """Closes the file, which else happens once the trace is not used any more."""

    def __len__(self) -> int:
        """Count its messages."""
        return len(self._index.offsets)

    def arrivals(self) -> Iterator[Arrival]:
        """Go through its messages in the order in which they arrived. Digests stand in place of arguments' values."""
        for each in self._messages():
            yield Arrival(
                each.at, each.task, (), dict(each.kwargs), each.queue, dict(each.headers), each.priority, each.seconds
            )

    def observed(self) -> Iterator[Observed]:
        """Go through what became of them, in the same order."""
        for each in self._messages():
            yield Observed(each.at, each.task, each.start, each.early)

    def scenario(self) -> Scenario:
        """Return what a replay plays: the same messages, on as many workers and processes as there were at once."""
        workers = self.at_once
        processes = round(fsum(each.processes for each in workers) / max(1, len(workers))) or 1
        return Scenario(
            arrivals=self.arrivals(),
            workers=max(1, len(workers)),
            processes=processes,
            prefetch_multiplier=workers[0].prefetch_multiplier if workers else 4,
            task_seconds=self.task_seconds,
            begins=self.began,
        )

    def _messages(self) -> Iterator[Message]:
        for offset in self._index.offsets:
            self._plain.seek(offset)
            message = judged(self._plain.readline(LONGEST_LINE))
            if not isinstance(message, Message):
                raise TraceError(f"{one_line(self._path)}: the file was changed while it was read; read it again")
            yield message


def at_once(workers: Mapping[str, Worker]) -> tuple[Worker, ...]:
    """Return those of the moment at which there were the most processes; of a worker and who replaced it, one."""
    stays = [workers[name] for name in sorted(workers)]
    changes = [(each.first, 0, each.processes) for each in stays]
    changes += [(each.last, 1, -each.processes) for each in stays]
    now = most = 0
    moment = 0.0
    for when, _, more in sorted(changes):
        now += more
        if now > most:
            most, moment = now, when
    return tuple(each for each in stays if each.first <= moment <= each.last)


def read_trace(path: str) -> Trace:
    """Open a trace, and check all of it. Raises TraceError when it can't be used."""
    shown = one_line(path)
    try:
        plain = _plain(path)
    except (OSError, zlib.error) as error:
        why = getattr(error, "strerror", None) or error
        raise TraceError(f"{shown}: can't be read ({why}); name a file that limitkit record has written") from None
    try:
        return _read(path, shown, plain)
    except BaseException:
        plain.close()
        raise


def _read(path: str, shown: str, plain: IO[bytes]) -> Trace:
    first = plain.readline(LONGEST_LINE + 1)
    head = _line(shown, 1, first, last=False) if MARK.encode() in first else None
    if not isinstance(head, Head):
        raise TraceError(f"{shown}:1: this is no trace; name a file that limitkit record has written")
    times, offsets = array("d"), array("q")
    seconds: dict[str, array[float]] = defaultdict(lambda: array("d"))
    tail: Tail | None = None
    number, offset, unknown = 1, len(first), 0
    while raw := plain.readline(LONGEST_LINE + 1):
        number += 1
        if tail is not None:
            raise TraceError(f"{shown}:{number}: lines follow the last one; the file was put together of several")
        found = _line(shown, number, raw, last=not raw.endswith(b"\n"))
        if isinstance(found, Tail):
            tail = found
        elif isinstance(found, Message):
            times.append(found.at)
            offsets.append(offset)
            unknown += not found.sent and not found.early
            if found.seconds is not None:
                seconds[found.task].append(found.seconds)
        elif isinstance(found, Head):
            raise TraceError(f"{shown}:{number}: a second trace begins here; read each of them by itself")
        offset += len(raw)
    ordered = array("q", (offsets[at] for at in sorted(range(len(times)), key=times.__getitem__)))
    means = {task: fsum(each) / len(each) for task, each in sorted(seconds.items())}
    if tail is None:
        head = head._replace(seconds=max((*times, 0.0)))
    return Trace(path, plain, head, tail, _Index(ordered, means, unknown))


def _line(shown: str, number: int, raw: bytes, *, last: bool) -> Head | Message | Tail | None:
    """Check a line; None for the last one of a recorder that was killed as it wrote."""
    if len(raw) > LONGEST_LINE:
        raise TraceError(
            f"{shown}:{number}: the line is longer than {LONGEST_LINE:,} bytes, and a trace has none that long; "
            "name a file that limitkit record has written"
        )
    try:
        return judged(raw)
    except LineError as error:
        if last and number > 1:
            return None
        raise TraceError(f"{shown}:{number}: {error}") from None


def _plain(path: str) -> IO[bytes]:
    """Open a trace so that any line of it can be read. Raises OSError, zlib.error."""
    file: IO[bytes] = open(path, "rb")  # noqa: PTH123, SIM115 (a path as it was given; the trace keeps it open)
    try:
        packed = file.read(len(_PACKED)) == _PACKED
        file.seek(0)
    except BaseException:
        file.close()
        raise
    if not packed:
        return file
    with file:
        return _unpacked(file)


def _unpacked(file: IO[bytes]) -> IO[bytes]:
    """Unpack a trace, up to where it ends: its recorder may have been killed."""
    plain = cast("IO[bytes]", tempfile.TemporaryFile())  # noqa: SIM115 (the trace keeps it open)
    try:
        with contextlib.suppress(EOFError), gzip.GzipFile(fileobj=file) as packed:
            while plain.tell() <= _MOST_BYTES and (chunk := packed.read1(_CHUNK)):
                plain.write(chunk)
        if plain.tell() > _MOST_BYTES:
            raise OSError(0, f"it has more than {_MOST_BYTES:,} bytes once it is unpacked")  # noqa: TRY301
        plain.seek(0)
    except BaseException:
        plain.close()
        raise
    return plain


def _warnings(path: str, tail: Tail | None, index: _Index, most: int) -> Iterator[str]:
    shown = one_line(path)
    if tail is None:
        yield f"{shown}: its end is missing, since the recorder was killed; what waited or ran then is not in it"
    elif not tail.complete:
        yield f"{shown}: it is not complete, since {one_line(tail.why) or 'the recording was disturbed'}"
    if index.unknown_sendings:
        yield (
            f"{shown}: of {count(index.unknown_sendings, 'message')} it is known when a worker received them, not when "
            "they were sent: waits in queues are missing; set task_send_sent_event in the apps that send them"
        )
    yield from _comings(shown, tail, most)
    for name, behind in tail.clocks.items() if tail is not None else ():
        yield f"{shown}: the clock of {one_line(name)} was {abs(behind):g} s off, so waits are wrong by that"


def _comings(shown: str, tail: Tail | None, most: int) -> Iterator[str]:
    """Say that workers came or went, since a replay has the same ones from its beginning to its end."""
    workers = tail.workers.values() if tail is not None else ()
    came = sum(each.first > _WHOLE for each in workers)
    went = sum(tail is not None and each.last < tail.ended - _WHOLE for each in workers)
    if came or went:
        yield (
            f"{shown}: {count(came, 'worker')} came and {went} went while it was recorded; a replay has the "
            f"{count(most, 'worker')} that were there at once at most, from beginning to end"
        )
