"""What came from the environment, and what stands before an ``@``, is used and never shown."""

from __future__ import annotations

import copy
import logging
import pickle

import pytest

from limitkit.config.declared import StoreSettings
from limitkit.config.model.env_values import Expanded, VariableError, expand
from limitkit.config.wording import hidden, one_line, quote

ENV = {"HOST": "db.internal", "PORT": "6380", "TOKEN": "hunter2/x?y#z@q", "USER_NAME": "jane%40shop", "ONE": "1"}


@pytest.mark.parametrize(
    ("text", "value", "shown"),
    [
        ("redis://${HOST}:${PORT}/0", "redis://db.internal:6380/0", "redis://${HOST}:${PORT}/0"),
        ("redis://${USER_NAME}:pw@h", "redis://jane%40shop:pw@h", "redis://**@h"),
        ("redis://:12/pw@h", "redis://:12/pw@h", "redis://**@h"),
        ("redis://user:p@ss@h", "redis://user:p@ss@h", "redis://**@h"),
        ('redis://user:a "p w@h', 'redis://user:a "p w@h', "redis://**@h"),
        ("sentinel://:pw@a,b/0?master=m", "sentinel://:pw@a,b/0?master=m", "sentinel://**@a,b/0?master=m"),
        ("redis://h?password=pw&username=me&db=1", None, "redis://h?password=**&username=**&db=1"),
        ("sentinel://h/0?master=m&sentinel_password=p?w", None, "sentinel://h/0?master=m&sentinel_password=**"),
        ("${TOKEN}", "hunter2/x?y#z@q", "${TOKEN}"),
        ("${NOT_SET:-redis://:pw@h}", "redis://:pw@h", "${NOT_SET:-redis://**@h}"),
        ("redis://localhost:6379/0", "redis://localhost:6379/0", "redis://localhost:6379/0"),
        ("redis://@localhost", "redis://@localhost", "redis://localhost"),
    ],
)
def test_it_works_with_the_value_and_shows_the_name(text, value, shown):
    made = expand(text, ENV)
    settings = StoreSettings(made, "limitkit", 0.25, "allow")
    assert made.plain() == (value or text)
    assert made == (value or text)
    for twin in (made, pickle.loads(pickle.dumps(made)), copy.deepcopy(made), settings.url):
        assert (str(twin), f"{twin}", f"{twin:s}", "%s" % twin, repr(twin)) == (*[shown] * 4, repr(shown))  # noqa: UP031
        assert twin.plain() == made.plain()
    assert f"url={shown!r}" in repr(settings)


def test_an_address_that_is_given_as_a_text_is_hidden_too():
    assert "pw" not in repr(StoreSettings("redis://:pw@h", "limitkit", 0.25, "allow"))


def test_a_log_and_an_exception_show_the_name(caplog):
    made = expand("redis://:pw@${HOST}/${ONE}", ENV)
    with caplog.at_level(logging.INFO):
        logging.getLogger("limitkit.test").info("by %s", made)
    assert caplog.messages == ["by redis://**@${HOST}/${ONE}"]
    assert str(ValueError(made)) == "redis://**@${HOST}/${ONE}"


@pytest.mark.parametrize(
    ("text", "said", "shown"),
    [
        (
            "redis://${HOST}:${PORT}",
            "Error 111 connecting to DB.internal:6380.",
            "Error 111 connecting to ${HOST}:${PORT}.",
        ),
        ("redis://h:${ONE}", "Error 111 connecting to h:1.", "Error 111 connecting to h:${ONE}."),
        ("redis://${USER_NAME}:pw@h", "User jane@shop has no permissions", "User ${USER_NAME} has no permissions"),
        ("redis://jane%40shop:p%20w@h", "jane@shop, jane%40shop, p w, p%20w at h", "**, **, **, ** at h"),
        ("redis://${TOKEN}", "connecting to hunter2:6379", "connecting to ${TOKEN}:6379"),
        ("redis://h?password=s3cret", "AUTH s3cret", "AUTH **"),
        ("redis://h?password=${HOST}", "AUTH db.internal", "AUTH ${HOST}"),
        ("redis://h", "see redis://me:pw@other", "see redis://**@other"),
        ("redis+cluster://:pw@one,two", "Redis Cluster cannot be connected", "Redis Cluster cannot be connected"),
    ],
)
def test_what_others_say_of_it_is_shown_without_it(text, said, shown):
    assert expand(text, ENV).hide_in(said) == shown


def test_a_part_is_shown_by_whatever_reaches_into_it():
    made = expand("redis://u:p@h:${PORT}/x${ONE}y", ENV)
    assert (made[14:18], str(made.part(14, 18))) == ("6380", "${PORT}")
    assert str(made.part(15, 17)) == "${PORT}"
    assert (made[20:22], str(made.part(20, 22))) == ("1y", "${ONE}y")
    assert (made[8:14], str(made.part(8, 14))) == ("u:p@h:", "**@h:")


@pytest.mark.parametrize(
    ("text", "fact"),
    [
        ("${NOT_SET}", "the variable NOT_SET is not set"),
        ("a${", "${ begins a variable here, but no name and } follow"),
        ("${1}", "${ begins a variable here, but no name and } follow"),
        ("${ONE}" * 101, "it names more than 100 variables"),
    ],
)
def test_a_variable_that_is_none(text, fact):
    with pytest.raises(VariableError) as caught:
        expand(text, ENV)
    assert caught.value.fact == fact


def test_up_to_a_hundred_variables_are_fine():
    assert expand("${ONE}" * 100, ENV).plain() == "1" * 100
    assert expand("x${ONE}y" * 100, ENV).plain() == "x1y" * 100


def test_an_empty_variable_gives_way_to_its_default_and_is_a_value_else():
    assert expand("${E:-d}${E}", {"E": ""}).plain() == "d"


@pytest.mark.parametrize(
    "text", ["://" * 200_000, "@" + "://" * 200_000, "://?" + "pass" * 200_000, "://" + "?pass" * 150_000]
)
def test_hiding_takes_little_time_whatever_the_text(text):
    for hide in (hidden, one_line, quote):
        hide(text)


def test_a_password_is_hidden_before_a_text_is_cut():
    assert quote(f"redis://:{'p' * 100}@h") == '"redis://**@h"'
    assert quote(Expanded.of("redis://:pw@h")) == '"redis://**@h"'
