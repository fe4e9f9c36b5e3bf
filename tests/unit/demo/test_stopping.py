"""Ctrl-C and the like are noted at once, and heard where it suits."""

import os
import signal

import pytest

from limitkit.demo import stopping
from limitkit.demo.stopping import StoppedError, Stopping


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_is_heard_once_and_where_it_suits(number):
    before = signal.signal(number, signal.SIG_DFL)
    try:
        with Stopping() as stop:
            stop.check()
            os.kill(os.getpid(), number)
            os.kill(os.getpid(), number)
            with pytest.raises(StoppedError) as error:
                stop.check()
            assert error.value.number == number
            os.kill(os.getpid(), number)
            stop.check()
        assert signal.getsignal(number) == signal.SIG_DFL
    finally:
        signal.signal(number, before)


def test_what_is_ignored_stays_ignored():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with Stopping() as stop:
            os.kill(os.getpid(), signal.SIGHUP)
            stop.check()
    finally:
        signal.signal(signal.SIGHUP, before)


def test_where_nothing_checks_another_one_later_does_not_wait(monkeypatch):
    monkeypatch.setattr(stopping, "_PATIENCE", -1.0)
    before = signal.signal(signal.SIGTERM, signal.SIG_DFL)
    try:
        with Stopping():
            os.kill(os.getpid(), signal.SIGTERM)
            with pytest.raises(StoppedError):
                os.kill(os.getpid(), signal.SIGTERM)
    finally:
        signal.signal(signal.SIGTERM, before)
