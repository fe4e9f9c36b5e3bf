"""Many workers that run one task at a time each, in their own process, and share one bucket."""

from collections import Counter
from dataclasses import dataclass, replace

from support.flood import flood
from support.measure import efficiency, excess
from support.pools import SOLO
from support.scene import Scene, config, limit


@dataclass(frozen=True)
class Solo:
    efficiency: float
    excess: float
    sent_back: float
    """Per task."""
    store_calls_per_start: float
    least_share: float
    """Starts of the worker that has fewest, over the mean of all."""
    most_share: float
    lost: int
    twice: int


def solo(workers=10, rate=50, count=1000, burst=1):
    """Drain one limit's backlog with solo workers, each of which runs one task at a time."""
    limits = config(limit("paid", f"{rate}/s", burst=burst))
    with Scene(limits, own_store=True, pool=replace(SOLO, workers=workers)) as scene:
        scene.start_workers()
        flood(scene, [("paid", ())] * count)
        scene.wait_for({"paid": count}, 30 + 3 * count / rate)
        starts = scene.shop.starts("paid")
        times = [start.at for start in starts]
        shares = Counter(start.worker for start in starts)
        return Solo(
            efficiency=efficiency(times, rate, burst),
            excess=excess(times, rate),
            sent_back=scene.sent_back() / count,
            store_calls_per_start=scene.store_calls() / count,
            least_share=min(shares.values()) * workers / count if len(shares) == workers else 0.0,
            most_share=max(shares.values()) * workers / count,
            **scene.tally(),
        )
