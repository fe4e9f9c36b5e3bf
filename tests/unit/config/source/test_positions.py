"""Where things stand in a file, and that both parsers see the same keys."""

from __future__ import annotations

import pytest
import tomli
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.strategies import composite

from limitkit.config.source.toml import parse
from limitkit.errors import ConfigError

TEXT = """\
version = 1
a . "b c".d = [1, "x", { k = 2 }]   # é
[store]
  url = "redis://"
["limits"]
"ключ🐇" = { rate = "1/s", 'bürst' = 5 }
[tasks."a.*".x]
y = '''
two lines'''
z = 3
[[many]]
n = 1
[[many]]
n = 2
[many.sub]
m = 3
"""


def places(text, *path):
    document = parse(text, "f.toml")
    return [document.place(path, at) for at in ("key", "value", "header")]


def test_places_of_keys_values_and_headers():
    assert places(TEXT, "version") == [(1, 1), (1, 11), (1, 1)]
    assert places(TEXT, "a", "b c", "d") == [(2, 11), (2, 15), (2, 11)]
    assert places(TEXT, "a") == [(2, 1), (2, 1), (2, 1)]
    assert places(TEXT, "a", "b c", "d", 1)[1] == (2, 19)
    assert places(TEXT, "a", "b c", "d", 2, "k")[:2] == [(2, 26), (2, 30)]
    assert places(TEXT, "store") == [(3, 2), (3, 1), (3, 1)]
    assert places(TEXT, "store", "url")[:2] == [(4, 3), (4, 9)]
    assert places(TEXT, "limits", "ключ🐇", "rate")[:2] == [(6, 13), (6, 20)]
    assert places(TEXT, "limits", "ключ🐇", "bürst")[:2] == [(6, 27), (6, 37)]
    assert places(TEXT, "limits", "ключ🐇")[2] == (6, 1)
    assert places(TEXT, "tasks") == [(7, 2), (7, 1), (7, 1)]
    assert places(TEXT, "tasks", "a.*")[0] == (7, 8)
    assert places(TEXT, "tasks", "a.*", "x")[2] == (7, 1)
    assert places(TEXT, "tasks", "a.*", "x", "z")[1] == (10, 5)
    assert places(TEXT, "many", 0, "n")[1] == (12, 5)
    assert places(TEXT, "many", 1, "n")[1] == (14, 5)
    assert places(TEXT, "many", 1)[2] == (13, 1)
    assert places(TEXT, "many", 1, "sub", "m")[1] == (16, 5)


def test_lines_that_end_in_crlf_stand_where_others_do():
    for path in (("store", "url"), ("limits", "ключ🐇", "bürst"), ("tasks", "a.*", "x", "z")):
        assert places(TEXT.replace("\n", "\r\n"), *path) == places(TEXT, *path)


def test_columns_count_characters_however_long_the_line():
    keys = [f"{letters}{number}" for number, letters in enumerate(["é" * 999, "a" * 1000, "😀" * 333, "é€" * 700] * 3)]
    line = "{" + ", ".join(f'"{key}" = 1' for key in keys) + "}"
    document = parse(f"a = 1\ntasks = {line}\n", "f.toml")
    places = [document.place(("tasks", key), "key") for key in (*keys, *reversed(keys))]
    columns = [len("tasks = ") + line.index(f'"{key}"') + 1 for key in keys]
    assert places == [(2, column) for column in (*columns, *reversed(columns))]


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ('on = ["é\\d+"]', (1, 9)),
        ('a = 1\nb = "x\\\nc = 2\n', (2, 7)),
        ('b = "x\\', (1, 7)),
        ('"\\q" = 1', (1, 2)),
        ('b = """x\ny\\ z"""', (2, 2)),
        ('b = "\\uD800"', (1, 6)),
        ('b = "\\u12"', (1, 6)),
    ],
)
def test_an_escape_that_is_none_stands_where_it_begins(text, place):
    with pytest.raises(ConfigError) as caught:
        parse(text, "f.toml")
    (problem,) = caught.value.problems
    assert (problem.line, problem.column) == place
    assert problem.hint == "write \\\\ for a backslash, or put the text in single quotes"


def test_what_is_not_there_is_placed_at_what_is_around_it():
    assert places(TEXT, "store", "timeout") == [(3, 1)] * 3
    assert places(TEXT, "nothing", "at", "all") == [(1, 1)] * 3


def test_a_table_s_own_header_counts_and_not_the_first_that_implies_it():
    assert places("[a.b]\nx=1\n[a]\ny=1\n", "a")[2] == (3, 1)


def test_newer_toml_than_the_places_know_is_still_read():
    text = 'version = 1\n[limits]\na = {\n  rate = "1/s",\n}\n[store]\nurl = "x"\n'
    try:
        tomli.loads(text)
    except tomli.TOMLDecodeError:  # a tomli that does not read it either
        return
    line, _ = places(text, "limits", "a", "rate")[0]
    assert line in {2, 3, 4}


names = st.one_of(
    st.text("abz_-09", min_size=1, max_size=4),
    st.text(max_size=4).filter(lambda name: not any("\ud800" <= char <= "\udfff" for char in name)),
)


def written(name, style):
    bare = name and all(char.isascii() and (char.isalnum() or char in "_-") for char in name)
    if style == 0 and bare:
        return name
    if style == 1 and "'" not in name and name.isprintable():
        return f"'{name}'"
    return (
        '"'
        + "".join(
            f"\\U{ord(char):08X}" if style == 2 or char in '"\\' or not char.isprintable() else char for char in name
        )
        + '"'
    )


@composite
def keys(draw):
    parts = draw(st.lists(names, min_size=1, max_size=3))
    return draw(st.sampled_from([".", " . "])).join(written(name, draw(st.integers(0, 2))) for name in parts)


@composite
def values(draw, depth=2):
    kind = draw(st.integers(0, 3 if depth else 1))
    if kind < 2:
        return draw(st.sampled_from(["1", '"é"', "1.5", "true", "1979-05-27", "'[x]'", '"""\n# no"""']))
    inside = draw(st.lists(values(depth=depth - 1), max_size=3))
    if kind == 2:
        return draw(st.sampled_from(["[{}]", "[\n  {} # c\n]"])).format(", ".join(inside) if inside else "")
    return "{ " + ", ".join(f"k{index} = {value}" for index, value in enumerate(inside)).replace("\n# no", "") + " }"


@composite
def documents(draw):
    lines = []
    for _ in range(draw(st.integers(1, 6))):
        header = draw(st.sampled_from(["[{}]", "[[{}]]", None, None]))
        lines.append(header.format(draw(keys())) if header else f"{draw(keys())} = {draw(values())}")
    return draw(st.sampled_from(["\n", "\r\n"])).join([*lines, ""])


def paths_of(value, path=()):
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, each in inside:
        yield (*path, key)
        yield from paths_of(each, (*path, key))


@given(documents())
def test_both_parsers_agree_about_keys(text):
    try:
        data = tomli.loads(text)
    except tomli.TOMLDecodeError:
        return
    found = parse(text, "f.toml").places if text.strip() else None
    if found is None:
        return
    expected = set(paths_of(data))
    seen = {*found.keys, *found.values, *found.headers} - {()}
    assert seen == expected
    lines = text.encode().split(b"\n")
    for path, (row, column) in found.keys.items():
        first = lines[row][column:].decode()[:1]
        assert first in {'"', "'"} or first == path[-1][0]
