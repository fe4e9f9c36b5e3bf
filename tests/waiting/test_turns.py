"""The waiting room in Redis where values take turns: the same order as in a lane, by the real scripts."""

import contextlib
import random
from collections import Counter
from types import SimpleNamespace

import pytest
import redis
from support.parked import PREFIX, filling
from support.servers import RedisServer

from limitkit.buckets.decision import Bucket
from limitkit.buckets.turns import TurnTaker
from limitkit.waiting.parked_messages import ParkedMessages
from limitkit.waiting.room import Leaving, Steering

SECOND = 1_000_000
API = Bucket(f"{PREFIX}:{{api}}:g1", SECOND, 1)
OTHER = Bucket(f"{PREFIX}:{{api}}:g1:0", SECOND, 1)
FAR = 3600.0


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with RedisServer(tmp_path_factory.mktemp("redis")) as running:
        yield running


class Room:
    """One bucket's messages, by the name of their value."""

    def __init__(self, filler, client):
        self.filler, self.client, self.names = filler, client, {}
        self.parked = ParkedMessages(filler.channel, PREFIX)

    def park(self, value, count=1, *, weight=1.0, cost=1, bucket=API, turn=FAR):
        leavers = []
        for _ in range(count):
            self.names[self.filler.app.send_task("paid").id] = value
            message = self.filler.channel.basic_get("celery")
            taker = TurnTaker(value, weight, cost) if value else None
            request = SimpleNamespace(message=message, acknowledged=False)
            leavers.append(Leaving(request, "celery", bucket, turn, taker))
        self.filler.room.park(leavers)
        return leavers

    def bring(self, count=0, bucket=API, **steering):
        """Have so many come back; returns their values, as a set counts them."""
        hungry = {bucket.key: (FAR, count)} if count else {}
        left = self.filler.room.bring(Steering(hungry, **steering)).left
        return Counter(self.fetched()), left.get(bucket.key)

    def have_come(self, *counts, bucket=API):
        """Have so many come back, one call after the other, before any is fetched; returns their values in order."""
        for count in counts:
            self.filler.room.bring(Steering({bucket.key: (FAR, count)}))
        return self.fetched()

    def fetched(self):
        came = []
        while message := self.filler.channel.basic_get("celery"):
            came.append(self.names[message.headers["id"]])
            message.ack()
        return came

    def reweigh(self, **weights):
        for _ in self.filler.room.retime({}, {"api": weights}):
            pass

    def written(self):
        return {key.decode() for key in self.client.scan_iter() if b"waiting" in key} - {
            f"{PREFIX}:waiting:order",
            f"{PREFIX}:waiting:clock",
        }

    def tags(self):
        return self.client.hgetall(f"{PREFIX}:waiting:turns:celery")


@pytest.fixture
def room(server):
    with filling(server.url) as filler, contextlib.closing(redis.Redis.from_url(server.url)) as client:
        client.flushdb()
        yield Room(filler, client)


def test_each_value_has_its_share_whatever_the_others_have(room):
    room.park("a", 60)
    for value in "bcd":
        room.park(value, 10)
    assert room.bring(20)[0] == {"a": 5, "b": 5, "c": 5, "d": 5}
    assert room.bring(22) == (Counter({"a": 7, "b": 5, "c": 5, "d": 5}), 48)
    assert room.bring(100) == (Counter({"a": 48}), 0)
    assert not room.written()


@pytest.mark.parametrize("each", [1, 7, 40])
def test_shares_are_in_proportion_to_weights(room, each):
    room.park("a", 40, weight=3.0)
    room.park("b", 40)
    room.park("c", 40, weight=0.5)
    had = Counter()
    for _ in range(40 // each):
        had += room.bring(each)[0]
    whole = sum(had.values()) / 4.5
    assert had["a"] == pytest.approx(3 * whole, abs=2)
    assert had["c"] == pytest.approx(0.5 * whole, abs=2)


def test_shares_are_of_tokens_where_starts_have_costs(room):
    room.park("a", 60, cost=4)
    room.park("b", 60)
    assert room.bring(50)[0] == {"a": 10, "b": 40}


def test_one_that_comes_new_is_next(room):
    room.park("a", 30)
    room.park("b", 30)
    room.bring(20)
    room.park("new", 3)
    assert room.bring(3)[0]["new"] == 1
    room.bring(6)
    room.park("a", 10)
    assert room.bring(4)[0] == {"a": 2, "b": 2}, "nobody has saved up turns"


def test_one_that_comes_new_need_not_wait_for_its_bucket_to_be_due(room):
    room.park("a", 3)
    assert room.bring()[0] == {}
    room.park("new", 2, turn=2 * FAR)
    assert room.client.zscore(f"{PREFIX}:waiting:due:celery", API.key) < room.parked._now() + FAR - 0.5


def test_an_endless_row_of_new_values_does_not_keep_others_waiting(room):
    room.park("steady", 20)
    had = Counter()
    for number in range(30):
        room.park(f"v{number}")
        had += room.bring(1)[0]
    assert had["steady"] >= 3


def test_values_that_are_gone_are_forgotten(room):
    room.park("steady", 60)
    for number in range(50):
        room.park(f"v{number}")
        room.bring(2)
    assert len(room.tags()) < 10


def test_a_changed_weight_holds_for_what_waits(room):
    room.park("a", 60)
    room.park("b", 60)
    assert room.bring(10)[0] == {"a": 5, "b": 5}
    room.reweigh(a=3.0)
    assert room.bring(20)[0]["a"] in (15, 16)
    room.reweigh(a=1e-9)
    assert room.bring(11)[0]["a"] <= 1
    room.reweigh()
    before = room.tags()
    room.reweigh()
    assert room.tags() == before
    assert room.bring(20)[0]["a"] in (9, 10, 11)


def test_weights_of_any_size_break_nothing(room):
    room.park("huge", 120, weight=1e9)
    room.park("tiny", 120, weight=1e-9)
    had = Counter()
    for _ in range(10):
        had += room.bring(10)[0]
    assert had["tiny"] <= 1
    room.client.hset(f"{PREFIX}:waiting:turns:celery", API.key, "0")
    for _ in range(12):  # tags grow by the most that they can
        had += room.bring(11)[0]
    room.park("new", 2)
    assert room.bring(2)[0]["new"] >= 1
    assert room.bring(200)[1] == 0
    assert not room.written()


def test_tags_are_made_smaller_before_they_are_inexact(room):
    room.park("a", 300, weight=1e-8)
    room.park("b", 300, weight=2e-8)
    had = Counter()
    for _ in range(30):
        had += room.bring(10)[0]
    assert max(int(state.split()[0]) for state in room.tags().values()) < 5e15
    assert had == {"a": 100, "b": 200}


def test_what_has_no_value_takes_turns_as_one_more(room):
    """As what an older worker has parked, or one that did not know the new file yet."""
    room.park("", 10)
    room.park("a", 10)
    room.park("b", 10)
    assert room.bring(9)[0] == {"": 3, "a": 3, "b": 3}
    assert room.bring(30) == (Counter({"": 7, "a": 7, "b": 7}), 0)
    assert not room.written()


def test_within_a_value_the_first_to_come_is_the_first_to_come_back(room):
    leavers = [*room.park("a", 5), *room.park("b", 5)]
    ids = [leaver.request.message.headers["id"] for leaver in leavers]
    assert [room.parked.find(id_).place for id_ in ids] == [1, 2, 3, 4, 5] * 2
    room.bring(4)
    assert [room.parked.find(id_) is None for id_ in ids] == [True, True, False, False, False] * 2
    found = room.parked.find(ids[2])
    assert (found.place, found.pile.bucket, found.pile.count, found.pile.values) == (1, API.key, 6, 2)


def test_those_that_came_back_in_turns_are_fetched_in_turns_though_workers_fetch_slowly(room):
    room.park("campaign", 12)
    room.park("receipt", 12)
    came = room.have_come(4, 4, 4)
    assert all(Counter(came[at : at + 4]) == {"campaign": 2, "receipt": 2} for at in (0, 4, 8))


def test_no_more_come_back_than_workers_fetch(room):
    room.park("a", 500)
    for left in (400, 300, 200, 200, 200):
        assert room.filler.room.bring(Steering({API.key: (FAR, 100)})).left[API.key] == left
    assert len(room.fetched()) == 300
    assert room.bring(100) == (Counter({"a": 100}), 100)


def test_the_oldest_of_any_value_is_said(room):
    room.park("b")
    room.park("a", 3)
    ages = [pile.age for pile in room.parked.piles()]
    room.client.zrem(f"{PREFIX}:waiting:line:celery", *room.client.zrange(f"{PREFIX}:waiting:line:celery", 0, -1))
    assert len(ages) == 1
    assert ages[0] > 0


def test_purging_leaves_nothing_behind(room):
    for value in ("", *"abc"):
        room.park(value, 4)
    room.park("a", 3, bucket=OTHER)
    assert sum(room.parked.purge(pile for pile in room.parked.piles() if pile.bucket == API.key)) == 16
    assert {pile.bucket: pile.count for pile in room.parked.piles()} == {OTHER.key: 3}
    assert sum(room.parked.purge_queue("celery")) == 3
    assert not room.written()


def test_a_bucket_with_turns_comes_back_a_shorter_time_before_it_is_due(room):
    room.park("a", turn=5.0)
    room.park("", turn=5.0, bucket=OTHER)
    assert room.bring(lead=10.0, turns_lead=1.0)[0] == {"": 1}
    assert room.bring(lead=10.0, turns_lead=6.0)[0] == {"a": 1}


def test_buckets_that_are_not_due_yet_do_not_hide_those_behind_them(room):
    for number in range(12):
        room.park("a", turn=5.0, bucket=Bucket(f"{PREFIX}:{{api}}:g1:{number:032x}", SECOND, 1))
    room.park("", turn=6.0)
    assert room.bring(lead=10.0, turns_lead=1.0, places=2)[0] == {"": 1}


def test_whatever_comes_each_message_comes_back_once(room):
    rnd = random.Random(7)
    sent, came = Counter(), Counter()
    for _ in range(120):
        value, bucket = rnd.choice(["", "a", "b", "c", "d"]), rnd.choice([API, OTHER])
        if rnd.random() < 0.5:
            count = rnd.randint(1, 4)
            room.park(value, count, weight=rnd.choice([1.0, 1.0, 5.0, 1e-9]), cost=rnd.randint(1, 9), bucket=bucket)
            sent[value] += count
        elif rnd.random() < 0.2:
            room.reweigh(a=rnd.choice([0.1, 7.0]))
        else:
            came += room.bring(rnd.randint(1, 6), bucket=bucket)[0]
    came += room.bring(600)[0]
    came += room.bring(600, bucket=OTHER)[0]
    assert came == sent
    assert not room.written()
