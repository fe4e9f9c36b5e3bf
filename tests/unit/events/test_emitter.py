"""What the core tells reaches those who want it: from wherever it happens, once, and without harm."""

import logging
import os
import select

from support.listeners import Heard, in_child

from limitkit import signals
from limitkit.events import emitter
from limitkit.events.emitter import emit
from limitkit.events.event_types import (
    LimitChanged,
    StoreAsked,
    StoreFailed,
    StoreRecovered,
    TaskSentBack,
    TaskStarted,
    TaskThrottled,
)
from limitkit.events.relay import Relay

STARTED = TaskStarted(task="shop.charge")
THROTTLED = TaskThrottled(task="shop.charge", id="1", limit="stripe", wait=2.0, held=True)


def test_each_hears_what_it_wants(listen):
    all_, one = Heard(), Heard(StoreRecovered)
    listen(all_, one)
    emit(STARTED)
    emit(StoreRecovered())
    assert all_ == [STARTED, StoreRecovered()]
    assert one == [StoreRecovered()]
    emitter.unlisten(all_)
    assert not emitter.wanted(TaskStarted)
    assert emitter.wanted(StoreRecovered)


def test_one_that_raises_is_logged_once_and_hurts_nobody(listen, caplog):
    class Broken(Heard):
        def __call__(self, event):
            raise ZeroDivisionError(event)

    heard = Heard()
    listen(Broken(), heard)
    with caplog.at_level(logging.ERROR, "limitkit"):
        for _ in range(3):
            emit(STARTED)
    assert len(heard) == 3
    assert len(caplog.records) == 1


def test_what_happens_in_other_processes_is_heard_once_in_this_one(listen):
    relay, heard = Relay(), listen(Heard())
    emitter.carry_by(relay)
    in_child(lambda: [emit(TaskStarted(task=f"t{number}", late=0.5)) for number in range(100)])
    in_child(lambda: emit(THROTTLED))
    emit(STARTED)
    assert heard == [STARTED], "nothing was carried from here, and what was carried waits"
    relay.deliver()
    relay.deliver()
    assert heard[1:] == [TaskStarted(task=f"t{number}", late=0.5) for number in range(100)] + [THROTTLED]


def test_a_full_pipe_blocks_nobody_and_loses_nothing(listen):
    relay, heard = Relay(), listen(Heard())
    emitter.carry_by(relay)
    ready_out, ready_in = os.pipe()
    pid = os.fork()
    if not pid:
        try:
            number = 0
            while select.select([], [relay._in], [], 0)[1]:
                emit(TaskStarted(task=f"t{number}"))
                number += 1
            for _ in range(300):  # a page was free at most, and now it is full
                emit(TaskStarted(task=f"t{number}"))
                number += 1
            os.write(ready_in, b"%d" % number)
            while relay._pending:  # the other side reads
                select.select([], [relay._in], [])
                emit(STARTED)
        finally:
            os._exit(0)
    sent = int(os.read(ready_out, 20))
    while not os.waitpid(pid, os.WNOHANG)[0]:
        relay.deliver()
    relay.deliver()
    started = [event.task for event in heard if event != STARTED]
    assert started == [f"t{number}" for number in range(sent)]
    for end in (ready_out, ready_in):
        os.close(end)


def test_what_is_too_long_is_left_out(listen):
    relay, heard = Relay(), listen(Heard())
    emitter.carry_by(relay)
    in_child(lambda: (emit(StoreFailed(reason="x" * 5000)), emit(STARTED)))
    relay.deliver()
    assert heard == [STARTED]


def test_signals_are_sent_as_they_are_documented(listen):
    listen(signals.Signals())
    got = []

    def receiver(sender, signal, **said):
        got.append((sender, said))

    assert not emitter.wanted(TaskThrottled), "nobody has connected"
    signals.task_throttled.connect(receiver)
    signals.store_failed.connect(receiver)
    signals.limit_changed.connect(receiver)
    try:
        emit(THROTTLED)
        emit(TaskSentBack(task="shop.charge", id="1", limit="stripe", wait=1.0, throttled=True))
        emit(TaskSentBack(task="shop.charge", id="2", limit="stripe", wait=1.0))
        emit(StoreFailed(reason="gone"))
        emit(LimitChanged(limit="stripe", rate=5.0, burst=1, source="override", ends=12.0))
        emit(StoreAsked(seconds=0.1, failed=False))
    finally:
        for signal in (signals.task_throttled, signals.store_failed, signals.limit_changed):
            signal.disconnect(receiver)
    assert got == [
        ("shop.charge", {"task_id": "1", "limit": "stripe", "wait": 2.0}),
        ("shop.charge", {"task_id": "2", "limit": "stripe", "wait": 1.0}),
        (None, {"reason": "gone"}),
        ("stripe", {"rate": 5.0, "burst": 1, "source": "override", "ends": 12.0}),
    ]
