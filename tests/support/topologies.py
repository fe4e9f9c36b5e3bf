"""Several Redis servers that belong together: a cluster, and a master with replica and sentinels."""

import contextlib
from pathlib import Path

import redis

from support.servers import RedisServer, free_port
from support.workers import wait_until

SLOTS = 16384
MASTER = "mymaster"
_PATIENCE = 20_000
"""Milliseconds before sentinels repair what a replica replicates from, or try a failover again."""


def client(server, **options):
    return redis.Redis(port=server.port, decode_responses=True, **options)


def ask(server, *command):
    """Ask one server one thing, on a connection of its own."""
    with client(server) as asking:
        return asking.execute_command(*command)


def info(server, section):
    with client(server) as asking:
        return asking.info(section)


def replicates(replica):
    return info(replica, "replication").get("master_link_status") == "up"


class Servers:
    """Servers that are started and stopped as one."""

    def __init__(self, folder):
        self.folder = Path(folder)
        self._running = contextlib.ExitStack()
        self.servers = []

    def add(self, *options, **where):
        server = RedisServer(self.folder, *options, **where)
        self.servers.append(self._running.enter_context(server))
        return server

    def __enter__(self):
        try:
            self.start()
        except BaseException:
            self._running.close()
            raise
        return self

    def __exit__(self, *_):
        self._running.close()


DOWN_AFTER = 500
"""Milliseconds after which a silent server passes for down, where that is tried. Elsewhere it may stand still."""


class Cluster(Servers):
    """A Redis Cluster: masters with equal shares of the slots, and as many replicas as is said, of the first ones."""

    def __init__(self, folder, *, masters=3, replicas=0, node_timeout=15_000, options=()):
        super().__init__(folder)
        self._counts = masters, replicas
        self._options = ["--cluster-enabled", "yes", "--cluster-node-timeout", str(node_timeout), *options]

    @property
    def url(self):
        return f"redis+cluster://{','.join(f'127.0.0.1:{server.port}' for server in self.servers)}"

    def start(self):
        count, replicas = self._counts
        for _ in range(count + replicas):
            self._add_node()
        self.masters, self.replicas = self.servers[:count], self.servers[count:]
        for number, master in enumerate(self.masters):
            ask(master, "CLUSTER", "SET-CONFIG-EPOCH", number + 1)
            first, end = SLOTS * number // count, SLOTS * (number + 1) // count
            ask(master, "CLUSTER", "ADDSLOTS", *range(first, end))
        for server in self.servers[1:]:
            ask(server, "CLUSTER", "MEET", "127.0.0.1", self.servers[0].port)
        wait_until(lambda: all(self._joined(server) for server in self.servers))
        for master, replica in zip(self.masters, self.replicas, strict=False):
            ask(replica, "CLUSTER", "REPLICATE", ask(master, "CLUSTER", "MYID"))
        for replica in self.replicas:
            wait_until(lambda replica=replica: replicates(replica))
        # A client learns of replicas, too, wherever it asks.
        wait_until(lambda: all(self._replicas_seen(server) == replicas for server in self.servers))

    def _add_node(self):
        for _ in range(100):
            port = free_port()  # the bus has another, 10,000 higher, which may not be free
            options = [*self._options, "--cluster-config-file", f"nodes-{port}.conf"]
            with contextlib.suppress(RuntimeError):
                return self.add(*options, port=port)
        raise RuntimeError("no free port")

    def _joined(self, server):
        info = ask(server, "CLUSTER", "INFO")
        state = info if isinstance(info, dict) else dict(line.split(":") for line in info.split())
        return state["cluster_state"] == "ok" and int(state["cluster_known_nodes"]) == len(self.servers)

    def _replicas_seen(self, server):
        return sum(len(row) - 3 for row in ask(server, "CLUSTER SLOTS"))


class Sentinels(Servers):
    """A master, its replica, and three sentinels that make the replica master when the master is away."""

    def __init__(self, folder, *, down_after=30_000, behind=None):
        super().__init__(folder)
        self._down_after = down_after
        self._behind = behind
        """Makes a link to a port, through which the replica hears of the master."""

    @property
    def url(self):
        return f"sentinel://{self.hosts}/0?master={MASTER}"

    @property
    def hosts(self):
        return ",".join(f"127.0.0.1:{sentinel.port}" for sentinel in self.sentinels)

    def start(self):
        self.master = self.add()
        port = self.master.port
        if self._behind is not None:
            self.link = self._running.enter_context(self._behind(port))
            port = self.link.port
        self.replica = self.add("--replicaof", "127.0.0.1", str(port))
        wait_until(lambda: replicates(self.replica))
        self.sentinels = [self._add_sentinel() for _ in range(3)]
        wait_until(lambda: all(self._ready(sentinel) for sentinel in self.sentinels))

    def _add_sentinel(self):
        port = free_port()
        config = self.folder / f"sentinel-{port}.conf"
        lines = [
            f"sentinel monitor {MASTER} 127.0.0.1 {self.master.port} 2",
            f"sentinel down-after-milliseconds {MASTER} {self._down_after}",
            f"sentinel failover-timeout {MASTER} {_PATIENCE}",
        ]
        config.write_text("\n".join(lines) + "\n")
        return self.add("--sentinel", port=port, config=config)

    def _ready(self, sentinel):
        state = ask(sentinel, "SENTINEL MASTER", MASTER)
        return int(state["num-other-sentinels"]) == 2 and int(state["num-slaves"]) == 1
