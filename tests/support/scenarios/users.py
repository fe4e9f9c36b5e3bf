"""Limits with a bucket for each user: nobody waits for somebody else's."""

from dataclasses import dataclass

from support.measure import excess
from support.pools import PREFORK
from support.scene import Scene, config, limit

BIG = "big"

BOTH = """
[limits.shared]
strategy = "token_bucket"
rate = "30/s"

[limits.each]
strategy = "per_user"
rate = "1/s"
key = "user_id"

[tasks.user]
limits = ["shared", "each"]

[tasks.paid]
limits = ["shared"]
"""


@dataclass(frozen=True)
class PerUser:
    excess: float
    """The worst of all users'."""
    p95_wait: float
    """Of the small users' messages, from sending to start."""
    small_done: float
    """From the first start to the last one of a small user."""
    span: float
    """From the first start to the last one of anybody."""
    sent_back: int
    lost: int
    twice: int


def per_user(users=100, each=10, big=200, *, rate=2, burst=3, all_of_big=False, pool=PREFORK):
    """Small users with a few messages each, behind one with many."""
    small = [("user", (f"u{number}",)) for number in range(users)] * each
    limits = config(limit("user", f"{rate}/s", strategy="per_user", burst=burst, key="user_id"))
    with Scene(limits, pool=pool) as scene:
        scene.start_workers()
        scene.send([("user", (BIG,))] * big + small)
        scene.wait(lambda: scene.counts["user"] - scene.labels[BIG] >= len(small), 30 + 2 * each / rate)
        if all_of_big:
            scene.wait_for({"user": big + len(small)}, 30 + 2 * big / rate)
        starts = scene.shop.starts("user")
        small_starts = [start for start in starts if start.label != BIG]
        waits = sorted(start.at - scene.sent[start.id] for start in small_starts)
        return PerUser(
            excess=max(excess(times, rate) for times in scene.shop.by_label("user").values()),
            p95_wait=waits[int(0.95 * len(waits))],
            small_done=small_starts[-1].at - starts[0].at,
            span=starts[-1].at - starts[0].at,
            sent_back=scene.sent_back(),
            **scene.tally(),
        )


@dataclass(frozen=True)
class SharedAndEach:
    shared_excess: float
    each_excess: float
    efficiency: float
    """Of the small users: their ideal time over the measured one."""
    lost: int
    twice: int
    rate: float
    """Of all that is under the shared limit."""
    share: float = 0.0
    """Starts of the tasks under both limits, over what their part of the messages promises."""


def greedy(users=20, each=10, big=300):
    """A shared limit (30/s) with one for each user (1/s), and a user who sends far more than the others, first."""
    small = [("user", (f"u{number}",)) for number in range(users)] * each
    with Scene(config(BOTH)) as scene:
        scene.shop.start_workers(2)
        scene.send([("user", (BIG,))] * big + small)
        scene.wait(lambda: scene.counts["user"] - scene.labels[BIG] >= len(small), 30 + 3 * each)
        by_user = scene.shop.by_label("user")
        times = [at for user, starts in by_user.items() if user != BIG for at in starts]
        # The last user's first start can't come before the shared limit has let the others' through.
        ideal = (users - 1) / 30 + (each - 1) / 1
        everything = scene.shop.times("user")
        return SharedAndEach(
            shared_excess=excess(everything, 30),
            each_excess=max(excess(starts, 1) for starts in by_user.values()),
            efficiency=ideal / (max(times) - min(times)),
            rate=(len(everything) - 1) / (everything[-1] - everything[0]),
            **scene.tally(),
        )


def stream(starts=420, users=10, every=5):
    """An endless stream under the shared limit (30/s) alone, in which each fifth message is under a user's, too."""
    messages = [
        ("user", (f"u{number // every % users}",)) if number % every == 0 else ("paid", ())
        for number in range(int(starts * 1.4))
    ]
    with Scene(config(BOTH)) as scene:
        scene.shop.start_workers(2)
        scene.send(messages)
        scene.wait(lambda: scene.counts.total() >= starts, 30 + starts / 10)
        everything = [start.at for start in scene.shop.starts()]
        under_both = len(scene.shop.times("user"))
        return SharedAndEach(
            shared_excess=excess(everything, 30),
            each_excess=max(excess(times, 1) for times in scene.shop.by_label("user").values()),
            efficiency=len(everything) / 30 / (everything[-1] - everything[0]),
            rate=(len(everything) - 1) / (everything[-1] - everything[0]),
            share=under_both * every / len(everything),
            **scene.tally(),
        )
