"""A rate that a schedule changes at a minute of the wall clock, in workers whose own clocks are wrong."""

import time
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone

from support.measure import excess, promised
from support.scene import Scene, config, limit
from support.workers import ROOT

_STEP = 0.05
_WATCHED = 3.0
_SOON = 15.0
"""Seconds before the first change at which workers must be ready."""


@dataclass(frozen=True)
class Scheduled:
    up: float
    """Seconds after the store's minute until tasks start at 0.9 of the higher rate, seen over three seconds."""
    down: float
    """Seconds after the store's later minute until no stretch has more starts than the lower rate promises."""
    early: float
    """By how much the starts before the first minute go over the lower rate."""
    used: float
    """Starts in the minute, over what the higher rate allows."""
    lost: int
    twice: int


def scheduled(low=5, high=20, *, ahead=(1.0, -1.0)):
    """Raise a rate for a minute, in two workers whose clocks are ahead by so much; the store's clock is right."""
    wall = time.time() + _SOON
    begin = datetime.fromtimestamp(wall - wall % 60 + 60, timezone.utc)
    end = begin + timedelta(minutes=1)
    when = f'schedule = [{{ from = "{begin:%H:%M}", to = "{end:%H:%M}", rate = "{high}/s" }}]\n'
    with Scene(config(limit("paid", f"{low}/s"), when)) as scene:
        for number, seconds in enumerate(ahead):
            path = f"{ROOT / 'tests/support/shifted'}:{scene.shop.env['PYTHONPATH']}"
            env = {"CLOCK_AHEAD": str(seconds), "PYTHONPATH": path}
            scene.shop.start_worker(name=f"ahead{number}", env=env, wait=False)
        for worker in scene.shop.workers:
            worker.wait_ready()
        assert time.time() < begin.timestamp() - 3, "the machine is too slow to have workers ready in time"
        offset = time.time() - time.monotonic()
        raised, lowered = (at.timestamp() - offset for at in (begin, end))
        scene.send([("paid", ())] * round(low * 100 + high * 65))
        scene.wait(lambda: time.monotonic() > lowered + 8, 200)
        times = scene.shop.times("paid")

        def between(since, until):
            return [at for at in times if since <= at < until]

        def first(holds):
            return next((step * _STEP for step in range(140) if holds(step * _STEP)), float("inf"))

        return Scheduled(
            up=first(lambda late: len(between(raised + late, raised + late + _WATCHED)) >= 0.9 * high * _WATCHED),
            down=first(lambda late: excess(between(lowered + late, lowered + 8), low) <= promised(low)),
            early=excess(between(0, raised), low),
            used=len(between(raised, lowered)) / (60 * high),
            **scene.tally(),
        )
