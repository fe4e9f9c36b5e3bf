"""The store and the broker, on real servers: what they say of themselves, and what their users may do."""

import contextlib
import re
import socket
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest
import redis
from doctor.conftest import TOML, with_store
from support.servers import free_port
from support.topologies import Cluster

from limitkit.doctor import servers
from limitkit.doctor.broker import look_at_broker
from limitkit.doctor.store import look_at_store
from limitkit.stores.rights import commands_of, refused
from limitkit.stores.server_facts import ServerFacts
from limitkit.stores.take_script import SCRIPTS
from limitkit.waiting.redis_keys import script

ALL_KINDS = """\
version = 1

[limits.api]
strategy = "token_bucket"
rate = "25/s"
on_error = "divide"
feedback = { on = ["a.B"] }

[limits.exact]
strategy = "window"
rate = "5/s"

[limits.parts]
strategy = "window"
rate = "500/s"

[limits.resets]
strategy = "window"
rate = "500/d"
resets = "00:00 UTC"

[limits.slots]
strategy = "concurrency"
max_running = 3

[limits.tokens]
strategy = "token_bucket"
rate = "100/s"
burst = 10

[tasks.paid]
limits = ["api", "exact", "parts", "resets", "slots", { limit = "tokens", cost = 2, settle = "tokens" }]
"""
REPOSITORY = Path(__file__).parents[2]
FACTS = ServerFacts(
    software="Redis", version="7.0.15", role="master", clustered=False, policy="noeviction", used=1, most=0, replicas=0,
    persists=True, ahead=0.0003,
)  # fmt: skip
WAITING = ("alive", "bring", "clock", "count", "dead", "line", "park", "purge", "requeue", "retime", "reweigh", "turns")


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    with Cluster(tmp_path_factory.mktemp("cluster")) as running:
        yield running


def test_a_redis_that_is_store_and_broker(examined, server, admin):
    said = examined(ALL_KINDS, broker=server.url)
    assert said.codes == {"LK161"}, said.sheet.findings  # no worker runs
    tried = {check.name for check in said.sheet.checks if check.subject == "store" and check.status == "ok"}
    assert tried >= {"takes", "overrides", "settle", "feedback", "workers' count", "running", "wakes", "reset"}
    assert said.check("broker", "waiting room").status == "ok"
    seen = said.check("store", "server").seen
    assert re.match(
        r"Redis \d+\.\d+\.\d+, noeviction, nothing written to disk, clock [+-]\d+\.\d ms, at redis://", seen
    )


def test_it_changes_nothing(examined, server, admin):
    """What kombu itself makes for answers is not the doctor's."""
    admin.set("limitkit:{api}:g1", "1")
    examined(ALL_KINDS, broker=server.url)
    assert {key for key in admin.scan_iter() if "kombu" not in key} == {"limitkit:{api}:g1"}
    assert admin.get("limitkit:{api}:g1") == "1"


def user(admin, *rights):
    """Make a user, and return the part of a URL that names it."""
    admin.execute_command("ACL", "SETUSER", "some", "reset", "on", ">pass-word", *rights)
    return "some:pass-word@"


def store_of(server, who=""):
    return server.url.replace("127.0.0.1", f"{who}127.0.0.1")


class TestRights:
    BASE = ("~limitkit:*", "+evalsha", "+script|load", "+get", "+set", "+del", "+time")

    def test_a_start_that_may_not_take(self, looked_at, server, admin):
        """Each missing command is named, not only the first that a script stops at."""
        said = looked_at(look_at_store, with_store(store_of(server, user(admin, *self.BASE)), ALL_KINDS))
        starts = said.of("LK055")
        assert starts.severity == "error"
        assert (starts.path, starts.line) == ("ratelimits.toml", ALL_KINDS.count("\n") + 3)
        takes = [each.message for each in said.sheet.findings if each.code == "LK151" and "(takes)" in each.message]
        assert len(takes) == 1
        for command in ("ZADD", "ZREM", "ZSCORE", "ZCARD", "LINDEX", "RPUSH", "PEXPIRE", "PTTL"):
            assert re.search(rf"\b{command}\b", takes[0]), command
        assert not re.search(r"\b(GET|SET|DEL|TIME|EVALSHA)\b", takes[0])
        assert "+zadd" in takes[0]
        assert said.sheet.exit_status() == 1
        assert "pass-word" not in str(said.sheet.findings)
        assert "pass-word" not in str(said.sheet.checks)

    def test_what_is_no_start_is_a_warning(self, looked_at, server, admin):
        """Limits hold without it; and nothing that the file asks for is missing."""
        said = looked_at(look_at_store, with_store(store_of(server, user(admin, *self.BASE, "+info"))))
        assert "LK055" not in said.codes
        found = {
            each.message.partition("(")[2].partition(")")[0]: each
            for each in said.sheet.findings
            if each.code == "LK151"
        }
        assert found.keys() == {"overrides", "workers' count", "reset"}
        assert {each.severity for each in found.values()} == {"warning"}
        assert "HDEL, HEXISTS, HGET, HGETALL, HSET, PEXPIRE, ZADD" in found["overrides"].message
        assert "reach no worker" in found["overrides"].message
        assert said.sheet.exit_status() == 0

    def test_what_the_file_asks_for_is_an_error(self, looked_at, server, admin):
        rights = ("~limitkit:*", "+@all", "-zcard", "-hdel")
        said = looked_at(
            look_at_store,
            with_store(store_of(server, user(admin, *rights)), TOML.replace('"25/s"', '"25/s"\non_error = "divide"')),
        )
        found = {each.severity for each in said.sheet.findings if each.code == "LK151" and "ZCARD" in each.message}
        assert found == {"error"}

    def test_a_user_that_may_not_wake(self, looked_at, server, admin):
        """On another channel than its own it may."""
        who = user(admin, "~limitkit:*", "+@all", "resetchannels", "&limitkit:other:*")
        said = looked_at(look_at_store, with_store(store_of(server, who), ALL_KINDS))
        found = said.of("LK151")
        assert found.severity == "warning"
        assert "may not do PUBLISH, SUBSCRIBE on limitkit:wake:* (wakes)" in found.message
        assert "&limitkit:wake:*" in found.hint

    def test_a_user_that_may_not_ask_what_it_is(self, looked_at, server, admin):
        said = looked_at(look_at_store, with_store(store_of(server, user(admin, "~limitkit:*", "+@all", "-info"))))
        assert said.check("store", "eviction").status == "not known"
        assert "says nothing of itself" in said.check("store", "server").seen

    def test_the_documented_rights_are_enough(self, looked_at, server, admin):
        page = (REPOSITORY / "docs/store.md").read_text()
        part = page.partition("## What its user may do")[2].partition("## When the store is gone")[0]
        rights = set(re.findall(r"\+[a-z|]+", part)) - {"+sentinel|masters"}
        who = user(admin, "~limitkit:*", "resetchannels", "&limitkit:wake:*", *sorted(rights))
        said = looked_at(look_at_store, with_store(store_of(server, who), ALL_KINDS))
        assert said.codes == set(), said.sheet.findings

    def test_a_broker_whose_user_may_not_park(self, looked_at, server, admin):
        who = user(admin, "~*", "&*", "+@all", "-zlexcount", "-zscan")
        said = looked_at(look_at_broker, broker=store_of(server, who))
        assert "may not run ZLEXCOUNT, ZSCAN, which the waiting room needs" in said.of("LK149").message
        assert "may not run ZSCAN; what a killed worker held" in said.of("LK148").message
        assert "pass-word" not in str(said.sheet)

    def test_a_broker_whose_user_may_not_use_such_keys(self, looked_at, server, admin):
        who = user(admin, "~celery*", "~_kombu*", "~unacked*", "~*.reply.celery.pidbox", "&*", "+@all")
        said = looked_at(look_at_broker, with_store(server.url), broker=store_of(server, who))
        assert "limitkit:waiting:*; tasks that can't start soon can't be parked" in said.of("LK149").message

    def test_each_command_of_the_scripts_is_tried(self, server, admin):
        """Where it is refused that is found, and where it is not it leaves nothing."""
        texts = [*SCRIPTS.values(), *map(script, WAITING)]
        commands = set().union(*map(commands_of, texts)) | {"EVALSHA", "SCRIPT LOAD", "SCAN", "INFO", "PUBLISH"}
        for command in sorted(commands):
            who = user(admin, "~*", "&*", "+@all", f"-{command.lower().partition(' ')[0]}")
            with contextlib.closing(redis.Redis.from_url(store_of(server, who))) as client:
                assert refused(client, commands, "limitkit:made-up") == [command]
        assert refused(admin, commands, "limitkit:made-up") == []
        assert admin.dbsize() == 0


class TestTheServer:
    def test_a_store_that_may_evict(self, looked_at, server, admin):
        admin.config_set("maxmemory-policy", "volatile-lru")
        said = looked_at(look_at_store, broker=server.url)
        assert said.of("LK053").severity == "warning"
        assert looked_at(look_at_broker, broker=server.url).codes == set()  # what has no time to live stays

    def test_a_broker_that_may_evict_queues(self, looked_at, server, admin):
        admin.config_set("maxmemory-policy", "allkeys-lru")
        said = looked_at(look_at_broker, broker=server.url)
        assert "drops whole queues" in said.of("LK140").message
        assert said.sheet.exit_status() == 1

    def test_a_replica(self, looked_at, server, admin):
        admin.execute_command("REPLICAOF", "127.0.0.1", free_port())
        said = looked_at(look_at_store, with_store(server.url))
        assert "is a replica, which is read only" in said.of("LK153").message
        assert "can't take a token" in said.of("LK158").message
        assert said.sheet.exit_status() == 1

    def test_a_broker_that_is_a_replica(self, looked_at, server, admin):
        admin.execute_command("REPLICAOF", "127.0.0.1", free_port())
        said = looked_at(look_at_broker, broker=server.url)
        assert "nothing can be sent" in said.of("LK153").message
        assert said.sheet.exit_status() == 1

    def test_full_memory(self, looked_at, server, admin):
        admin.config_set("maxmemory", "1mb" if admin.info()["used_memory"] > 1e6 else admin.info()["used_memory"])
        said = looked_at(look_at_store, with_store(server.url))
        assert "of its maxmemory" in said.of("LK152").message
        assert "OOM" in said.of("LK158").message

    @pytest.mark.parametrize(("part", "codes"), [(0.79, []), (0.8, ["LK152"])])
    def test_memory_is_nearly_full(self, part, codes):
        facts = replace(FACTS, used=round(part * 1000), most=1000)
        assert [each.code for each in servers.judged(facts, "the store", parks=False)] == codes

    @pytest.mark.parametrize(
        ("changed", "codes"),
        [
            ({}, []),
            ({"version": "6.2.0"}, []),
            ({"version": "6.0.16"}, ["LK155"]),
            ({"software": "Valkey", "version": "8.0.1"}, []),
            ({"role": "slave"}, ["LK153"]),
            ({"software": "KeyDB", "role": "active-replica"}, ["LK154"]),
        ],
    )
    def test_what_kind_of_server_it_is(self, changed, codes):
        assert [each.code for each in servers.judged(replace(FACTS, **changed), "the store", parks=True)] == codes

    @pytest.mark.parametrize(
        ("ahead", "said"), [(0.9, None), (-1.5, "1500ms behind"), (3.0, "3s ahead of"), (None, None)]
    )
    def test_a_clock_that_is_apart(self, ahead, said):
        found = [each.message for each in servers.clock(replace(FACTS, ahead=ahead), "the store")]
        assert bool(found) == bool(said)
        assert said is None or f"the clock of the store is {said} this machine's" in found[0]


class TestUnreached:
    def test_a_store_that_is_not_there(self, looked_at):
        url = f"redis://:pass-word@127.0.0.1:{free_port()}/0"
        said = looked_at(look_at_store, with_store(url))
        assert "can't be asked: ConnectionError" in said.of("LK150").message
        assert said.sheet.exit_status() == 2
        assert "pass-word" not in str(said.sheet)

    def test_a_broker_that_is_not_there(self, examined, server):
        """All else is looked at."""
        said = examined(with_store(server.url), broker=f"redis://:pass-word@127.0.0.1:{free_port()}/0")
        assert "no task can be sent" in said.of("LK130").message
        assert said.sheet.exit_status() == 2
        assert said.check("store", "takes").status == "ok"
        assert said.check("workers", "answers").status == "not known"
        assert said.check("versions", "packages").status == "ok"
        assert "pass-word" not in str(said.sheet)

    def test_what_never_answers(self, looked_at):
        """It accepts connections, and says nothing."""
        with socket.create_server(("127.0.0.1", 0)) as silent:
            url = f"redis://127.0.0.1:{silent.getsockname()[1]}/0"
            began = time.monotonic()
            said = looked_at(look_at_store, f'{TOML}\n[store]\nurl = "{url}"\n')
            assert time.monotonic() - began < 5
        assert said.sheet.exit_status() == 2
        assert "LK150" in said.codes

    def test_a_proxy_that_lets_no_scripts_through(self, looked_at, server):
        """It closes the connection, as some do."""
        with proxy(server.port, refuses=b"EVALSHA") as port:
            said = looked_at(look_at_store, with_store(f"redis://127.0.0.1:{port}/0"))
        assert "a proxy that knows no scripts" in said.of("LK158").message
        assert said.sheet.exit_status() == 1


class TestCluster:
    def test_scripts_are_tried_there_too(self, looked_at, cluster):
        said = looked_at(look_at_store, with_store(cluster.url, ALL_KINDS))
        assert said.codes == set(), said.sheet.findings
        assert sum(check.name == "server" for check in said.sheet.checks) == len(cluster.masters)
        assert said.check("store", "settle").status == "ok"
        for master in cluster.masters:
            with contextlib.closing(redis.Redis(port=master.port)) as client:
                assert client.keys("*doctor*{overrides}*") == []

    def test_a_node_of_it_is_no_server(self, looked_at, cluster):
        said = looked_at(look_at_store, with_store(f"redis://127.0.0.1:{cluster.masters[0].port}/0", ALL_KINDS))
        assert "write redis+cluster://" in said.of("LK055").hint
        assert "a node of a cluster" in said.check("store", "server").seen

    def test_a_node_of_it_is_no_broker(self, looked_at, cluster):
        """Made-up keys of several slots are removed from it, too."""
        url = f"redis://127.0.0.1:{cluster.masters[0].port}/0"
        said = looked_at(look_at_broker, with_store(cluster.url), broker=url)
        assert "is a node of a Redis Cluster" in said.of("LK149").message
        for master in cluster.masters:
            with contextlib.closing(redis.Redis(port=master.port)) as client:
                assert client.keys("*doctor*") == []


@contextlib.contextmanager
def proxy(port, *, refuses):
    """Pass on what comes to a port, but close the connection when it has these bytes."""

    def serve(near):
        with near, socket.create_connection(("127.0.0.1", port)) as far:
            while (asked := near.recv(1 << 16)) and refuses not in asked:
                far.sendall(asked)
                near.sendall(far.recv(1 << 20))

    def accept():
        with contextlib.suppress(OSError):
            while True:
                threading.Thread(target=serve, args=(listening.accept()[0],), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        yield listening.getsockname()[1]
        listening.shutdown(socket.SHUT_RDWR)
    thread.join()
