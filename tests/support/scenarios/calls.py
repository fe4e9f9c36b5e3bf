"""A large pool of greenlets, whose tasks wait for a server that is slow to answer."""

from dataclasses import dataclass, replace

from support.measure import efficiency, excess
from support.pools import GEVENT
from support.scene import Scene, config, limit
from support.slow_answers import answered, slow_answers
from support.workers import wait_until


@dataclass(frozen=True)
class Calls:
    efficiency: float
    excess: float
    sent_back: int
    lost: int
    twice: int


def calls(count=2000, rate=200, burst=20, *, places=500, seconds=1.0, workers=1):
    """Drain tasks each of which waits so many seconds for its answer, and see that all were answered."""
    pool = replace(GEVENT, concurrency=places, workers=workers)
    limits = config(limit("call", f"{rate}/s", burst=burst))
    with slow_answers(seconds) as url, _scene(limits, pool, url) as scene:
        scene.send([("call", ())] * count)
        scene.start_workers()
        scene.wait_for({"call": count}, 30 + 3 * count / rate)
        wait_until(lambda: answered(url) >= count)
        times = scene.shop.times("call")
        return Calls(
            efficiency=efficiency(times, rate, burst),
            excess=excess(times, rate),
            sent_back=scene.sent_back(),
            **scene.tally(),
        )


def _scene(limits, pool, url):
    return Scene(limits, pool=pool, module="support.calling_app", env={"SERVER_URL": url})
