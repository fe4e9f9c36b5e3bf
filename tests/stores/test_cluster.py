"""What is peculiar to a Redis Cluster: buckets on several slots, and slots and scripts that come and go."""

from __future__ import annotations

import itertools
import threading
import time
from contextlib import closing

import pytest
from support.topologies import SLOTS, Cluster, ask, info

from limitkit.buckets.decision import Bucket, Take
from limitkit.errors import StoreError
from limitkit.stores.cluster import ClusterStore

HOUR = 3600 * 1_000_000
_numbers = itertools.count()


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    with Cluster(tmp_path_factory.mktemp("cluster")) as running:
        yield running


@pytest.fixture
def store(cluster):
    with closing(ClusterStore(cluster.url, 5.0)) as store:
        yield store


def bucket(limit, burst, interval_us=HOUR):
    return Bucket(f"limitkit:{{{limit} {next(_numbers)}}}:g1", interval_us, burst)


def calls(cluster):
    return sum(info(server, "commandstats").get("cmdstat_evalsha", {"calls": 0})["calls"] for server in cluster.masters)


def test_several_workers_that_take_in_two_steps_never_take_more_than_a_limit_has(cluster):
    narrow, wide = bucket("narrow", 60), bucket("wide", 90)
    now = time.time_ns() // 1000  # stands still, so that no token comes back
    both = Take((narrow, wide))
    starts = {narrow: 0, wide: 0}
    counting, together = threading.Lock(), threading.Barrier(4)

    def work():
        with closing(ClusterStore(cluster.url, 5.0)) as store:
            store.take([Take((narrow,), 0)], now_us=now)
            together.wait(60)
            for number in range(60):
                wanted = (both, Take((wide,)), both, Take((narrow,)))[number % 4]
                slots = store.take([wanted], now_us=now)[0].slots
                with counting:
                    for each in wanted.buckets:
                        starts[each] += len(slots)

    workers = [threading.Thread(target=work) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
    assert starts[narrow] <= 60
    assert starts[wide] <= 90
    # What a refused second step gives back is lost only when somebody took in between.
    assert starts[narrow] + starts[wide] > 0.7 * (60 + 90)


def test_what_the_second_step_refuses_goes_back(store):
    slow, empty = bucket("slow", 3), bucket("empty", 1, HOUR - 1)
    store.take([Take((empty,))])
    for _ in range(5):
        (refused,) = store.take([Take((slow, empty))])
        assert refused.slots == ()
        assert refused.waits[0] == 0.0
        assert 3540 < refused.waits[1] < 3600
    assert store.take([Take((slow,), 5, 5)])[0].slots == (0.0,) * 3


def test_a_group_starts_as_often_as_its_emptiest_bucket_admits(store):
    narrow, wide = bucket("narrow", 2), bucket("wide", 5)
    assert store.take([Take((wide, narrow), 4, 4)])[0].slots == (0.0, 0.0)
    assert store.take([Take((wide,), 9, 9)])[0].slots == (0.0,) * 3


def test_a_call_is_one_script_for_each_slot(store, cluster):
    limits = [bucket("limit", 5) for _ in range(6)]
    partitions = [Bucket(f"{limit.key}:{number}", HOUR, 5) for limit in limits for number in range(10)]
    store.take([Take((limit,)) for limit in limits])
    before = calls(cluster)
    answers = store.take([Take((partition,)) for partition in partitions])
    assert calls(cluster) == before + len(limits)
    assert [answer.slots for answer in answers] == [(0.0,)] * len(partitions)


def test_nodes_that_forgot_the_script_are_told_it_again(store, cluster):
    limits = [bucket("limit", 5) for _ in range(6)]
    takes = [Take((limit,)) for limit in limits]
    first = store.take(takes)
    for master in cluster.masters:
        ask(master, "SCRIPT", "FLUSH")
    assert [answer.marks[0] - before.marks[0] for answer, before in zip(store.take(takes), first, strict=True)] == [
        HOUR
    ] * 6
    before = calls(cluster)
    store.take(takes)
    assert calls(cluster) == before + 6


def test_a_slot_that_moves_is_followed(store, cluster):
    moving = bucket("moving", 2)
    assert store.take([Take((moving,))])[0].slots == (0.0,)
    slot = ask(cluster.masters[0], "CLUSTER", "KEYSLOT", moving.key)
    owner = cluster.masters[slot * 3 // SLOTS]
    other = next(master for master in cluster.masters if master is not owner)
    mark = ask(owner, "GET", moving.key)
    ask(owner, "DEL", moving.key)
    # As a move goes, so that the new owner's word is the newer one, whatever the old one still tells it meanwhile.
    old, new = (ask(server, "CLUSTER", "MYID") for server in (owner, other))
    ask(other, "CLUSTER", "SETSLOT", slot, "IMPORTING", old)
    ask(owner, "CLUSTER", "SETSLOT", slot, "MIGRATING", new)
    for server in (other, owner):
        ask(server, "CLUSTER", "SETSLOT", slot, "NODE", new)
    ask(other, "SET", moving.key, mark, "PX", 2 * HOUR // 1000)
    assert [store.take([Take((moving,))])[0].slots for _ in range(2)] == [(0.0,), ()]


def test_any_master_may_be_the_one_that_evicts(store, cluster):
    for master in cluster.masters:
        ask(master, "CONFIG", "SET", "maxmemory-policy", "volatile-ttl")
        assert store.evicts() == "volatile-ttl"
        ask(master, "CONFIG", "SET", "maxmemory-policy", "noeviction")
    assert store.evicts() == ""


def test_a_server_that_is_no_cluster_is_a_store_error():
    with closing(ClusterStore("redis+cluster://127.0.0.1:1,127.0.0.1:2", 0.1)) as store, pytest.raises(StoreError):
        store.take([Take((bucket("limit", 1),))])
