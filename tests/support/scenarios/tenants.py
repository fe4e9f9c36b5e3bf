"""Limits of each tenant: slots for many who wait, and terms of some partitions."""

import statistics
import subprocess
from dataclasses import dataclass

from support.flood import flood
from support.measure import efficiency, excess, most_at_once
from support.pools import PREFORK, Pool
from support.scenarios.running import APP, slots, spans
from support.scene import Scene, config, limit

_WIDE = Pool("gevent", ("-P", "gevent", "--prefetch-multiplier", "1"), 750)


@dataclass(frozen=True)
class Tenants:
    at_once: int
    """The most of one tenant that ran at once."""
    growth: float
    """MB by which a worker's main process grew at most, over what it had when it was ready."""
    store_calls_per_start: float
    throughput: float
    """The least of a tenant's throughput, over its own by the sums."""
    median: float
    """The median of those."""
    lost: int
    twice: int


def memory(worker):
    """Return the resident memory of a worker's main process, in MB."""
    found = subprocess.run(["ps", "-o", "rss=", "-p", str(worker.process.pid)], capture_output=True, check=True)
    return int(found.stdout) / 1024


def tenants(count=500, each=10, most=3, seconds=20.0, *, limited=True, pool=_WIDE):
    """Let tenants' tasks wait for slots of each tenant's own, in pools with room for all that may run."""
    toml = slots("report", most, 'key = "tenant"') if limited else ""
    names = [f"t{number}" for number in range(count)]
    with Scene(config(toml), pool=pool, module=APP, own_store=True) as scene:
        workers = scene.start_workers()
        before = [memory(worker) for worker in workers]
        growth = [0.0]
        messages = [("report", (seconds, name)) for _ in range(each) for name in names]
        flood(scene, messages)

        def done():
            growth.extend(memory(worker) - had for worker, had in zip(workers, before, strict=True))
            return scene.counts["report"] >= len(messages)

        rounds = -(-each // most)
        scene.wait(done, 120 + 3 * rounds * seconds)
        scene.wait(lambda: len(scene.shop.ends("report")) >= len(messages))
        calls = scene.store_calls() / len(messages)
        ran = {name: [] for name in names}
        for span, start in zip(spans(scene.shop, "report"), scene.shop.starts("report"), strict=True):
            ran[start.label].append(span)
        # Between the first start and the last one of a tenant, all but its last round have run.
        own = [(rounds - 1) * seconds / (max(runs)[0] - min(runs)[0]) for runs in ran.values()] if limited else [1.0]
        return Tenants(
            at_once=max(most_at_once(runs) for runs in ran.values()),
            growth=max(growth),
            store_calls_per_start=calls,
            throughput=min(own),
            median=statistics.median(own),
            **scene.tally(),
        )


@dataclass(frozen=True)
class Partitions:
    acme: float
    """Efficiency of the tenant with terms of its own."""
    others: float
    """The least efficiency of the others."""
    acme_excess: float
    others_excess: float
    lost: int
    twice: int


def partitions(count=50, rate=1, times=10, seconds=20, *, pool=PREFORK):
    """Drain one tenant at ten times the rate of others beside it."""
    own = f'[tasks.user.partitions]\nacme = {{ rate = "{rate * times}/s" }}\n'
    toml = config(limit("user", f"{rate}/s", strategy="per_user", key="user_id"), own)
    with Scene(toml, pool=pool) as scene:
        scene.start_workers()
        names = [f"t{number}" for number in range(count)]
        one_second = [("user", (name,)) for name in (*["acme"] * times, *names)]
        scene.send(one_second * seconds * rate)
        total = len(one_second) * seconds * rate
        scene.wait_for({"user": total}, 60 + 3 * seconds)
        by_user = scene.shop.by_label("user")
        acme = by_user.pop("acme")
        return Partitions(
            acme=efficiency(acme, rate * times, 1),
            others=min(efficiency(times, rate, 1) for times in by_user.values()),
            acme_excess=excess(acme, rate * times),
            others_excess=max(excess(times, rate) for times in by_user.values()),
            **scene.tally(),
        )
