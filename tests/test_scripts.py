"""Every Lua script of the package, called by the package's own code on a Redis that refuses what strict ones refuse."""

import contextlib
from dataclasses import replace
from types import SimpleNamespace

import pytest
import redis
from support.parked import PREFIX, filling
from support.servers import RedisServer
from support.strict import RAN, SCRIPTS, checked, make_strict, named

from limitkit.buckets.decision import Bucket, GiveBack, Lease, Refusal, Settlement, Slots, Take, Window
from limitkit.buckets.override import Override, Target
from limitkit.buckets.turns import TurnTaker
from limitkit.config.declared import Feedback, Resets
from limitkit.config.model.units import parse_rate
from limitkit.stores.overrides import OverrideStore
from limitkit.stores.redis import RedisStore
from limitkit.waiting.deliveries import Deliveries, new_worker, tag
from limitkit.waiting.parked_messages import ParkedMessages
from limitkit.waiting.redis_room import RedisRoom
from limitkit.waiting.room import NO_MORE, Leaving, Steering

NOW = 1_764_000_000_123_457
SLOWS_DOWN = Feedback("api", ("a.B",), factor=0.77, step=0.3)
PAUSES = Feedback("api", ("a.B",), action="pause")
FEW, MANY = 3, 2000


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with RedisServer(tmp_path_factory.mktemp("redis")) as running:
        yield running


@pytest.fixture
def client(server):
    with contextlib.closing(redis.Redis.from_url(server.url, decode_responses=True)) as client:
        client.flushdb()
        yield client


def bucket(number, **words):
    return Bucket(f"{PREFIX}:{{tag{number}}}:g1", 999_999 + number, 2, **words)


def take(url, count):
    """Takes and give-backs as a worker asks for them at most: 32 lanes, eight limits each."""
    groups = [
        tuple(bucket(8 * lane + each, feedback=SLOWS_DOWN if each % 2 else None) for each in range(8))
        for lane in range(min(count, 32))
    ]
    with contextlib.closing(RedisStore(url, 20.0)) as store:
        taken = store.take([Take(group, 3, 2, 4.0) for group in groups])
        gifts = [GiveBack(*pair) for pair in zip(groups[0], taken[0].marks, strict=True)]
        gifts += [GiveBack(bucket(number), 1) for number in range(min(count, 1000))]
        store.take([Take(group, 16, 16, 1.0) for group in groups], gifts)
        (taken,) = store.take([Take((bucket(999),))], now_us=NOW)
        store.take([], [GiveBack(bucket(999), taken.marks[0])], now_us=NOW)  # it is full again
        for told in (SLOWS_DOWN, PAUSES):
            for wait in (None, 1.2345678):
                for _ in range(3):
                    store.back_off(Refusal(bucket(9, feedback=told), 0.1234567, wait))
        store.take([Take(groups[0])])
        assert store.note(f"{PREFIX}:workers", "w1") == 1


def take_of_all_kinds(url, count):
    """Take from all kinds at once, as often as a worker asks; give back, settle, renew; wake who waits."""
    tag, told = f"{PREFIX}:{{kinds}}", SLOWS_DOWN
    slots = Slots(f"{tag}:r1", 999_999, 2, feedback=PAUSES, lease_us=5_000_001)
    group = (
        slots,
        Bucket(f"{tag}:g1", 999_999, 2000, metered=True, feedback=told),
        Window(f"{tag}:w1", 333_333, 3000, period_us=1_000_000_007, feedback=told),
        Window(f"{tag}:x1", 5_005_000, 2500, period_us=1_001_000_000, exact=True, feedback=told),
        Window(f"{tag}:c1", 28_800_000, 3000, resets=Resets("00:00 UTC", "d"), late_us=20_000, feedback=told),
    )
    costs = (1, *[min(count, 1500)] * 4)
    with contextlib.closing(RedisStore(url, 20.0)) as store:
        asks = [Take(group, 1, 1, 0.0, costs, f"member{number}", f"{PREFIX}:wake") for number in range(min(count, 32))]
        first = store.take([*asks, Take(group, 0)])[0]
        assert first.slots == (0.0,)
        store.take([Take((slots,), 1, 1, 0.0, (), name, f"{PREFIX}:wake") for name in ("other", "one more")])
        settled = [Settlement(each, 5, 4 + number % 3, first.marks[1 + number % 4]) for number in range(count)
                   for each in [group[1 + number % 4]]]  # fmt: skip
        store.settle(settled)
        assert all(store.renew([Lease(slots, "member0")] * count))
        assert "member0" in dict(store.running([slots])[0])
        store.take([], [GiveBack(slots, 0, 1, "member0"), *map(GiveBack, group[1:], first.marks[1:])])
        for bucket in group:
            store.back_off(Refusal(bucket, 0.1234567, None))
        store.take(asks)


def override(url, count):
    posted = [
        Override(target=Target("tasks", f"päid {n}\0"), kind="rate", rate=parse_rate("1/s"), until=1e10 + n)
        for n in range(count)
    ]
    with contextlib.closing(RedisStore(url, 20.0)) as store:
        overrides = OverrideStore(store, PREFIX)
        overrides.look(digest="own", declares="of own")
        version = overrides.post([(each, 1e6) for each in posted])
        assert len(overrides.look(digest="new", left="own", wanted=["own"]).overrides) == count
        overrides.post([], [each.name for each in posted])
        store.refill(f"{PREFIX}:{{overrides}}", partitions=False)
        assert overrides.put_back(version, posted) == version
        assert overrides.look().overrides == tuple(sorted(posted, key=lambda each: each.name))


def wait(url, count):
    """Park what is of many buckets, for a worker of many queues, and bring it back in each way; purge the rest."""
    queues = [f"queue{number}" for number in range(min(count, 600))]
    messages = min(count, 200)
    with filling(url, queues) as filler:
        room, tag = RedisRoom(PREFIX, lambda: filler.channel, lambda: queues), "limits"
        for first in range(0, messages, room.most):
            leavers = []
            for number in range(first, min(first + room.most, messages)):
                filler.app.send_task("paid", queue=queues[0], priority=number % 10)
                request = SimpleNamespace(message=filler.channel.basic_get(queues[0]), acknowledged=False)
                mine = Bucket(f"{PREFIX}:{{{tag}}}:g1:{number:032x}", 1_234_567, 1)
                taker = TurnTaker(f"{number % 7:032x}", 0.3, number % 4 + 1) if number % 5 == 0 else None
                if taker is not None:
                    mine = replace(mine, key=f"{PREFIX}:{{{tag}}}:g1:{'0' * 32}")
                leavers.append(Leaving(request, queues[0], mine, NO_MORE if number % 2 else 0.123, taker))
            room.park(leavers)
        weights = {tag: {f"{number:032x}": 1 / 3 for number in range(count)}}
        for _ in room.retime({tag: 0.7654321} | {f"tag{number}": 0.1 for number in range(count)}, weights):
            pass
        parked = ParkedMessages(filler.channel, PREFIX)
        piles = list(parked.piles())
        assert parked.find(leavers[1].request.message.headers["id"]).place == 1
        hungry = {pile.bucket: (0.7654321, 1) for pile in piles[::3]}
        hungry |= {f"hungry {number}": (0.1, 2) for number in range(count)}
        full = {pile.bucket: (0.7654321, 33.3) for pile in piles[1::3]}
        full |= {f"full {number}": (1.5, NO_MORE) for number in range(count)}
        brought = room.bring(Steering(hungry, full, 0.2, 100))
        assert len(brought.left) > count
        room.bring(Steering(lead=1.5))
        left = sum(parked.purge(list(parked.piles())))
        assert filler.channel._size(queues[0]) + left == messages


def rescue(url, count):
    """Return what a dead worker has, in lists of all priorities, by another one that sees many others silent."""
    queues, messages = [f"queue{number}" for number in range(min(count, 100))], min(count, 300)
    dead, other = new_worker("w1@test"), new_worker("w2@test")
    with filling(url, queues) as filler, contextlib.closing(Deliveries(filler.channel, PREFIX)) as deliveries:
        channel = filler.channel
        for number in range(messages):
            filler.app.send_task("paid", queue=queues[0], priority=number % 10)
            message = channel.basic_get(queues[0])
            channel.qos.ack(message.delivery_tag)
            message.delivery_info = {"exchange": "", "routing_key": queues[number % len(queues)]}
            channel.qos.append(message, tag(dead, number))
        with contextlib.closing(redis.Redis.from_url(url)) as client:
            key = f"{PREFIX}:waiting:workers:unacked"
            client.zadd(key, {dead: 1} | {f"other {number}": 2 + number for number in range(count)})
        silent = deliveries.note(other, begins=True)
        assert deliveries.declare_dead(silent[0]) > 0
        tags = [each for some in deliveries.tags(dead) for each in some]
        assert sum(deliveries.give_back(dead, tags)) == messages
        channel.qos._delivered.clear()


USES = [take, take_of_all_kinds, override, wait, rescue]


@pytest.mark.parametrize("use", USES)
def test_no_script_touches_a_key_that_it_does_not_name(server, client, monkeypatch, use):
    make_strict(monkeypatch)
    use(server.url, MANY)


def test_no_script_is_left_out(server, client, monkeypatch):
    make_strict(monkeypatch)
    for use in USES:
        use(server.url, FEW)
    assert client.smembers(RAN) == {named(file) for file in SCRIPTS}, "add to a use what calls the new script"


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("return redis.call('GET', 'built:' .. ARGV[1])", "get of the key built:x, which is not in KEYS"),
        ("return redis.pcall('HSET', ARGV[1], 'a', 'b')", "hset of the key x, which"),
        ("local call = redis.call return call('del', KEYS[1], ARGV[1])", "del of the key x, which"),
        ("return redis.call('TYPE', KEYS[1])", "not known which arguments of type are keys"),
        ("return 2.5", "an answer with the number 2.5"),
        ("return { 1, { 0 / 0 } }", "an answer with the number"),
        ("return { 1, nil, 3 }", "an answer that ends at a nil"),
        ("return { redis.call('GET', KEYS[1]) }", "an answer with a boolean"),
        ("local many = {} for at = 1, 3001 do many[at] = at end return { unpack(many) }", "list of 3001 is unpacked"),
        (
            "local many = {} for at = 1, 3000 do many[at] = at end return redis.call('SADD', KEYS[1], unpack(many))",
            "sadd with 3001 arguments",
        ),
    ],
)
def test_what_a_strict_server_refuses_is_refused(client, script, said):
    client.eval(script, 1, "named", "x")
    client.flushdb()
    with pytest.raises(redis.ResponseError, match=f"strict: .*{said}"):
        client.eval(checked(script), 1, "named", "x")


def test_too_many_arguments_are_refused(client):
    assert client.eval(checked("return #KEYS"), 1000, *range(3000)) == 1000
    with pytest.raises(redis.ResponseError, match="strict: called with 3001 arguments"):
        client.eval(checked("return #KEYS"), 1000, *range(3001))


def test_a_script_that_does_what_it_may_is_not_hindered(client):
    text = "redis.call('SET', KEYS[1], ARGV[1]) return { redis.call('GET', KEYS[1]), 7, {}, redis.sha1hex('') }"
    assert client.eval(checked(text), 1, "named", "x")[:3] == ["x", 7, []]
    assert client.eval(checked("return nil"), 0) is None
