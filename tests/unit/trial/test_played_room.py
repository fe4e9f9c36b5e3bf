"""The waiting room's scripts do the same in the Redis that is played as in a real one: replies, and what is kept."""

import json

from hypothesis import given, settings
from hypothesis import strategies as st
from support.sizes import examples
from unit.trial.test_played_redis import as_played, by_value, evaluate, everything, everything_played

from limitkit.trial.engine.broker import Channel
from limitkit.trial.engine.redis_server import RedisServer
from limitkit.waiting import redis_room
from limitkit.waiting.redis_keys import keys, lists, queue_keys
from limitkit.waiting.room import MOST_ORDERS, ORDERS_A_SECOND

TIME = "redis.call('TIME')"
BUCKETS = ["limitkit:{a}", "limitkit:{a}:p", "limitkit:{é}", "limitkit:{b}:日本"]
QUEUES = ["celery", "é"]
VALUES = ["", "", "v1", "v2", "v3"]
SECONDS = st.one_of(st.sampled_from([0.0, 0.001, 0.5, 1.0, 2.0]), st.floats(0, 100))
INTERVALS = st.sampled_from([0.001, 0.1, 1 / 3, 1.0, 60.0])
WEIGHTS = st.sampled_from([1.0, 0.1, 3.0, 1000.0])
BUCKET, QUEUE = st.sampled_from(BUCKETS), st.sampled_from(QUEUES)
LEAVERS = st.lists(
    st.tuples(
        BUCKET,
        INTERVALS,
        st.one_of(st.just(-1.0), SECONDS),
        st.sampled_from([0, 0, 3, 6, 9]),
        st.sampled_from(VALUES),
        WEIGHTS,
        st.integers(1, 5),
        st.booleans(),
    ),
    min_size=1,
    max_size=12,
)
STEPS = st.one_of(
    st.tuples(st.just("park"), QUEUE, LEAVERS),
    st.tuples(
        st.just("bring"),
        SECONDS,
        st.integers(0, 12),
        st.lists(st.tuples(BUCKET, INTERVALS, st.integers(0, 5)), max_size=2, unique_by=lambda each: each[0]),
        st.lists(
            st.tuples(BUCKET, INTERVALS, st.one_of(st.just(-1), SECONDS)), max_size=2, unique_by=lambda each: each[0]
        ),
        SECONDS,
    ),
    st.tuples(st.just("retime"), QUEUE, st.dictionaries(st.sampled_from([*BUCKETS, "a", "b"]), INTERVALS)),
    st.tuples(
        st.just("reweigh"),
        QUEUE,
        st.dictionaries(st.sampled_from("ab"), st.dictionaries(st.sampled_from(VALUES), WEIGHTS)),
    ),
    st.tuples(st.just("fetch"), QUEUE),
    st.tuples(st.just("pass"), st.one_of(SECONDS, st.sampled_from([-5.0, -0.5]))),
)


class Rooms:
    """One waiting room in a real Redis, and one in a played one, at the same time."""

    def __init__(self, client):
        self.client, self.played = client, RedisServer(lambda: 0.0)
        self.channel = Channel.__new__(Channel)  # for names only
        self.now, self.tags, self.known = 1_767_571_200.25, 0, {}

    def call(self, text, names, args):
        """Call a script in both, with the same time of the server; returns its reply."""
        seconds, micros = int(self.now), int((self.now - int(self.now)) * 1_000_000)
        assert text.count(TIME) <= 1
        text = text.replace(TIME, f"{{'{seconds}', '{micros}'}}")
        replies = self.played.run(text, names, args), evaluate(self.client)(text, names, args)
        assert by_value(replies[0]) == as_played(replies[1]), (names, args)
        return replies[0]

    def same(self, run):
        """Do the same to both, given a way to call one command."""
        for reply in (self.client.execute_command, lambda name, *args: self.played.run(ONE, [], [name, *args])):
            run(reply)

    # -- steps --------------------------------------------------------------------------------------------------------

    def park(self, queue, leavers):
        index, unacked = self.channel.unacked_index_key, self.channel.unacked_key
        args = [queue, MOST_ORDERS, ORDERS_A_SECOND]
        for bucket, interval, turn, priority, value, weight, cost, was_parked in leavers:
            self.tags += 1
            tag = f"tag-{self.tags}"
            self.same(lambda do, tag=tag: (do("HSET", unacked, tag, "1"), do("ZADD", index, 1, tag)))
            order = priority * MOST_ORDERS + self.tags if was_parked else ""
            taker = f"{value} {weight!r} {cost}" if value else ""
            before, behind = '{"properties": {"x": "ü", "limitkit_order": ', "}}"
            args += [tag, bucket, interval, turn, priority, order, self.channel._q_for_pri(queue, priority)]
            args += [before, behind, taker]
        names = [index, unacked, *keys(self.channel, "limitkit", "messages", "queues", "order", "clock")]
        self.call(redis_room._PARK, [*names, *queue_keys(self.channel, "limitkit", queue)], args)

    def bring(self, lead, places, hungry, full, turns_lead):
        names = keys(self.channel, "limitkit", "messages", "queues", "clock")
        for queue in QUEUES:
            names += queue_keys(self.channel, "limitkit", queue) + lists(self.channel, queue)
        flat = [[part for each in those for part in each] for those in (hungry, full)]
        args = [lead, places, MOST_ORDERS, *map(json.dumps, ([*self.channel.priority_steps], *flat))]
        self.call(redis_room._BRING, names, [*args, turns_lead, *QUEUES])

    def retime(self, queue, intervals):
        due, waits, *_ = queue_keys(self.channel, "limitkit", queue)
        names = [due, waits, *keys(self.channel, "limitkit", "clock")]
        self.call(redis_room._RETIME, names, [0, 200, json.dumps(intervals)])

    def reweigh(self, queue, weights):
        due, _, line, turns = queue_keys(self.channel, "limitkit", queue)
        self.call(redis_room._REWEIGH, [due, line, turns], [0, 200, json.dumps(weights)])

    def fetch(self, queue):
        for name in lists(self.channel, queue):
            self.call("return redis.call('RPOP', KEYS[1])", [name], [])

    def wait(self, seconds):
        self.now += seconds


ONE = "return redis.call(unpack(ARGV))"


@settings(max_examples=examples(200))
@given(steps=st.lists(STEPS, min_size=1, max_size=25))
def test_scripts_do_the_same_in_both(real, steps):
    real.flushall()
    rooms = Rooms(real)
    for name, *args in steps:
        getattr(rooms, "wait" if name == "pass" else name)(*args)
    assert everything_played(rooms.played) == everything(real)
