"""Overrides, in every store: what is set is seen whole, ends by itself, and comes back when the store loses it."""

from __future__ import annotations

import itertools
import json
import threading
from dataclasses import replace

import pytest

from limitkit.buckets.override import Override, Target
from limitkit.config.model.units import parse_rate
from limitkit.stores.overrides import OverrideStore

SECOND = 1_000_000
NOW = 1_764_000_000_123_457
_numbers = itertools.count()


@pytest.fixture
def override_store(store):
    return OverrideStore(store, f"overrides{next(_numbers)}")


def rate(text, name="paid", **words):
    return Override(
        target=Target("tasks", name), kind="rate", rate=parse_rate(text), declared_rate="1/s", by="eve", **words
    )


def pause(name="paid"):
    return Override(target=Target("limits", name), kind="pause", reason="their quota is gone: \n{ü}")


def test_overrides_that_nobody_has_set_have_no_version(override_store):
    look = override_store.look(now_us=NOW)
    assert (look.version, look.overrides, look.files) == ("", None, ())
    assert look.now == NOW / SECOND


def test_what_is_posted_is_seen_and_only_when_it_is_news(override_store):
    posted = [(rate("20/m", burst=7), None), (pause(), 90.0)]
    version = override_store.post(posted, now_us=NOW)
    look = override_store.look(now_us=NOW)
    assert look.version == version
    assert look.overrides == (replace(pause(), until=NOW / SECOND + 90.0), rate("20/m", burst=7))
    assert override_store.look(version, now_us=NOW).overrides is None
    newer = override_store.post([(rate("30/m"), None)], now_us=NOW)
    assert newer != version, "at the same moment, too"
    assert override_store.look(version, now_us=NOW).overrides[1] == rate("30/m"), "the burst went with the one before"


def test_what_has_ended_is_seen_no_more(override_store):
    override_store.post([(rate("20/m"), 2.0), (pause(), 3.0)], now_us=NOW)
    assert [each.kind for each in override_store.look(now_us=NOW + 2 * SECOND - 1).overrides] == ["pause", "rate"]
    assert [each.kind for each in override_store.look(now_us=NOW + 2 * SECOND).overrides] == ["pause"]
    assert override_store.look(now_us=NOW + 3 * SECOND).overrides == ()


def test_what_is_taken_off_is_gone_at_once(override_store):
    version = override_store.post([(rate("20/m"), None), (pause(), None)], now_us=NOW)
    override_store.post([], [rate("1/s").name], now_us=NOW)
    look = override_store.look(version, now_us=NOW)
    assert look.overrides == (pause(),)


def test_of_two_who_set_one_limit_one_is_there_whole(override_store):
    said = [rate(f"{number}/s", burst=number, reason=f"by {number}") for number in range(1, 9)]
    threads = [threading.Thread(target=override_store.post, args=([(each, None)],)) for each in said]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    (left,) = override_store.look().overrides
    assert left in said


def test_overrides_that_the_store_lost_are_put_back_once(override_store):
    known = (replace(pause(), until=NOW / SECOND + 90.0), rate("20/m"))
    assert override_store.put_back("17", known) == "17"
    look = override_store.look(now_us=NOW)
    assert (look.version, look.overrides) == ("17", known)
    assert override_store.put_back("18", ()) == "17", "somebody was first"
    assert override_store.look(now_us=NOW).overrides == known
    assert override_store.look(now_us=NOW + 90 * SECOND).overrides == known[1:], "it ends when it would have"
    newer = override_store.post([], [pause().name], now_us=NOW)
    assert override_store.put_back("17", known) == newer


def test_files_are_there_as_long_as_somebody_goes_by_them(override_store):
    assert not override_store.look(digest="a", now_us=NOW).knows_own
    assert override_store.look(digest="a", declares="of a", now_us=NOW).knows_own
    assert override_store.look(digest="a", now_us=NOW).knows_own, "it need not be told again"
    look = override_store.look(digest="b", declares="of b", wanted=["a"], now_us=NOW + 5 * SECOND)
    assert (set(look.files), look.declared) == ({"a", "b"}, {"a": "of a"})
    look = override_store.look(wanted=["a", "b", "c"], now_us=NOW + 16 * SECOND)
    assert (look.files, look.declared) == (("b",), {"a": "", "b": "of b", "c": ""})
    assert not override_store.look(digest="a", now_us=NOW + 16 * SECOND).knows_own


def test_a_file_that_was_left_has_no_say_until_somebody_else_says_that_he_goes_by_it(override_store):
    override_store.look(digest="a", declares="of a", now_us=NOW)
    look = override_store.look(digest="b", left="a", now_us=NOW)
    assert look.files == ("b",)
    look = override_store.look(digest="a", now_us=NOW)
    assert (set(look.files), look.knows_own) == ({"a", "b"}, False)


def test_what_another_version_posts_is_passed_over(override_store, store):
    posts = ["rate tasks x", "", '{"rate": "1/fortnight"}', "odd", "", "{}"]
    posts += ["rate tasks both", "", '{"rate": "1/s", "max_running": 1}', "rate tasks none", "", "{}"]
    posts += ["rate tasks many", "", '{"max_running": 100001}', "pause limits:short x", "", "{}"]
    posts += ["weight limits x", "", '{"weight": 1}', f"weight limits:{'0' * 32} x", "", '{"weight": -1}']
    posts += [f"weight limits:{'0' * 32} y", "", '{"weight": Infinity}', f"weight limits:{'1' * 32} z", "", "{}"]
    store.run("post", [override_store._overrides], ["", "", json.dumps(posts)])
    override_store.post([(rate("20/m"), None)])
    assert override_store.look().overrides == (rate("20/m"),)


def test_every_kind_is_kept_for_limits_and_partitions(override_store):
    acme, shown = Target("limits", "a b", "0" * 32), Target("tasks", "x*", "1" * 32, "Ünïcode {}")
    posted = [
        Override(target=Target("limits", "reports"), kind="rate", max_running=5),
        Override(target=acme, kind="rate", rate=parse_rate("500/mo", calendar=True)),
        Override(target=acme, kind="pause"),
        Override(target=shown, kind="weight", weight=0.25),
    ]
    override_store.post([(each, None) for each in posted], now_us=NOW)
    found = override_store.look(now_us=NOW).overrides
    assert sorted(found, key=lambda each: each.name) == sorted(posted, key=lambda each: each.name)
    assert {each.target.shown for each in found} == {"", "Ünïcode {}"}


@pytest.mark.parametrize("partitions", [False, True])
def test_a_bucket_is_refilled_alone_or_with_all_partitions(store, partitions):
    from limitkit.buckets.decision import Bucket, Take

    key = f"refill{next(_numbers)}:{{a*[b]?}}:g1"
    keys = [key, f"{key}:{'0' * 32}", f"{key}:{'1' * 32}", key.replace("a*", "ab")]
    for each in keys:
        store.take([Take((Bucket(each, 60 * SECOND, 1),))])
    assert store.refill(key, partitions=partitions) == (2 if partitions else 1)
    empty = [each for each in keys if store.take([Take((Bucket(each, 60 * SECOND, 1),), 0)])[0].retry_after > 0]
    assert empty == ([key, keys[3]] if partitions else keys[1:])
    assert store.refill(key, partitions=partitions) == 0


def test_the_lists_of_files_fade_when_no_worker_is_left(redis_store, admin):
    override_store = OverrideStore(redis_store, "fades")
    override_store.look(digest="a", declares="of a")
    override_store.post([(rate("20/m"), None)])
    for key in (b"fades:{overrides}:files", b"fades:{overrides}:declared"):
        assert 0 < admin.pttl(key) <= 60_000
    assert admin.pttl("fades:{overrides}") == -1, "what was set lasts"
