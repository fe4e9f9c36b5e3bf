"""Rates that are changed in the middle of a drain: how soon the starts show it, and what a flood of changes costs."""

import threading
import time
from dataclasses import dataclass

from limitkit import RateLimitManager
from support.measure import excess, promised
from support.scene import Scene, config, limit

_STEP = 0.05
_WATCHED = 3.0


@dataclass(frozen=True)
class Changed:
    up: float
    """Seconds from a change of 20/s to 100/s until tasks start at 0.9 of it, seen over three seconds."""
    down: float
    """Seconds from a change of 100/s to 5/s until no window has more starts than that promises."""
    efficiency: float
    """Starts under a flood of changes, over the slower of the rates that they alternate between."""
    excess: float
    """By how much they go over the faster one."""
    lost: int
    twice: int


def changed(seconds=30.0, changes=50):
    """Change a limit on two workers: up, down, and then so many times a second."""
    with Scene(config(limit("paid", "20/s")), own_store=True) as scene:
        scene.shop.start_workers(2)
        manager = RateLimitManager(scene.shop.app, scene.shop.folder / "ratelimits.toml")
        scene.send([("paid", ())] * round(800 + 50 * seconds))
        scene.wait_for({"paid": 40})
        raised = _set(manager, "100/s")
        _watch(scene, 6.0)
        lowered = _set(manager, "5/s")
        _watch(scene, 6.0)
        _set(manager, "45/s")
        _watch(scene, 3.0)
        began = time.monotonic()
        flood = threading.Thread(target=_flood, args=(manager, began + seconds, 1 / changes))
        flood.start()
        _watch(scene, seconds)
        flood.join()
        times = scene.shop.times("paid")
        during = _between(times, began, began + seconds)
        return Changed(
            up=_until(lambda late: len(_between(times, raised + late, raised + late + _WATCHED)) >= 90 * _WATCHED),
            down=_until(lambda late: excess(_between(times, lowered + late, lowered + 6), 5) <= promised(5)),
            efficiency=len(during) / (45 * seconds),
            excess=excess(during, 50),
            **scene.tally(),
        )


def _set(manager, rate):
    manager.adjust_rate("paid", rate)
    return time.monotonic()


def _flood(manager, until, pause):
    number = 0
    while time.monotonic() < until:
        number += 1
        manager.adjust_rate("paid", ("45/s", "50/s")[number % 2], reason=str(number))
        time.sleep(pause)


def _watch(scene, seconds):
    until = time.monotonic() + seconds
    scene.wait(lambda: time.monotonic() >= until, seconds + 10)


def _between(times, since, until):
    return [at for at in times if since <= at < until]


def _until(holds):
    """The first of a row of moments at which something holds."""
    return next((step * _STEP for step in range(200) if holds(step * _STEP)), float("inf"))
