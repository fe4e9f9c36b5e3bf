"""Whatever a per-user limit's key is in a message, the worker goes on, and each has a bucket of its own."""

import pytest
from support.measure import waited
from support.results import returned

PER_USER = """
version = 1

[tasks."user.*"]
strategy = "per_user"
rate = "2/s"
key = "user_id"

[tasks."kept.bound"]
strategy = "per_user"
rate = "2/s"
key = "user_id.name.first"

[tasks."hourly.user"]
strategy = "per_user"
rate = "1/h"
key = "user_id"

[tasks."hourly.name"]
strategy = "per_user"
rate = "1/h"
key = "user_id.name.first"
"""

INTERVAL = 0.5
"""Seconds between two starts for one user."""

ODD_KEYS = [
    None,
    "",
    "x" * 1_000_000,
    ":",
    "{}",
    "{limitkit}:g1",
    "a\nb\r\n\x00",
    "🦊 ünï",
    "\ud800",
    42,
    -1,
    10**400,
    4.2,
    42.0,
    1e400,
    True,
    False,
    "true",
    "None",
    [],
    [1, [2]],
    {},
    {"id": {"of": [None]}},
    {"": 1},
]


@pytest.fixture(scope="module")
def users(make_kept):
    shop = make_kept(PER_USER, accept_content=["json", "pickle"])
    shop.start_workers(2)
    return shop


def send(shop, user_id, note):
    options = {"serializer": "pickle"} if user_id == "\ud800" else {}
    return shop.app.send_task("user.odd", kwargs={"user_id": user_id, "note": note}, **options)


def test_each_odd_key_has_a_bucket_of_its_own(users):
    sent = [[send(users, key, str(number)) for number, key in enumerate(ODD_KEYS)] for _ in range(2)]
    first, second = (users.wait_for_each(results) for results in sent)
    # One bucket for all would need 12 seconds for the first ones, and none would let the second ones start at once.
    assert max(start.at for start in first) - min(start.at for start in first) < 8
    for number in range(len(ODD_KEYS)):
        assert waited([first[number], second[number]], INTERVAL)
    assert {each for results in sent for each in returned(results)} == {None}


@pytest.mark.parametrize(
    ("one", "other"),
    [(77, "77"), (float("nan"), float("nan")), ([1, {"b": 2, "a": 1}], [1, {"a": 1, "b": 2}])],
    ids=["number and text", "not a number", "order of a dict"],
)
def test_equal_keys_share_a_bucket(users, one, other):
    assert waited(users.wait_for_each([send(users, one, "one"), send(users, other, "other")]), INTERVAL)


@pytest.mark.parametrize(
    ("one", "other"),
    [(1, True), (0, False), ("null", None), (5, 5.0), ("[]", []), ("nan", float("nan"))],
)
def test_keys_of_different_types_share_none(users, one, other):
    users.wait_for_each([users.send("hourly.user", one), users.send("hourly.user", other)])


def test_messages_without_the_key_share_a_bucket_and_one_warning(users):
    missing = users.wait_for_each([users.app.send_task("user.odd", (1, 2)) for _ in range(3)])
    assert waited(missing, INTERVAL)
    warnings = [worker.output().count("user.odd was sent without user_id") for worker in users.workers]
    assert max(warnings) == 1


def test_an_argument_that_is_not_given_counts_with_its_default(users):
    sent = [users.app.send_task("user.default", args) for args in ((), ("nobody",), ())]
    assert waited(users.wait_for_each(sent), INTERVAL)


def test_a_path_into_what_has_none_is_a_key_that_is_missing(users):
    missing = [None, "ann", [], {"name": None}]
    assert waited(users.wait_for_each([users.send("kept.bound", user_id) for user_id in missing]), INTERVAL)
    given = [{"name": None}, {"name": {"first": "ann"}}, {"name": {"first": "bob"}}]
    users.wait_for_each([users.send("hourly.name", user_id) for user_id in given])
