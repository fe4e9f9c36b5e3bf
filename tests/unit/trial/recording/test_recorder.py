"""How entries of workers become lines of a trace, whichever come first."""

from __future__ import annotations

import gzip
import json
import os
import resource
import stat
from contextlib import suppress

import pytest

from limitkit.trial.recording.recorder import Recorder
from limitkit.trial.recording.trace_file import NotReplacedError, TraceFile, UnwritableError

BEGAN = 1_795_000_000.0


@pytest.fixture
def write(tmp_path):
    """Return a recorder, and what reads back the lines that it has written."""
    path = tmp_path / "t.trace"
    file = TraceFile(str(path), 1_000_000)
    file.begin({})
    recorder = Recorder(file, BEGAN)

    def lines():
        recorder.write_rest()
        file.close()
        return [json.loads(each) for each in path.read_text().splitlines()[1:]]

    return recorder, lines


def came(key, at, *, received=None, task="ask", queue="celery", priority=0, kwargs=None, headers=None):
    return ["came", key, task, queue, priority, BEGAN + at, BEGAN + (received or at), kwargs or {}, headers or {}]


def sent(id_, at, **fields):
    return {"type": "task-sent", "uuid": id_, "retries": 0, "timestamp": at and BEGAN + at, **fields}


def test_a_message_is_one_line(write):
    recorder, lines = write
    recorder.take_in(came("a/0", 1.5, priority=3, kwargs={"n": 5}, headers={"h": "d"}))
    recorder.take_in(["ran", "a/0", BEGAN + 2.25, 0.125])
    whole = {"at": 1.5, "task": "ask", "queue": "celery", "priority": 3, "kwargs": {"n": 5}, "headers": {"h": "d"}}
    assert lines() == [{**whole, "start": 2.25, "seconds": 0.125}]
    assert (recorder.messages, recorder.started, recorder.by_sending) == (1, 1, 0)


def test_its_arrival_is_when_it_was_sent_where_that_is_known(write):
    recorder, lines = write
    for each in (sent("a", 1.0), sent("b", 1.0, eta="2030-01-01"), sent("c", 1.0), sent("d", 1e300), sent("e", None)):
        recorder.sent(each)
    for key in "abd":
        recorder.take_in(came(f"{key}/0", 1.5))
    found = [(each["at"], each.get("sent")) for each in lines()]
    assert found == [(1.0, True), (1.5, None), (1.5, None)]
    assert (recorder.by_sending, recorder.not_received) == (1, 1)


def test_what_was_parked_counts_from_its_first_arrival_whichever_worker_tells_first(write):
    recorder, lines = write
    recorder.take_in(came("a/0", 1.0))
    recorder.take_in(came("a/0", 1.0, received=5.0))
    recorder.take_in(["ran", "a/0", BEGAN + 5.5, 1.0])
    recorder.take_in(came("b/0", 1.0, received=2.0))
    recorder.take_in(["ran", "b/0", BEGAN + 2.5, 1.0])
    recorder.take_in(came("b/0", 1.0))  # by the worker that has parked it
    assert [(each["at"], each["start"]) for each in lines()] == [(1.0, 5.5), (1.0, 2.5)]


def test_what_is_sent_once_more_is_another_message(write):
    recorder, lines = write
    recorder.take_in(came("a/0", 1.0))
    recorder.take_in(["ran", "a/0", BEGAN + 2.0, 0.5])
    recorder.take_in(came("a/0", 1.0, received=4.0))
    recorder.take_in(["ran", "a/0", BEGAN + 4.5, 0.5])
    assert [(each["at"], each["start"]) for each in lines()] == [(1.0, 2.0), (2.5, 4.5)]


def test_what_has_not_started_has_no_start(write):
    recorder, lines = write
    for key in "abc":
        recorder.take_in(came(f"{key}/0", 1.0))
    recorder.take_in(["gone", "b/0", BEGAN + 2.0])
    recorder.take_in(["ran", "c/0", BEGAN + 2.0, None])
    recorder.take_in(["ran", "unknown/0", BEGAN + 2.0, 1.0])
    assert [each.get("start") for each in lines()] == [None, 2.0, None]
    assert (recorder.messages, recorder.started) == (3, 1)


def test_what_had_come_before_is_marked(write):
    recorder, lines = write
    recorder.take_in(came("a/0", -7.5))
    assert lines() == [{"at": 0.0, "task": "ask", "queue": "celery", "earlier": 7.5}]


def test_no_start_is_before_its_arrival(write):
    recorder, lines = write
    recorder.take_in(came("a/0", 1.0))
    recorder.take_in(["ran", "a/0", BEGAN + 0.9, 0.1])
    assert lines()[0]["start"] == 1.0


@pytest.mark.parametrize(
    "entry",
    [
        None,
        [],
        ["came"],
        ["other", "a/0"],
        [["came"], "a/0"],
        came("a/0", float("nan")),
        came("a/0", 1e300),
        came("a/0", 1.0, task=7),
        came("a/0", 1.0, queue="q" * 501),
        came("a/0", 1.0, kwargs={"n": float("inf")}),
        came("a/0", 1.0)[:-1],
        ["ran", "a/0", None, 1.0],
        ["ran", "a/0", BEGAN, -1.0],
        ["ran", "a/0", BEGAN, "1"],
        ["gone", "a/0"],
    ],
)
def test_entries_of_a_wrong_shape_are_counted(write, entry):
    recorder, lines = write
    recorder.take_in(entry)
    assert (recorder.refused, lines()) == (1, [])


def test_it_is_full_while_there_is_room_for_what_waits(tmp_path):
    path, most = tmp_path / "t.trace", 100_000
    file = TraceFile(str(path), most)
    file.begin({})
    recorder = Recorder(file, BEGAN)
    number = 0
    while not recorder.is_full:
        recorder.take_in(came(f"{number}/0", 1.0))
        number += 1
    for each in range(number):
        recorder.take_in(["ran", f"{each}/0", BEGAN + 100_000.123456, 100_000.123456])
    recorder.write_rest()
    file.end({"why": "x" * 10_000})
    assert number > 500
    assert 0.8 * most < path.stat().st_size <= most


@pytest.mark.parametrize("name", ["t.trace", "t.trace.gz"])
def test_a_trace_is_its_owners_alone_and_whole_up_to_the_last_flush(tmp_path, name):
    path = tmp_path / name
    before = os.umask(0)
    try:
        file = TraceFile(str(path), 1_000_000)
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    file.begin({"began": 1})
    file.flush()
    raw = path.read_bytes()
    if name.endswith("gz"):
        with path.open("rb") as packed:
            raw = gzip.GzipFile(fileobj=packed).read1(1000)
    assert json.loads(raw) == {"limitkit_trace": 1, "began": 1}
    file.close()
    with pytest.raises(FileExistsError):
        TraceFile(str(path), 1_000_000)


@pytest.fixture
def small_disk():
    """Have no file grow beyond some hundred bytes."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (500, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_what_is_replaced_stays_until_the_first_line_is_written(tmp_path):
    path = tmp_path / "t.trace"
    path.write_text("kept")
    path.chmod(0o644)
    file = TraceFile(str(path), 1_000_000, replace=True)
    assert path.read_text() == "kept"
    (other,) = (each for each in tmp_path.iterdir() if each != path)
    assert stat.S_IMODE(other.stat().st_mode) == 0o600
    file.begin({"began": 1})
    assert json.loads(path.read_text()) == {"limitkit_trace": 1, "began": 1}
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    file.close()
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("there", [False, True])
def test_one_that_has_not_begun_leaves_nothing_of_its_own(tmp_path, there):
    path = tmp_path / "t.trace"
    if there:
        path.write_text("kept")
    TraceFile(str(path), 1_000_000, replace=True).close()
    assert [each.read_text() for each in tmp_path.iterdir()] == ["kept"] * there


@pytest.mark.parametrize("replace", [False, True])
@pytest.mark.parametrize("kind", ["folder", "pipe", "symlink", "dangling"])
def test_only_a_regular_file_is_replaced(tmp_path, kind, replace):
    path, target = tmp_path / "t.trace", tmp_path / "target"
    if kind == "folder":
        path.mkdir()
    elif kind == "pipe":
        os.mkfifo(path)
    else:
        path.symlink_to(target)
    if kind == "symlink":
        target.write_text("kept")
        target.chmod(0o644)
    before = [(each.name, each.lstat().st_mode) for each in sorted(tmp_path.iterdir())]
    with pytest.raises(NotReplacedError):
        TraceFile(str(path), 1_000_000, replace=replace)
    with pytest.raises(NotReplacedError):
        TraceFile("/dev/null", 1_000_000, replace=replace)
    assert [(each.name, each.lstat().st_mode) for each in sorted(tmp_path.iterdir())] == before


def test_what_became_no_regular_file_meanwhile_is_not_replaced(tmp_path):
    path = tmp_path / "t.trace"
    path.write_text("old")
    file = TraceFile(str(path), 1_000_000, replace=True)
    path.unlink()
    path.symlink_to("/dev/null")
    with pytest.raises(UnwritableError, match="it is no regular file"):
        file.begin({})
    file.close()
    assert [each.name for each in tmp_path.iterdir()] == ["t.trace"]


@pytest.mark.usefixtures("small_disk")
def test_a_full_disk_is_said_and_keeps_what_was_to_be_replaced(tmp_path):
    path = tmp_path / "t.trace"
    path.write_text("kept")
    file = TraceFile(str(path), 1_000_000, replace=True)
    with pytest.raises(UnwritableError, match="File too large"):
        file.begin({"tasks": ["x" * 1000]})
    with suppress(UnwritableError):
        file.close()
    assert [each.read_text() for each in tmp_path.iterdir()] == ["kept"]
