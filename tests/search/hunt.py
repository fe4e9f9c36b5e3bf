"""Plays one random life after another, on all cores, and keeps those in which a promise is broken."""

from __future__ import annotations

import itertools
import multiprocessing
import signal
import time
import traceback
from dataclasses import dataclass, field
from random import Random
from typing import TYPE_CHECKING, Any, NamedTuple

from limitkit.errors import ConfigError
from search.life import Life
from search.played import played
from search.promises import judge
from search.random_config import chance, random_config
from search.random_scenario import random_test
from search.random_scene import PART, play_scene
from search.story import Broken

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

LONGEST_LIFE = 60
"""Seconds of one core after which a life is held to go round and round."""


class Found(NamedTuple):
    """What one life has shown."""

    number: int
    messages: int
    virtual: float
    """Seconds of the virtual clock."""
    broken: tuple[Broken, ...]


@dataclass
class Tally:
    """What was played, and what was found."""

    lives: int = 0
    messages: int = 0
    virtual: float = 0.0
    seconds: float = 0.0
    found: list[Found] = field(default_factory=list)

    def add(self, found: Found) -> None:
        """Count one life."""
        self.lives += 1
        self.messages += found.messages
        self.virtual += found.virtual
        if found.broken:
            self.found.append(found)


def life_of(number: int) -> Life:
    """Make up the life of a number: the same one each time, and one whose config is accepted."""
    rnd = Random(number)
    while True:
        config = random_config(rnd)
        test = random_test(rnd, config, number)
        if chance(rnd, PART):
            play_scene(rnd, config, test)
        life = Life(config, test)
        try:
            life.rules()
        except ConfigError:
            continue
        return life


def broken_in(life: Life) -> tuple[tuple[Broken, ...], Any]:
    """Play a life; returns the promises that it breaks, and its outcome; an exception breaks one too."""
    try:
        story = played(life)
    except Exception as error:  # noqa: BLE001 (whatever it is, it was found)
        where = traceback.extract_tb(error.__traceback__)[-1]
        what = f"{type(error).__name__}: {error} ({where.filename.rpartition('/')[2]}, {where.name})"
        return (Broken("no exception", what),), None
    return tuple(judge(story)), story.outcome


def live(number: int) -> Found:
    """Play the life of a number, and judge it."""
    broken, outcome = broken_in(life_of(number))
    if outcome is None:
        return Found(number, 0, 0.0, broken)
    return Found(number, len(outcome.runs), outcome.ended, broken)


def hunt(
    seed: int, *, seconds: float, lives: int | None = None, cores: int = 2, stop: Callable[[Found], bool]
) -> Tally:
    """Play until the time is over, so many lives were played, or ``stop`` says so of one; Ctrl-C ends it too."""
    began, tally = time.monotonic(), Tally()
    numbers = (
        itertools.count(seed * 1_000_000) if lives is None else iter(range(seed * 1_000_000, seed * 1_000_000 + lives))
    )
    try:
        for found in _lived(numbers, cores, began + seconds):
            tally.add(found)
            if found.broken and stop(found):
                break
    except KeyboardInterrupt:
        pass
    tally.seconds = time.monotonic() - began
    return tally


def _lived(numbers: Iterator[int], cores: int, until: float) -> Iterator[Found]:
    in_time = itertools.takewhile(lambda _: time.monotonic() < until, numbers)
    if cores == 1:
        yield from map(_bounded, in_time)
        return
    with multiprocessing.get_context("spawn").Pool(cores, _ignore_ctrl_c) as pool:
        ahead: list[Any] = []
        for number in in_time:
            ahead.append(pool.apply_async(_bounded, (number,)))
            if len(ahead) > 4 * cores:
                yield ahead.pop(0).get()
        for each in ahead:
            yield each.get()


def _ignore_ctrl_c() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)


class _TooLongError(BaseException):
    """Not an Exception, which what is played would survive."""


def _bounded(number: int) -> Found:
    def on_alarm(*_: object) -> None:
        raise _TooLongError

    before = signal.signal(signal.SIGPROF, on_alarm)
    signal.setitimer(signal.ITIMER_PROF, LONGEST_LIFE)
    try:
        return live(number)
    except _TooLongError:
        return Found(number, 0, 0.0, (Broken("ends", f"it was not over after {LONGEST_LIFE} s of a core"),))
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)
