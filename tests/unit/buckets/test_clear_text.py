"""Partitions in clear, whatever a sender calls a tenant."""

from __future__ import annotations

import dataclasses
import re
import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from support import keys

from limitkit.buckets.call import Call
from limitkit.buckets.clear_text import CLEAR
from limitkit.buckets.partition import MISSING, Partition, Resolver, bucket_key, canonical, limit_tag, parts_of, shown
from limitkit.config.declared import Limit
from limitkit.config.model.units import parse_rate
from limitkit.stores.take_script import adapted_key

LIMIT = Limit(
    name="tenant",
    own=False,
    strategy="per_user",
    rate=parse_rate("1/s"),
    burst=1,
    key=keys.key("tenant"),
    mode="enforce",
    path="f.toml",
    line=1,
)
CLEARLY = dataclasses.replace(LIMIT, show_key=True)
ATTACKS = [
    "",
    "a\0b",
    "}:g1",
    "x}:g1:{y",
    "{other}",
    "a\nb",
    "a:b",
    "=acme",
    "a,b",
    "%41",
    "%-",
    "*",
    "?[a-z]",
    "\x1b[2J\x1b]0;owned\a",
    "\u202egpj.exe",
    "\ud800",
    "é",
    "text:x",
    "missing",
    "b13369b44be6275de0a0ebf21c81367d",
    "x" * 1_000_000,
    "é" * 100,
    'acme", "eu',
    "../../etc",
    " ",
]
hostile = st.sampled_from(ATTACKS) | st.text(max_size=60) | st.text("{}:=,%-g1*\x1b\0 a", max_size=12)


def made(value, limit=CLEARLY, prefix="limitkit"):
    return bucket_key(prefix, limit, Partition(canonical(value)))


def test_a_plain_name_is_there_in_clear():
    assert made("acme") == "limitkit:{tenant}:g1:=acme"
    assert made(42) == made("42") == "limitkit:{tenant}:g1:=42"
    assert made("a@b.example") == "limitkit:{tenant}:g1:=a@b.example"
    assert made("a b") == "limitkit:{tenant}:g1:=a%20b"
    assert made("acme", LIMIT) == f"limitkit:{{tenant}}:g1:{Partition('text:acme').digest}"


@pytest.mark.parametrize(
    "value", [None, True, 1.5, [], ["a"], {"a": 1}, [["a", "b"], "c"], "x" * 200, "a\x1bb", "\ud8ff"]
)
def test_what_is_no_short_plain_text_has_its_digest(value):
    assert made(value) == made(value, LIMIT)


@given(value=hostile, name=st.text(max_size=120), own=st.booleans(), prefix=st.sampled_from(["limitkit", "p" * 64]))
@example(value="x" * 78, name="n" * 92, own=False, prefix="p" * 64)
def test_no_name_leaves_its_place(value, name, *, own, prefix):
    limit = dataclasses.replace(CLEARLY, name=name, own=own)
    key = made(value, limit, prefix)
    assert len(key.encode()) <= 200
    assert key.isascii()
    assert key.isprintable()
    assert key.count("{") == key.count("}") == 1
    tag, form = parts_of(key)
    assert tag == limit_tag(name, own=own)
    assert re.fullmatch(f"{CLEAR}|[0-9a-f]{{32}}", form)
    assert not set(form) & set(":{}*?[]\\")
    assert adapted_key(key) != key
    assert len(adapted_key(key)) <= len(key)


@given(hostile | st.lists(hostile, min_size=2, max_size=3), hostile | st.lists(hostile, min_size=2, max_size=3))
@example("a,b", ["a", "b"])
@example("=a", "a")
@example("b13369b44be6275de0a0ebf21c81367d", "42")
def test_two_names_never_meet(one, other):
    assert (made(one) == made(other)) == (canonical(one) == canonical(other))


@given(hostile)
def test_what_is_shown_is_the_text_and_can_not_steer_a_terminal(value):
    said = shown(parts_of(made(value))[1])
    assert not {unicodedata.category(char) for char in said} & {"Cc", "Cf", "Cs", "Zl", "Zp"}
    if "=" in made(value) and value.isascii() and value.isprintable():
        assert said == value


def test_digests_are_shown_in_part():
    assert shown(Partition("text:42").digest, 8) == "b13369b4"
    assert shown(MISSING.digest) == "missing"
    # Others may write to the same Redis.
    assert shown("=%1B%5B2J%FF") == "\\u001B[2J\ufffd"


def test_several_parts_are_shown_as_an_array():
    resolve = Resolver(None, keys.key("tenant", "headers:region", "model.name"))
    call = Call((), {"tenant": "a,b", "model": {"name": 'x"'}}, {})
    found = resolve(call)
    key = bucket_key("limitkit", CLEARLY, found)
    assert key == "limitkit:{tenant}:g1:=a%2Cb,%-,x%22"
    assert shown(parts_of(key)[1]) == '["a,b", null, "x\\""]'
    assert bucket_key("limitkit", CLEARLY, resolve(Call())) == f"limitkit:{{tenant}}:g1:{MISSING.digest}"
