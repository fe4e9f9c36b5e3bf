"""Limits in tokens, whose true number is known only when a task has ended, beside one in requests."""

import random
from dataclasses import dataclass

from support.measure import excess
from support.pools import Pool
from support.scenarios.running import APP
from support.scene import Scene, config

FOUR = Pool("prefork", (), 4)
ESTIMATE = 500
SETTLED = 0.25
"""Seconds after its last line in which a task's true cost is known to the store."""
LIMITS = """
[limits.tokens]
strategy = "token_bucket"
rate = "{rate}/m"
burst = {burst}

[limits.requests]
strategy = "token_bucket"
rate = "{requests}/m"

[tasks.llm]
limits = [{{ limit = "tokens", cost = "estimate", settle = "usage.total" }}, "requests"]

[tasks.paid]
limits = ["requests"]
"""


@dataclass(frozen=True)
class Tokens:
    over: float
    """The most, over all windows, of true tokens beyond rate x window, the burst, and what was under way; in tokens."""
    used: float
    """True tokens, over those that the rate gives in the time."""
    requests_excess: float
    requests_used: float
    """Starts under the limit in requests, over what it allows, while tokens refuse most tasks."""
    huge_waits: float
    """Seconds between the start of one that costs more than the burst, and the next start."""
    huge_wanted: float
    """What its debt and the next one's estimate take, by the sums."""
    lost: int
    twice: int


def tokens(count=120, rate=60_000, burst=2000, requests=600, *, huge=5000, others=400, pool=FOUR, seed=1):
    """Drain so many calls that cost other numbers of tokens than was estimated, with others beside them."""
    rng = random.Random(seed)
    costs = [rng.randrange(50, 1501) for _ in range(count)]
    limits = LIMITS.format(rate=rate, burst=burst, requests=requests)
    with Scene(config(limits), pool=pool, module=APP) as scene:
        scene.start_workers()
        scene.send([("llm", (ESTIMATE, cost)) for cost in costs] + [("paid", ())] * others)
        scene.wait_for({"llm": count}, 60 + 3 * sum(costs) / (rate / 60))
        scene.wait(lambda: len(scene.shop.ends("llm")) >= count)
        starts, ends = scene.shop.starts("llm"), {end.id: end.at for end in scene.shop.ends("llm")}
        spent = [(start.at, ends[start.id], int(start.label)) for start in starts]
        paid = [start.at for start in scene.shop.starts("paid")]
        both = sorted([*paid, *(start.at for start in starts)])
        busy = [at for at in both if at <= max(paid)]
        huge_waits, huge_wanted = _huge(scene, count, huge, rate / 60, burst)
        return Tokens(
            over=_over(spent, rate / 60, burst),
            used=(sum(cost for _, _, cost in spent[:-1]) - burst) / (rate / 60) / (spent[-1][0] - spent[0][0]),
            requests_excess=excess(both, requests / 60),
            requests_used=(len(busy) - 1) / (requests / 60) / (busy[-1] - busy[0]),
            huge_waits=huge_waits,
            huge_wanted=huge_wanted,
            **scene.tally(),
        )


def _huge(scene, before, cost, rate, burst):
    """Start one that costs more than the burst, as it was estimated, and one after it."""
    for number, tokens_of_one in enumerate((cost, ESTIMATE), 1):
        scene.send([("llm", (tokens_of_one, tokens_of_one))])
        scene.wait_for({"llm": before + number}, 60 + 4 * cost / rate)
    first, second = scene.shop.starts("llm")[-2:]
    return second.at - first.at, (cost - burst + ESTIMATE) / rate


def _over(spent, rate, burst):
    """Compute for each window from one start to another what its true tokens are over what they may be.

    Under way are those whose true cost was not known yet at the last of its starts, and those before its first start
    whose true cost became known within it, so that their estimates came back.
    """
    most = float("-inf")
    for first, (begun, _, _) in enumerate(spent):
        true = 0
        for number, (at, _, cost) in enumerate(spent[first:], first):
            true += cost
            open_now = sum(max(0, each[2] - ESTIMATE) for each in spent[first : number + 1] if each[1] + SETTLED > at)
            back = sum(max(0, ESTIMATE - each[2]) for each in spent[:first] if each[1] + SETTLED > begun)
            most = max(most, true - rate * (at - begun) - burst - open_now - back)
    return most
