"""What a plan claims of buckets, parked tasks and rolling deploys is what the code that runs in workers does."""

import pytest

from limitkit.buckets.decision import Take
from limitkit.buckets.named_partition import named
from limitkit.buckets.override import Target
from limitkit.buckets.partition import bucket_key, limit_tag
from limitkit.control.declarations import declarations
from limitkit.control.in_force import InForce, Terms
from limitkit.control.make_bucket import bucket_of
from limitkit.control.refresh import _changed
from limitkit.stores.memory import MemoryStore
from limitkit.stores.overrides import OverrideStore
from limitkit.waiting.redis_keys import queue_keys

BUCKET = '[limits.a]\nstrategy = "token_bucket"\nrate = "10/h"\nburst = 5\n'
USER = '[limits.a]\nstrategy = "per_user"\nrate = "10/h"\nburst = 5\nkey = "user"\n'
WINDOW = '[limits.a]\nstrategy = "window"\nrate = "100/d"\n'
SLOTS = '[limits.a]\nstrategy = "concurrency"\nmax_running = 5\n'
USED = '[tasks.t]\nlimits = ["a"]\n'
CHANGES = {
    "rate": (BUCKET, BUCKET.replace("10/h", "20/h")),
    "burst": (BUCKET, BUCKET.replace("= 5", "= 6")),
    "another strategy": (BUCKET, WINDOW),
    "a key": (BUCKET, USER),
    "another key": (USER, USER.replace('"user"', '"tenant"')),
    "a key of two parts": (USER, USER.replace('"user"', '["user", "tenant"]')),
    "shown key": (USER, f"{USER}show_key = true\n"),
    "shadow": (BUCKET, f'{BUCKET}mode = "shadow"\n'),
    "no shadow any more": (f'{BUCKET}mode = "shadow"\n', BUCKET),
    "off": (BUCKET, f'{BUCKET}mode = "off"\n'),
    "a window that resets": (WINDOW, f'{WINDOW}resets = "00:00 UTC"\n'),
    "a window with another begin": (f'{WINDOW}resets = "00:00 UTC"\n', f'{WINDOW}resets = "01:00 UTC"\n'),
    "a window of 200 starts": (WINDOW, WINDOW.replace("100/d", "200/d")),
    "a window of 201 starts": (WINDOW, WINDOW.replace("100/d", "201/d")),
    "a window of another length": (WINDOW, WINDOW.replace("100/d", "100/h")),
    "max_running": (SLOTS, SLOTS.replace("5", "4")),
    "scope": (SLOTS, f'{SLOTS}scope = "worker"\n'),
    "lease": (SLOTS, f'{SLOTS}lease = "30s"\n'),
    "fair_by": (BUCKET, f'{BUCKET}fair_by = "user"\n'),
    "feedback": (BUCKET, f'{BUCKET}feedback = {{ on = ["x.Y"] }}\n'),
    "schedule": (BUCKET, f'{BUCKET}[[limits.a.schedule]]\nfrom = "08:00"\nrate = "20/h"\n'),
}


def value_of(limit, value):
    parts = len(limit.key.parts) if limit.key else 0
    return named([value] * parts if parts > 1 else value, parts) if parts else None


def keys_of(limit, value):
    """Return where the buckets of a limit are, and their names."""
    return limit.local, bucket_key("limitkit", limit, value_of(limit, value))


@pytest.mark.parametrize("name", CHANGES)
def test_buckets_are_new_exactly_where_the_plan_says_so(plan_of, limits_of, name):
    old, new = (each + USED for each in CHANGES[name])
    before, after = (limits_of(each)["a"] for each in (old, new))
    said = any(each.new_buckets for each in plan_of(old, new).changes)
    # With another key, the same message has another value: here user 42 of the tenant 7.
    values = ("42", "7") if name == "another key" else ("42", "42")
    # In shadow, nothing waits for what the buckets have.
    assert said == (after.mode == "enforce" and keys_of(before, values[0]) != keys_of(after, values[1]))
    assert said == ("begin full" in " ".join(plan_of(old, new).notes))


def test_a_value_that_stood_in_the_old_key_keeps_its_bucket(plan_of, limits_of):
    old, new = (each + USED for each in CHANGES["another key"])
    assert keys_of(limits_of(old)["a"], "42") == keys_of(limits_of(new)["a"], "42")
    (change,) = plan_of(old, new).changes
    assert change.message == (
        "buckets are told apart by tenant, by user until now; where the value is new, buckets begin full, with 5 at "
        "once; one that stood in the old key too keeps its bucket"
    )


@pytest.mark.parametrize(
    ("old", "new", "left"),
    [
        (BUCKET, BUCKET.replace("= 5", "= 2"), 0),
        (BUCKET, BUCKET.replace("limits.a", "limits.b"), 5),
        (BUCKET, WINDOW, 100),
    ],
    ids=["a lower burst", "another name", "another strategy"],
)
def test_what_may_start_at_once_after_the_change(limits_of, old, new, left):
    """A bucket from which three of five were taken has none left at a burst of two; a new one is full."""
    (before,), (after,) = limits_of(old).values(), limits_of(new).values()
    store, in_force = MemoryStore(), InForce()

    def starts(limit, most):
        bucket = bucket_of(bucket_key("p", limit, None), limit, in_force.terms(limit, ""))
        return sum(bool(store.take([Take((bucket,))], now_us=1_000_000_000)[0].slots) for _ in range(most))

    assert starts(before, 3) == 3
    assert starts(after, 200) == left


def test_a_lower_burst_cuts_what_is_saved_up_and_a_higher_one_gives_more(limits_of):
    store, in_force = MemoryStore(), InForce()

    def starts(burst):
        limit = limits_of(BUCKET.replace("= 5", f"= {burst}"))["a"]
        bucket = bucket_of(bucket_key("p", limit, None), limit, in_force.terms(limit, ""))
        return sum(bool(store.take([Take((bucket,))], now_us=1_000_000_000)[0].slots) for _ in range(20))

    assert [starts(5), starts(7)] == [5, 2]


@pytest.mark.parametrize(
    ("new", "interval", "burst"),
    [
        (BUCKET.replace("10/h", "20/h"), 360_000_000, 5),
        (BUCKET.replace("10/h", "5/h").replace("= 5", "= 9"), 720_000_000, 5),
    ],
    ids=["faster", "slower"],
)
def test_while_both_files_are_in_use_the_stricter_terms_hold(plan_of, rules_of, new, interval, burst):
    in_force = InForce()
    in_force.others([declarations(rules_of(BUCKET + USED))])
    terms = in_force.terms(rules_of(new + USED).named["a"], "")
    assert (terms.interval_us, terms.burst, terms.source) == (interval, burst, "stricter file")
    assert "the stricter rate and the smaller burst" in plan_of(BUCKET + USED, new + USED).notes[0]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (BUCKET, WINDOW),
        (USER, USER.replace('"user"', '"tenant"')),
        (BUCKET, f'{BUCKET}mode = "shadow"\n'),
        (BUCKET.replace("token_bucket", "static"), BUCKET.replace("token_bucket", "static").replace("10/h", "5/h")),
    ],
    ids=["another kind", "another key", "shadow", "in each worker"],
)
def test_where_files_can_not_be_compared_the_plan_does_not_say_that_the_stricter_one_holds(plan_of, rules_of, old, new):
    in_force = InForce()
    in_force.others([declarations(rules_of(old + USED))])
    assert in_force.terms(rules_of(new + USED).named["a"], "").source == "file"
    assert not any("the stricter rate" in note for note in plan_of(old + USED, new + USED).notes)


def test_what_is_parked_for_a_limit_that_is_gone_comes_back_at_once_where_a_worker_loads_the_file(plan_of):
    gone = _changed({limit_tag("a", own=False): Terms(360_000_000, 5)}, {})
    assert gone == {"a": Terms(1000, 1)}
    notes = plan_of(BUCKET + USED, "[tasks.t]\nlimits = []\n").notes
    assert any("(limits.a)" in note and "it comes back at once" in note for note in notes)
    # A worker that was restarted knows nothing of a limit that is gone: there the room's own pace stays.
    assert _changed({}, {}) == {}
    assert any("restarted with the new file, at its old pace" in note for note in notes)


def test_a_limit_of_another_name_has_other_buckets_and_other_overrides(plan_of, limits_of):
    old, new = BUCKET + USED, BUCKET.replace("limits.a", "limits.b") + USED.replace('"a"', '"b"')
    assert keys_of(limits_of(old)["a"], "")[1] != keys_of(limits_of(new)["b"], "")[1]
    (change,) = plan_of(old, new).changes
    assert (change.action, change.before, change.after, change.new_buckets) == ("rename", "a", "b", True)
    assert "limits.a does not hold" in change.message
    assert Target("limits", "a") != Target("limits", "b")


def test_another_prefix_is_another_store_and_another_waiting_room(plan_of, limits_of):
    (change,) = plan_of('[store]\nprefix = "one"\n', '[store]\nprefix = "two"\n').changes
    assert change.new_buckets
    assert "what is parked stays under one:waiting" in change.message
    limit = limits_of(BUCKET)["a"]
    assert bucket_key("one", limit, None) != bucket_key("two", limit, None)

    class Channel:
        global_keyprefix = ""

    rooms = [set(queue_keys(Channel, prefix, "celery")) for prefix in ("one", "two")]
    assert not rooms[0] & rooms[1]
    assert all(key.startswith("one:waiting:") for key in rooms[0])
    overrides = [OverrideStore(MemoryStore(), prefix)._overrides for prefix in ("one", "two")]
    assert overrides[0] != overrides[1]
