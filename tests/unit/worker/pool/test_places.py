"""A pool's places: each is taken once and left once, however what runs in it ends."""

from types import SimpleNamespace

import pytest
from celery.exceptions import TaskRevokedError

from limitkit.worker.pool.places import Places


class Pool:
    """It ends what it runs when it is told to."""

    def __init__(self, limit):
        self.limit, self.ends = limit, []

    def apply_async(self, target, *_, **options):
        if options.get("breaks"):
            raise RuntimeError("the pool is closed")
        self.ends.append(None)
        return target

    def grow(self, n=1):
        self.limit += n

    def shrink(self, n=1):
        self.limit -= n


class Kind:
    name, consumes = "played", False

    def give(self, pool, run, leave, options):
        result = run(**options)
        pool.ends[-1] = leave
        return result


class Loop:
    """It makes what is posted when it turns, as one of another thread does."""

    def __init__(self):
        self.posted = []

    def post(self, call, *args):
        self.posted.append((call, args))

    def run(self, call, *args):
        return call(*args)

    def turn(self):
        while self.posted:
            call, args = self.posted.pop(0)
            call(*args)


class Request:
    def __init__(self, name, **options):
        self.name, self.options, self.entered = name, options, 0

    def execute_using_pool(self, pool):
        if self.options.get("revoked"):
            raise TaskRevokedError(self.name)
        self.entered += 1
        if not self.options.get("unused"):
            pool.apply_async(self.name, (), {}, **self.options)


@pytest.fixture
def pool():
    return Pool(2)


@pytest.fixture
def loop():
    return Loop()


@pytest.fixture
def places(pool, loop):
    places = Places(pool, Kind(), loop)
    places.follow()
    return places


def enter(places, *requests):
    for request in requests:
        places.acquire(places.process, request)


def test_no_more_enter_than_there_are_places(places, pool, loop):
    first, second, third = requests = [Request(name) for name in "abc"]
    enter(places, *requests)
    assert [each.entered for each in requests] == [1, 1, 0]
    assert (places.value, places.in_pool) == (0, [first, second])
    pool.ends[1]()
    assert third.entered == 0, "an end is counted on the loop"
    loop.turn()
    assert (third.entered, places.in_pool) == (1, [first, third])


def test_a_place_is_left_once_however_often_its_end_is_told(places, pool, loop):
    enter(places, *(Request(name) for name in "ab"))
    for _ in range(3):
        pool.ends[0](None)
    loop.turn()
    assert places.value == 1


@pytest.mark.parametrize("options", [{"revoked": True}, {"unused": True}])
def test_what_does_not_enter_leaves_its_place(places, loop, options):
    enter(places, Request("a", **options))
    loop.turn()
    assert (places.value, places.in_pool) == (2, [])
    later = Request("b")
    enter(places, later)
    assert (places.value, places.in_pool) == (1, [later])


def test_a_pool_that_refuses_is_heard_and_its_place_is_free(places, loop):
    with pytest.raises(RuntimeError, match="closed"):
        enter(places, Request("a", breaks=True))
    loop.turn()
    assert places.value == 2


def test_those_behind_one_that_is_refused_enter_even_so(places, pool, loop):
    last = Request("d")
    enter(places, Request("a"), Request("b"), Request("c", breaks=True), last)
    pool.ends[0]()
    loop.turn()
    assert last.entered == 1
    assert len(places.in_pool) == 2


def test_what_others_give_to_the_pool_has_no_place(places, pool):
    assert pool.apply_async("of a Strategy") == "of a Strategy"
    assert (places.value, places.in_pool) == (2, [])


def test_it_follows_a_pool_that_grows_and_shrinks(places, pool, loop):
    requests = [Request(str(number)) for number in range(6)]
    enter(places, *requests)
    pool.grow(2)
    loop.turn()
    assert (pool.limit, places.initial_value, len(places.in_pool)) == (4, 4, 4)
    pool.shrink(3)
    loop.turn()
    for end in pool.ends[:3]:
        end()
        loop.turn()
    assert len(places.in_pool) == 1, "those that ran had their places to their end"
    pool.ends[3]()
    loop.turn()
    assert [each.entered for each in requests] == [1, 1, 1, 1, 1, 0]


def test_what_runs_keeps_its_place_when_the_connection_is_lost(places, pool, loop):
    runs, waits = Request("a"), Request("b")
    enter(places, runs)
    places.acquire(lambda: None)  # a place that is held for a start that is being decided
    enter(places, waits)
    places.clear()
    assert places.value == 1
    pool.ends[0]()
    loop.turn()
    assert (places.value, waits.entered) == (2, 0)


def test_an_end_that_was_told_before_the_loss_and_counted_after_it_counts_once(places, pool, loop):
    enter(places, Request("a"), Request("b"))
    pool.ends[0]()
    places.clear()
    assert places.value == 0
    loop.turn()
    assert places.value == 1


def test_short_tasks_that_end_as_they_enter_do_not_stand_on_each_other(loop):
    """In the solo pool each has ended before the next can enter."""
    depths = []

    class Inline(Kind):
        def give(self, _pool, _run, leave, _options):
            depths.append(len(places.in_pool))
            leave()

    loop.post = lambda call, *args: call(*args)
    pool = SimpleNamespace(limit=1, apply_async=lambda *_: None)
    places = Places(pool, Inline(), loop)
    places.acquire(lambda: None)
    enter(places, *(Request(str(number)) for number in range(2000)))
    places.release()
    assert len(depths) == 2000
    assert max(depths) <= 2
