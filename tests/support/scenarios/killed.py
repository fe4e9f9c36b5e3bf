"""One of two workers is killed in the middle of a drain, and the broker's visibility timeout is an hour."""

import time
from dataclasses import dataclass

from support.measure import excess
from support.pools import PREFORK
from support.scene import Scene, config, limit
from support.wire import Wire

_QUIET = 3.0
"""Seconds without a start after which none is under way."""
_HOUR = 3600


@dataclass(frozen=True)
class Killed:
    left: int
    """Messages that were in the broker and had not started when ``patience`` was over."""
    last: float
    """Seconds from the kill to the last start until then."""
    held: int
    """Messages that were unacknowledged just after the kill, also those of the other worker."""
    excess: float
    lost: int
    """Messages that are in no place and never started, beyond those that Celery itself loses."""
    celery_lost: int
    """Messages that kombu had taken out of the queue without a note, or whose task was acknowledged and not begun."""
    twice: int
    """Starts beyond one of each message: what was running."""


def killed(count=2000, rate=100, burst=10, *, late=False, after=600, patience=25.0, pool=PREFORK):
    """Kill a worker after so many starts, and let the other go on for ``patience`` seconds."""
    conf = {"task_acks_late": late, "broker_transport_options": {"visibility_timeout": _HOUR}}
    limits = config(limit("paid", f"{rate}/s", burst=burst))
    with Scene(limits, pool=pool, **conf) as scene, Wire(scene.broker.port) as wire:
        victim = scene.start_workers()[0]
        scene.send([("paid", ())] * count)
        scene.wait_for({"paid": after}, 30 + 2 * after / rate)
        victim.process.kill()
        at = time.monotonic()
        victim.wait_stopped()
        held = len(scene.broker.unacknowledged())

        def in_broker():
            return (scene.waiting() | scene.broker.unacknowledged()) - scene.started()

        def ends():
            still = time.monotonic() > max(at, scene.last_at) + _QUIET
            return scene.counts["paid"] >= count or time.monotonic() > at + patience or (still and not in_broker())

        scene.wait(ends, patience + 30)
        left = in_broker()
        starts, started = [start for start in scene.shop.starts() if start.at <= at + patience], scene.started()
        gone = scene.sent.keys() - started - left
        popped = {id_ for id_ in gone if wire.queued_last(id_)}
        # Acknowledged as it was given to a process: one for each of them, when that is done early.
        unbegun = 0 if late else min(len(gone - popped), pool.concurrency)
        return Killed(
            left=len(left),
            last=starts[-1].at - at,
            held=held,
            excess=excess([start.at for start in starts], rate),
            lost=len(gone) - len(popped) - unbegun,
            celery_lost=len(popped) + unbegun,
            twice=len(starts) - len({start.id for start in starts}),
        )
