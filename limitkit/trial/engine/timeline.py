"""The virtual clock and what happens on it: events in the order of their times, each the work of one actor.

An actor does one thing at a time, as a worker's main process does: what comes while it is busy waits for it. So time
that one worker needs for a call delays nothing in another.
"""

from __future__ import annotations

import heapq
import itertools
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable

BEGINS: Final = 1000.0
"""The monotonic time at which a play begins: not 0, which may mean never."""
_LOOK: Final = 1e-6
"""Seconds that pass from one look at the clock to the next, so that a loop that waits for a time comes to it."""
_MOST_LOOKS: Final = 100_000
_MOST_AT_ONCE: Final = 20_000
_EACH: Final = 1_000
"""After how many events somebody who waits is told how far it is: some 50 ms."""
_MOST_OF_ONE: Final = 500


class SpinError(BaseException):
    """What is played goes round and round without time passing; not an Exception, which the pacer would survive."""


class Clock:
    """The time as what is played sees it; see ``limitkit.clock.Clock``."""

    def __init__(self, begins: float) -> None:
        """``begins`` is the start in seconds since 1970."""
        self.epoch = begins - BEGINS
        """The time since 1970 at the monotonic time 0."""
        self.now = BEGINS
        """The monotonic time, as the actor whose turn it is sees it."""
        self.looks = 0
        self.sleeper: Callable[[float], None] | None = None
        """Lets the thread that sleeps go on later; None where nobody may sleep."""

    def monotonic(self) -> float:
        """Return the monotonic time in seconds."""
        self.looks += 1
        if self.looks > _MOST_LOOKS:
            raise SpinError(f"the clock was looked at {_MOST_LOOKS:,} times within one event")
        self.now += _LOOK
        return self.now

    def time(self) -> float:
        """Return seconds since 1970."""
        return self.epoch + self.monotonic()

    def sleep(self, seconds: float, /) -> None:
        """Go on after so many seconds."""
        if self.sleeper is None:
            self.now += seconds
        else:
            self.sleeper(seconds)


class ServerClock:
    """The clock of a server that several actors ask: it never goes back, as their own times may by a little."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._last = 0.0

    def monotonic(self) -> float:
        """Return the monotonic time in seconds."""
        self._last = max(self._last, self._clock.monotonic())
        return self._last

    def time(self) -> float:
        """Return seconds since 1970."""
        return self._clock.epoch + self.monotonic()

    def sleep(self, seconds: float, /) -> None:
        """Go on after so many seconds."""
        self._clock.sleep(seconds)


class Actor:
    """Whoever does one thing at a time."""

    def __init__(self) -> None:
        self.busy_until = 0.0
        self.gone = False
        """Whether it does nothing any more."""

    def after(self) -> None:
        """Do what follows each of its events."""


class Event:
    """A call that is to be made."""

    __slots__ = ("actor", "args", "call")

    def __init__(self, call: Callable[..., Any] | None, args: tuple[Any, ...], actor: Actor | None) -> None:
        self.call, self.args, self.actor = call, args, actor

    def cancel(self) -> None:
        """Don't make it."""
        self.call = None


class Timeline:
    """All that is to happen."""

    def __init__(self, clock: Clock, actors: int = 1) -> None:
        """``actors`` is about how many there are: each may do many things in one moment."""
        self.clock = clock
        self._most_at_once = _MOST_AT_ONCE + _MOST_OF_ONE * actors
        self._events: list[tuple[float, float, int, Event]] = []
        """When each is made at the earliest, for when it was meant, and its number."""
        self._numbers = itertools.count()

    def at(self, when: float, call: Callable[..., Any], *args: Any, actor: Actor | None = None) -> Event:
        """Have a call made at that time, or as soon as the actor is free."""
        event = Event(call, args, actor)
        heapq.heappush(self._events, (when, when, next(self._numbers), event))
        return event

    def run(self, until: float, is_over: Callable[[], bool], tell: Callable[[], None] | None = None) -> None:
        """Let happen what is due up to that time, or until it is over; ``tell`` is called now and then."""
        events, clock, last, at_once = self._events, self.clock, -1.0, 0
        to_tell = _EACH if tell is not None else -1
        while events:
            when, meant, number, event = events[0]
            if when > until:
                break
            heapq.heappop(events)
            call, actor = event.call, event.actor
            if call is None or (actor is not None and actor.gone):
                continue
            if actor is not None and actor.busy_until > when:
                heapq.heappush(events, (actor.busy_until, meant, number, event))
                continue
            at_once = at_once + 1 if when == last else 0
            if at_once > self._most_at_once:
                raise SpinError(f"{at_once:,} events at {when:.6f} s")
            last = clock.now = when
            clock.looks = 0
            call(*event.args)
            if actor is not None:
                actor.after()
                actor.busy_until = clock.now
            if is_over():
                return
            to_tell -= 1
            if to_tell == 0 and tell is not None:
                tell()
                to_tell = _EACH
        clock.now = max(clock.now, until) if not is_over() else clock.now
