"""Plays a life on the virtual clock, and looks at what is left when it is over."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from limitkit.trial.play import play
from search.story import Story

if TYPE_CHECKING:
    from search.life import Life

_STAYS = ("limitkit:waiting:clock", "limitkit:waiting:order")
"""Two numbers, which Redis drops when nobody has asked for them for some time."""
_AFTER = 6.0
"""Seconds that go by before one looks: who was told something has done it then."""
_LEASES = 70.0
"""Seconds after which the slots of workers that were killed are free."""


def played(life: Life) -> Story:
    """Play a life."""
    left: list[str] = []

    def look(world: Any) -> None:
        if world.outcome.complete:
            harsh = any(
                "kill" in each or "disconnect" in each or "store" in each for each in life.test.get("fault", ())
            )
            world.timeline.run(world.clock.now + (_LEASES if harsh else _AFTER), lambda: False)
            left.extend(leftovers(world))

    outcome = play(life.rules(), life.scenario(), seed=life.seed, look=look)
    return Story(life, outcome, left)


def leftovers(world: Any) -> list[str]:
    """Say what is left in a world in which nothing is to be done any more."""
    found = [f"{count} slots of {key} are taken" for key, count in world._shared.all_running().items()]
    data = world.broker.commands.data
    found += [
        f"{key} in Redis: {value!r:.100}"
        for key, value in data.items()
        if value and ":waiting:" in key and key not in _STAYS
    ]
    found += [f"{key} in Redis: {value!r:.100}" for key, value in data.items() if value and key.startswith("unacked")]
    for worker in world.workers.values():
        if not worker.gone:
            found += [f"{worker.name}: {what}" for what in _left_in(worker)]
    return found


def _left_in(worker: Any) -> list[str]:
    pacer = worker.pacer
    timer, processes = pacer._lane_timer, pacer._processes
    semaphore, qos = worker._semaphore, worker._consumer.qos
    there = {
        "held": len(pacer._lanes.held),
        "lanes": len(pacer._lanes),
        "in line": len(timer.line),
        "in the heap": len(timer._heap),
        "processes": (processes.free, processes._kept, processes._claims),
        "semaphore": (semaphore.value, len(semaphore._waiting)),
        "window": qos.value,
        "leases": len(pacer.leases),
        "leaving": len(worker._parking.leaving),
        "in the pool": len(worker.pool),
        "unacked": len(worker.unacked),
    }
    empty = {
        "processes": (0, 0, 0),
        "semaphore": (semaphore.initial_value, 0),
        "window": worker._prefetch,
    }
    return [f"{name} {value}" for name, value in there.items() if value != empty.get(name, 0)]
