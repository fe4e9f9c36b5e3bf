"""What a failover costs: tokens that are given twice, since replication runs behind, and the time without a store."""

import contextlib
import threading
import time
from dataclasses import dataclass
from itertools import pairwise

from limitkit.buckets.decision import Bucket, Take
from limitkit.config.declared import StoreSettings
from limitkit.errors import StoreError
from limitkit.stores.choice import open_store
from support.scenarios.lanes import SlowLink
from support.topologies import DOWN_AFTER, SLOTS, Cluster, Sentinels, ask

KEY = "limitkit:{failover}:g1"
_NEVER = 366 * 86_400 * 1_000_000


@dataclass(frozen=True)
class Drain:
    """A bucket that gets no token back was emptied; its master was killed meanwhile."""

    depth: int
    killed: float
    times: list

    @property
    def leaked(self):
        """Tokens that were taken beyond those that there were."""
        return len(self.times) - self.depth

    @property
    def outage(self):
        """Seconds without a token, from the kill on."""
        return max(later - earlier for earlier, later in pairwise(self.times) if later > self.killed)

    def taken_before(self, seconds):
        """Count what was taken in so many seconds before the kill."""
        return sum(1 for at in self.times if self.killed - seconds < at <= self.killed)


def drain(url, kill, *, depth=6000, after=2000, takers=4, timeout=120.0):
    """Empty a bucket as fast as these takers can, one token a call; ``kill`` when so many were taken."""
    times, deadline = [], time.monotonic() + timeout
    killing = threading.Event()

    def work():
        settings = StoreSettings(url=url, prefix="limitkit", timeout=0.25, on_error="hold")
        with contextlib.closing(open_store(None, settings)) as store:
            while time.monotonic() < deadline:
                try:
                    decision = store.take([Take((Bucket(KEY, _NEVER // 100, depth),))])[0]
                except StoreError:
                    time.sleep(0.01)
                    continue
                if not decision.slots:
                    return
                times.append(time.monotonic())
                if len(times) >= after:
                    killing.set()

    threads = [threading.Thread(target=work) for _ in range(takers)]
    for thread in threads:
        thread.start()
    killing.wait(timeout)
    kill()
    killed = time.monotonic()
    for thread in threads:
        thread.join(timeout)
    return Drain(depth, killed, sorted(times))


def of_sentinels(folder):
    """Kill the master that sentinels watch in a drain."""
    with Sentinels(folder, down_after=DOWN_AFTER) as servers:
        return drain(servers.url, servers.master.process.kill)


def of_sentinels_behind(folder, seconds=0.05):
    """Do the same with a replica that hears of each change so much later, as if it were far away."""
    with Sentinels(folder, down_after=DOWN_AFTER, behind=lambda port: SlowLink(port, seconds)) as servers:

        def kill():
            servers.link.kill()  # else it would still deliver what the master has sent
            servers.master.process.kill()

        return drain(servers.url, kill)


def of_cluster(folder):
    """Kill the master of the drained bucket in a cluster of three, where each has a replica."""
    with Cluster(folder, replicas=3, node_timeout=2 * DOWN_AFTER) as servers:
        owner = servers.masters[ask(servers.masters[0], "CLUSTER", "KEYSLOT", KEY) * 3 // SLOTS]
        # The store knows the others only from the one that dies.
        return drain(f"redis+cluster://127.0.0.1:{owner.port}", owner.process.kill)
