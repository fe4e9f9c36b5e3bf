"""Windows: never more than so many starts in any stretch of their time, or from one reset to the next."""

from dataclasses import dataclass

from support.measure import most_within
from support.pools import PREFORK
from support.scene import Scene, config


@dataclass(frozen=True)
class Windows:
    most: int
    """Starts in the fullest stretch of the window's time."""
    efficiency: float
    """Starts in the time from the first one on, over what the windows allow in it."""
    sent_back: int
    lost: int
    twice: int


def sliding(number=100, window=5, seconds=60, *, pool=PREFORK):
    """Drain an endless backlog for so long, which is a whole number of windows."""
    rounds = seconds // window
    toml = f'[tasks.paid]\nstrategy = "window"\nrate = "{number}/{window}s"\n'
    with Scene(config(toml), pool=pool) as scene:
        scene.start_workers()
        scene.send([("paid", ())] * (number * (rounds + 2)))
        scene.wait_for({"paid": 1})
        first = scene.shop.times("paid")[0]
        scene.wait(lambda: scene.last_at >= first + seconds, seconds + 60)
        times = [at for at in scene.shop.times("paid") if at < first + seconds]
        return Windows(
            most=most_within(scene.shop.times("paid"), window),
            efficiency=len(times) / (number * rounds),
            sent_back=scene.sent_back(),
            **scene.tally(),
        )
