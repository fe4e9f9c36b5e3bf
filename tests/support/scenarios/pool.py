"""A pool that is kept full, and limits that belong to one worker."""

from dataclasses import dataclass

from support.measure import excess
from support.pools import PREFORK
from support.scene import Scene, config, limit

PER_SECOND = {"paid": 10.0, "other": 1.0, "free": 0.1}
"""Limits of the tasks between the long ones."""


@dataclass(frozen=True)
class FullPool:
    starts: dict
    """Starts in the time that was measured, by task."""
    excess: dict
    sent_back: int
    lost: int
    twice: int

    @property
    def sent_back_per_start(self):
        return self.sent_back / max(1, sum(self.starts[task] for task in PER_SECOND))


def full_pool(seconds=60.0, task_seconds=2.0, *, limited=True, pool=PREFORK):
    """Keep all places of the workers' pools busy with long tasks, with tasks of three limits between them."""
    limits = [limit("paid", "10/s"), limit("other", "1/s"), limit("free", "6/m")] if limited else []
    groups = int(seconds * pool.places / task_seconds * 1.25) + 5
    with Scene(config(*limits), pool=pool) as scene:
        scene.start_workers()
        scene.send([("slow", (task_seconds,)), *[(task, ()) for task in PER_SECOND]] * groups)
        scene.wait(lambda: scene.counts.total() > 0)
        first = scene.shop.starts()[0].at
        scene.wait(lambda: scene.last_at >= first + seconds, seconds + 30)
        starts = {task: [at for at in scene.shop.times(task) if at < first + seconds] for task in ("slow", *PER_SECOND)}
        return FullPool(
            starts={task: len(times) for task, times in starts.items()},
            excess={task: excess(starts[task], rate) for task, rate in PER_SECOND.items()},
            sent_back=scene.sent_back(),
            **scene.tally(),
        )


@dataclass(frozen=True)
class Static:
    rate: float
    """Starts a second of all workers, until the first of them has done its share."""
    excess: float
    """The worst worker's."""
    lost: int
    twice: int
    others_done: float
    """Part of the limited tasks that had started when the last of the others did."""
    others_late: float
    """Seconds from the sending of the last message to the start of the last of the others."""
    changed_rate: float
    """As ``rate``, after ``app.control.rate_limit`` halved it."""
    changed_excess: float


def static(count=400, rate=20, others=200, changed=80, *, pool=PREFORK):
    """Drain tasks of a limit that each worker keeps by itself, then change it by remote control."""
    with Scene(config(limit("paid", f"{rate}/s", strategy="static")), pool=pool) as scene:
        scene.start_workers()
        last = scene.send([("paid", ())] * count + [("free", ())] * others)[-1]
        scene.wait_for({"paid": count, "free": others}, 30 + 2 * count / rate)
        paid, free = scene.shop.starts("paid"), scene.shop.times("free")
        answering = {"reply": True, "timeout": 30, "limit": pool.workers}
        answers = scene.shop.app.control.rate_limit("paid", f"{rate / 2:g}/s", **answering)
        assert len(answers) == pool.workers, answers
        scene.send([("paid", ())] * changed)
        scene.wait_for({"paid": count + changed}, 30 + 4 * changed / rate)
        later = scene.shop.starts("paid")[count:]
        return Static(
            rate=_joint_rate(paid),
            excess=_worst_excess(paid, rate),
            others_done=sum(start.at < free[-1] for start in paid) / count,
            others_late=free[-1] - scene.sent[last],
            changed_rate=_joint_rate(later),
            changed_excess=_worst_excess(later, rate / 2),
            **scene.tally(),
        )


def _by_worker(starts):
    workers = {start.worker for start in starts}
    return [[start.at for start in starts if start.worker == worker] for worker in workers]


def _joint_rate(starts):
    shares = _by_worker(starts)
    end = min(times[-1] for times in shares)
    within = [start.at for start in starts if start.at <= end]
    # The first start of each worker stands for no interval.
    return (len(within) - len(shares)) / (end - within[0])


def _worst_excess(starts, rate):
    return max(excess(times, rate) for times in _by_worker(starts))
