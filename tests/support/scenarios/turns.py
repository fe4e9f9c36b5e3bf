"""A limit whose starts go to tenants in turn, and a tenant who has sent far more than the others, before them."""

import time
from dataclasses import dataclass

import redis

from support.flood import QUEUE, flood
from support.measure import efficiency, excess
from support.pools import PREFORK
from support.scene import Scene, config, limit

BIG = "A"


@dataclass(frozen=True)
class Turns:
    out_of_queue: float
    """Seconds until all messages were out of the queue: started, held or parked."""
    last: float
    """Seconds from then on until the last start of one of the others."""
    share: float
    """The big tenant's part of the starts while the others wait."""
    efficiency: float
    """Of the starts until the last of the others."""
    excess: float
    lost: int
    twice: int


def turns(big=20_000, others=20, each=20, rate=50, burst=5, *, weight=None, later=False, pool=PREFORK):
    """Send the big tenant's tasks, then the others'; ends when the others' have all started.

    A ``weight`` of the big tenant holds from the start, or is set ``later``: when all is out of the queue.
    """
    fair = 'fair_by = "user_id"\n'
    weights = f"weights = {{ {BIG} = {weight} }}\n" if weight else ""
    toml = config(limit("user", f"{rate}/s", burst=burst), fair)
    with Scene(toml if later else toml + weights, pool=pool) as scene, redis.Redis(port=scene.broker.port) as client:
        scene.start_workers()
        names = [f"t{number}" for number in range(others)]
        at = flood(scene, [("user", (BIG,))] * big + [("user", (name,)) for _ in range(each) for name in names])
        scene.wait(lambda: not client.llen(QUEUE), 120 + big / 50)
        out = time.monotonic()
        if later:
            file = scene.shop.folder / "ratelimits.toml"
            file.write_text(file.read_text().replace(fair, fair + weights))
        total = others * each
        scene.wait(lambda: scene.counts["user"] - scene.labels[BIG] >= total, 120 + 6 * total / rate)
        starts = scene.shop.starts("user")
        theirs = [start.at for start in starts if start.label != BIG]
        # The first and the last starts may be of a round that is not whole.
        while_they_wait = [start for start in starts if out <= start.at <= theirs[-others - 1]]
        until = [start.at for start in starts if start.at <= theirs[-1]]
        return Turns(
            out_of_queue=out - at,
            last=theirs[-1] - out,
            share=sum(start.label == BIG for start in while_they_wait) / max(1, len(while_they_wait)),
            efficiency=efficiency(until, rate, burst),
            excess=excess([start.at for start in starts], rate),
            **scene.tally(),
        )


def unlimited(count):
    """Return in how many seconds such workers start so many tasks without a limit."""
    with Scene(config(limit("paid", "50/s"))) as scene:
        scene.start_workers()
        flooded = flood(scene, [("user", (BIG,))] * count)
        scene.wait_for({"user": count}, 60 + count / 100)
        return scene.last_at - flooded
