"""Far more users than a worker looks at: each has a bucket of its own, and most of its messages are parked."""

from collections import defaultdict
from dataclasses import dataclass
from itertools import pairwise

from support.flood import flood
from support.measure import excess
from support.scene import Scene, config, limit

_P95 = 0.95


@dataclass(frozen=True)
class Crowd:
    first: float
    """How late the latest user's first start is, in seconds: the n-th of them is due when the pool has started n."""
    later: float
    """How late the later starts are, in seconds after the user's one before and a token's time: the latest."""
    later_p95: float
    """The same, but for the latest 5 %."""
    drain: float
    """Seconds in which all have started, over what the pool or the limits need at least."""
    excess: float
    """The worst user's."""
    lost: int
    twice: int


def crowd(capacity, users=2000, each=10, per_minute=12, *, round_robin=True):
    """Let each user's messages come at one moment to workers that start ``capacity`` tasks a second with no limit."""
    names = [f"u{number}" for number in range(users)]
    order = names * each if round_robin else [name for name in names for _ in range(each)]
    rate = per_minute / 60
    with Scene(config(limit("user", f"{per_minute}/m", strategy="per_user", key="user_id"))) as scene:
        scene.shop.start_workers(2)
        flooded = flood(scene, [("user", (name,)) for name in order])
        least = max((each - 1) / rate, users * each / capacity)
        scene.wait_for({"user": users * each}, 60 + 4 * least)
        by_user = defaultdict(list)
        for start in scene.shop.starts("user"):
            by_user[start.label].append(start.at)
        firsts = sorted(times[0] for times in by_user.values())
        later = sorted(at - before - 1 / rate for times in by_user.values() for before, at in pairwise(times))
        return Crowd(
            first=max(at - flooded - number / capacity for number, at in enumerate(firsts, 1)),
            later=later[-1],
            later_p95=later[int(_P95 * len(later))],
            drain=(scene.last_at - flooded) / least,
            excess=max(excess(times, rate) for times in by_user.values()),
            **scene.tally(),
        )
