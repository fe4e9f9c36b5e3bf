"""The first row's work under limitkit and under other ways to limit it."""

from dataclasses import dataclass

from support.measure import efficiency, excess
from support.scene import Scene, config, limit

WAYS = {
    "limitkit": "limitkit",
    "celery": "Celery's own `rate_limit`, 25/s in each of two workers",
    "page": "token bucket task of the patterns page, sync client, default retries",
    "page-endless": "the same with `max_retries=None`",
    "heimdall": "celery-heimdall",
}
RATE, BURST, WORKERS = 50, 10, 2
COUNT, OTHERS = 500, 1000
PATIENCE = 60.0
"""Seconds after which a way is given up."""


@dataclass(frozen=True)
class Way:
    """How one way did."""

    started: int
    span: float
    """From the first to the last start, whether all were made or not."""
    efficiency: float
    """Ideal time for all over the span; 0 where some have not started."""
    achieved: float
    """Starts a second after the burst, over the declared rate."""
    excess: float
    lost: int
    """Failed for good without a start."""
    sent_back: int
    others_started: int
    others_span: float
    times: tuple


def measure(way, count=COUNT, others=OTHERS, patience=PATIENCE):
    """Send the work, start the workers, and wait until all is done or failed, or for so long."""
    task = "paid" if way == "limitkit" else "charge"
    rival = {} if way == "limitkit" else {"WITH_LIMITKIT": "0", "RIVAL": way}
    module = "support.shop" if way == "limitkit" else "benchmarks.rivals"
    with Scene(config(limit("paid", f"{RATE}/s", burst=BURST)), module=module, env=rival) as scene:
        scene.send([(task, ())] * count + [("free", ())] * others)
        scene.shop.start_workers(WORKERS)
        scene.wait(
            lambda: scene.counts[task] + scene.counts["lost"] >= count and scene.counts["free"] >= others,
            patience,
            give_up=True,
        )
        times, free = scene.shop.times(task), scene.shop.times("free")
        return Way(
            started=len(times),
            span=times[-1] - times[0],
            efficiency=efficiency(times, RATE, BURST) if len(times) == count else 0.0,
            achieved=(len(times) - BURST) / (times[-1] - times[0]) / RATE,
            excess=excess(times, RATE),
            lost=scene.counts["lost"],
            sent_back=scene.sent_back(),
            others_started=len(free),
            others_span=free[-1] - free[0] if free else 0.0,
            times=tuple(round(at - times[0], 3) for at in times),
        )
