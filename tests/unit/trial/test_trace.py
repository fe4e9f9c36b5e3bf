"""A trace is read as it was written; what is wrong in it is said with its line, and a remedy."""

from __future__ import annotations

import gzip
import json

import pytest

from limitkit.trial.recording.trace_line import LONGEST_LINE
from limitkit.trial.scenario import Arrival
from limitkit.trial.trace import TraceError, read_trace

HEAD = {
    "limitkit_trace": 1,
    "began": 1_795_000_000.0,
    "seconds": 60.0,
    "workers": {"w2": {"processes": 4, "prefetch_multiplier": 2, "running": 1}, "w1": {"processes": 2}},
    "tasks": {"ask": ["limits.tenant"]},
}
FIRST = {"at": 2.0, "task": "ask", "queue": "celery", "sent": True, "kwargs": {"user": {"id": "d1"}}, "start": 2.5}
SECOND = {"at": 1.0, "task": "tell", "queue": "mail", "priority": 3, "headers": {"h": "d2"}, "start": 4.0}
TAIL = {
    "ended": 30.0,
    "complete": True,
    "why": "",
    "workers": {"w1": {"processes": 2}, "w2": {"processes": 4}, "w3": {"processes": 3}},
    "clocks": {},
}
REMEDY = "remove the line, or record again"


NAME = "name a file that limitkit record has written"
UNKNOWN = (
    "when a worker received them, not when they were sent: waits in queues are missing; set task_send_sent_event in "
    "the apps that send them"
)


@pytest.fixture
def write(tmp_path):
    def write(*lines, end="\n", packed=False):
        texts = [each if isinstance(each, str) else json.dumps(each) for each in lines]
        path = tmp_path / "t.trace"
        raw = ("\n".join(texts) + end).encode("utf-8", "surrogatepass")
        path.write_bytes(gzip.compress(raw) if packed else raw)
        return str(path)

    return write


def message(**fields):
    return {"at": 1.0, "task": "ask", "queue": "celery", **fields}


@pytest.mark.parametrize("packed", [False, True])
def test_messages_come_in_the_order_of_their_arrival(write, packed):
    lines = [message(at=(7 * n) % 100 / 10, task=f"t{n}", seconds=0.5, sent=True) for n in range(100)]
    trace = read_trace(write(HEAD, *lines, TAIL, packed=packed))
    found = list(trace.arrivals())
    assert len(trace) == len(found) == 100
    assert [each.at for each in found] == sorted(each["at"] for each in lines)
    assert {each.task for each in found} == {each["task"] for each in lines}
    assert list(trace.arrivals()) == found
    assert trace.warnings == ()


def test_a_message_is_as_it_was_written(write):
    trace = read_trace(write(HEAD, {**FIRST, "seconds": 0.25}, {**SECOND, "earlier": 3.0}, TAIL))
    assert list(trace.arrivals()) == [
        Arrival(1.0, "tell", (), {}, "mail", {"h": "d2"}, 3, None),
        Arrival(2.0, "ask", (), {"user": {"id": "d1"}}, "celery", {}, 0, 0.25),
    ]
    assert list(trace.observed()) == [(1.0, "tell", 4.0, True), (2.0, "ask", 2.5, False)]


def test_a_replay_has_the_workers_and_what_is_not_known_of_tasks_on_average(write):
    lines = [message(seconds=each) for each in (0.1, 0.2, 0.6)]
    trace = read_trace(write(HEAD, *lines, message(start=1.0), TAIL))
    scenario = trace.scenario()
    assert (scenario.workers, scenario.processes, scenario.begins) == (3, 3, HEAD["began"])
    assert scenario.task_seconds == {"ask": pytest.approx(0.3)}
    assert len(list(scenario.arrivals)) == 4
    assert trace.seconds == 30.0
    assert trace.limits == {"ask": ("limits.tenant",)}


def stays(**moments):
    return {name: {"processes": 2, "first": first, "last": last} for name, (first, last) in moments.items()}


def test_who_replaced_a_worker_is_not_added_to_it(write):
    workers = stays(a=(0.0, 9.0), b=(0.0, 12.0), c=(9.5, 30.0), d=(12.5, 30.0))
    trace = read_trace(write({**HEAD, "workers": {}}, {**TAIL, "workers": workers}))
    assert (trace.scenario().workers, trace.scenario().processes) == (2, 2)
    (warning,) = trace.warnings
    assert warning.split(": ", 1)[1] == (
        "2 workers came and 2 went while it was recorded; a replay has the 2 workers that were there at once at most, "
        "from beginning to end"
    )


def test_those_are_replayed_that_had_the_most_processes_together(write):
    workers = {**stays(a=(0.0, 9.0), b=(0.0, 9.0), c=(8.0, 30.0)), "d": {"processes": 16, "first": 10.0, "last": 20.0}}
    trace = read_trace(write({**HEAD, "workers": {}}, {**TAIL, "workers": workers}))
    assert [each.processes for each in trace.at_once] == [2, 16]
    assert trace.scenario().processes == 9


@pytest.mark.parametrize(("first", "last"), [(5.0, 30.0), (0.0, 25.0), (0.0, 31.5)])
def test_one_that_is_heard_a_little_late_was_there_all_the_time(write, first, last):
    assert (
        read_trace(write({**HEAD, "workers": {}}, {**TAIL, "workers": stays(w=(first, last), v=(0.0, 30.0))})).warnings
        == ()
    )


def test_a_recording_that_was_killed_is_read_up_to_its_last_whole_line(write):
    for lines, end in (([HEAD, FIRST], "\n"), ([HEAD, FIRST, '{"at":3.0,"ta'], ""), ([HEAD, FIRST], "")):
        trace = read_trace(write(*lines, end=end))
        assert [each.at for each in trace.arrivals()] == [2.0]
        (warning,) = trace.warnings
        assert warning.endswith(
            "its end is missing, since the recorder was killed; what waited or ran then is not in it"
        )


def test_a_packed_one_that_was_killed_is_read_too(tmp_path):
    path = tmp_path / "t.trace.gz"
    text = "\n".join(json.dumps(each) for each in (HEAD, *[message(sent=True, at=n) for n in range(50)], TAIL))
    path.write_bytes(gzip.compress(text.encode())[:-20])
    trace = read_trace(str(path))
    assert 0 < len(trace) <= 50
    assert "its end is missing" in trace.warnings[0]


def test_what_makes_it_less_exact_is_said(write):
    tail = {**TAIL, "complete": False, "why": "the file is full", "clocks": {"w1": -5.0}}
    trace = read_trace(write(HEAD, FIRST, SECOND, message(earlier=1), tail))
    assert [each.split(": ", 1)[1] for each in trace.warnings] == [
        "it is not complete, since the file is full",
        f"of 1 message it is known {UNKNOWN}",
        "the clock of w1 was 5 s off, so waits are wrong by that",
    ]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("{", f"this is no JSON; {REMEDY.replace('the line', 'the line')}"),
        ("[" * 100_000, f"this is no JSON; {REMEDY}"),
        ("1" * 5_000, f"this is no JSON; {REMEDY}"),
        ("[1]", f"this is no JSON object; {REMEDY}"),
        ('{"at": NaN}', f"this is no JSON; {REMEDY}"),
        ('{"at": 1e999, "task": "a", "queue": ""}', f"at is no number from 0 to 3.16224e+07; {REMEDY}"),
        (message(at=-1), f"at is no number from 0 to 3.16224e+07; {REMEDY}"),
        (message(at=True), f"at is no number from 0 to 3.16224e+07; {REMEDY}"),
        (message(at="1"), f"at is no number from 0 to 3.16224e+07; {REMEDY}"),
        (message(seconds=-0.5), f"seconds is no number from 0 to 3.16224e+07; {REMEDY}"),
        (message(start=0.5), f"it started at 0.5 s, before it arrived at 1 s; {REMEDY}"),
        (message(task=""), f"task is no name of up to 500 characters; {REMEDY}"),
        (message(queue="q" * 501), f"queue is no name of up to 500 characters; {REMEDY}"),
        (message(queue=None), f"queue is no name of up to 500 characters; {REMEDY}"),
        (message(priority=1.5), f"priority is no whole number; {REMEDY}"),
        (message(kwargs=[1]), f"kwargs is no object; {REMEDY}"),
        (message(kwargs={"a": [1]}), f"kwargs has other values than digests and numbers; {REMEDY}"),
        (message(kwargs={"a": None}), f"kwargs has other values than digests and numbers; {REMEDY}"),
        (message(headers={"a": True}), f"headers has other values than digests and numbers; {REMEDY}"),
        (message(kwargs={"a": "x" * 501}), f"a text in kwargs is longer than a digest; {REMEDY}"),
        (message(kwargs={"a": 10**16}), f"a number in kwargs is too large; {REMEDY}"),
        (
            '{"at":1,"task":"a","queue":"","kwargs":{"a":1e999}}',
            f"kwargs has other values than digests and numbers; {REMEDY}",
        ),
        (message(kwargs={str(n): n for n in range(201)}), f"kwargs has more values than limits read; {REMEDY}"),
        (
            message(kwargs=json.loads('{"a":' * 30 + "1" + "}" * 30)),
            f"kwargs has more values than limits read; {REMEDY}",
        ),
        (HEAD, "a second trace begins here; read each of them by itself"),
        (
            " " * (LONGEST_LINE + 1),
            "the line is longer than 1,000,000 bytes, and a trace has none that long; " + NAME,
        ),
        ({**TAIL, "workers": {"w": {"last": "soon"}}}, 'the numbers of worker "w" are none; record again'),
        ({**TAIL, "workers": {"w": {"first": -0.5}}}, 'the numbers of worker "w" are none; record again'),
        ({**TAIL, "workers": {"w": {"processes": 1.5}}}, 'the numbers of worker "w" are none; record again'),
        ({**TAIL, "workers": {"w": {"processes": -1}}}, 'the numbers of worker "w" are none; record again'),
    ],
)
def test_a_wrong_line_is_refused(write, line, said):
    path = write(HEAD, FIRST, line, SECOND, TAIL)
    with pytest.raises(TraceError) as raised:
        read_trace(path)
    assert str(raised.value) == f"{path}:3: {said}"


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ([""], ":1: this is no trace; name a file that limitkit record has written"),
        (["[limitkit_trace"], ":1: this is no JSON; remove the line, or record again"),
        ([FIRST], ":1: this is no trace; name a file that limitkit record has written"),
        ([HEAD, TAIL, FIRST], ":3: lines follow the last one; the file was put together of several"),
        ([{**HEAD, "began": "x"}], ":1: began is no number from 0 to 2.5e+11; remove the line, or record again"),
        (
            [{**HEAD, "limitkit_trace": 2}],
            ':1: its version is "2", and this limitkit reads 1; read it with the limitkit that has written it',
        ),
    ],
)
def test_a_wrong_file_is_refused(write, lines, said):
    path = write(*lines)
    with pytest.raises(TraceError) as raised:
        read_trace(path)
    assert str(raised.value) == path + said


def test_a_file_that_is_none_is_refused(tmp_path):
    with pytest.raises(TraceError) as raised:
        read_trace(str(tmp_path / "none"))
    assert str(raised.value).endswith(
        "none: can't be read (No such file or directory); name a file that limitkit record has written"
    )
    broken = tmp_path / "broken.gz"
    broken.write_bytes(gzip.compress(b"x" * 1000)[:12])
    with pytest.raises(TraceError, match="this is no trace"):
        read_trace(str(broken))


def test_what_is_unpacked_is_bounded(write, monkeypatch):
    path = write(HEAD, *[FIRST] * 1000, TAIL, packed=True)
    monkeypatch.setattr("limitkit.trial.trace._MOST_BYTES", 10_000)
    with pytest.raises(TraceError, match="it has more than 10,000 bytes once it is unpacked"):
        read_trace(path)
