"""A file that extends others: what the whole says, and in which file each problem is."""

from __future__ import annotations

import os
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from limitkit.config.load import judge, load
from limitkit.config.source import extends
from limitkit.config.source.toml import Document, parse
from limitkit.errors import ConfigError

BASE = """version = 1

[limits.api]
strategy = "token_bucket"
rate = "25/s"
burst = 100

[tasks."shop.charge"]
limits = ["api"]
"""


@pytest.fixture
def files(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def write(**texts):
        for name, text in texts.items():
            (tmp_path / f"{name}.toml").write_text(text)
        return tmp_path

    return write


def said(path):
    with pytest.raises(ConfigError) as error:
        load(path)
    return str(error.value).splitlines()


def test_what_the_file_says_wins_key_by_key(files):
    files(base=BASE, dev='extends = "base.toml"\nlimits.api.rate = "1/s"\nstore.url = "memory://"\n')
    rules = load("dev.toml").rules
    (limit,) = rules.for_task("shop.charge").limits
    assert (limit.text, rules.store.url) == ("1/s, burst 100", "memory://")


def test_arrays_are_replaced(files):
    more = (
        'extends = "base.toml"\n[limits.b]\nstrategy = "static"\nrate = "1/s"\n[tasks."shop.charge"]\nlimits = ["b"]\n'
    )
    files(base=BASE, dev=more)
    assert [limit.name for limit in load("dev.toml").rules.for_task("shop.charge").limits] == ["b"]


def test_of_three_files_the_nearest_wins(files):
    files(base=BASE, prod='extends = "base.toml"\nlimits.api = { rate = "9/s", burst = 9 }\n')
    files(eu='extends = "prod.toml"\nlimits.api.burst = 3\n')
    config = load("eu.toml")
    assert config.rules.for_task("shop.charge").limits[0].text == "9/s, burst 3"
    assert [file.path for file in config.document.layers] == ["eu.toml", "prod.toml", "base.toml"]


def test_of_two_patterns_the_extending_files_holds(files):
    pattern = '[tasks."{}"]\nstrategy = "static"\nrate = "{}"\n'
    files(
        base="version = 1\n" + pattern.format("a*c", "1/s"),
        dev='extends = "base.toml"\n' + pattern.format("ab*", "2/s"),
    )
    assert load("dev.toml").rules.for_task("abc").pattern == "ab*"


def test_a_problem_is_in_the_file_that_has_it(files):
    files(base=BASE.replace("25/s", "25/sec"), dev='extends = "base.toml"\n\n\n\n\n[store]\nprefix = "ü"\n')
    first, second = said("dev.toml")
    assert first.startswith("dev.toml:7:10: LK018 store.prefix")
    assert second.startswith('base.toml:5:8: LK012 limits.api.rate: "25/sec"')


def test_a_value_that_wins_is_judged_where_it_stands(files):
    files(base=BASE, dev='extends = "base.toml"\nlimits.api.rate = "1/q"\n')
    assert [line.partition(" LK")[0] for line in said("dev.toml")] == ["dev.toml:2:19:"]


def test_what_is_missing_is_missed_in_the_file_whose_table_it_is(files):
    files(base=BASE.replace('rate = "25/s"\n', ""), dev='extends = "base.toml"\n[limits.api]\nburst = 2\n')
    (line,) = said("dev.toml")
    assert line.startswith("dev.toml:2:1: LK011 limits.api")


def test_lines_of_limits_and_tasks_name_their_file(files):
    files(base=BASE, dev='extends = "base.toml"\n\n[tasks.other]\nlimits = ["api"]\n')
    rules = load("dev.toml").rules
    assert (rules.for_task("other").path, rules.for_task("other").line) == ("dev.toml", 3)
    assert (rules.for_task("shop.charge").path, rules.for_task("shop.charge").line) == ("base.toml", 8)
    assert (rules.named["api"].path, rules.named["api"].line) == ("base.toml", 3)


def test_names_without_quotes_are_told_in_their_file(files):
    base = 'version = 1\n[tasks.shop.charge]\nstrategy = "static"\nrate = "1/s"\n'
    files(base=base, dev='extends = "base.toml"\n')
    (line,) = said("dev.toml")
    assert line.startswith("base.toml:2:1: LK028")


def test_a_path_is_relative_to_the_file_not_to_the_working_folder(files):
    folder = files(base="this is not read")
    (folder / "deploy").mkdir()
    (folder / "deploy/base.toml").write_text(BASE)
    (folder / "deploy/dev.toml").write_text('extends = "base.toml"\nlimits.api.rate = "0/s"\n')
    (line,) = said("deploy/dev.toml")
    assert line.startswith("deploy/dev.toml:2:19: LK012")
    (folder / "deploy/dev.toml").write_text('extends = "base.toml"\n')
    assert load("deploy/dev.toml").document.layers[1].path == "deploy/base.toml"


@pytest.mark.parametrize("beside", ["link", "target"])
def test_a_link_has_its_base_beside_it_or_beside_what_it_leads_to(files, beside):
    folder = files()
    (folder / "deploy").mkdir()
    (folder / "deploy/prod.toml").write_text('extends = "base.toml"\n')
    (folder / "ratelimits.toml").symlink_to("deploy/prod.toml")
    ((folder if beside == "link" else folder / "deploy") / "base.toml").write_text(BASE)
    assert "shop.charge" in load("ratelimits.toml").rules.exact


def test_what_a_shell_passes_extends_a_file_of_the_working_folder(files):
    files(base=BASE)
    piped = replace(parse('extends = "base.toml"\n', "/dev/stdin"), piped=True)
    assert [file.path for file in judge(piped).document.layers] == ["/dev/stdin", "base.toml"]


def test_a_variable_may_stand_in_the_base_alone(files, monkeypatch):
    monkeypatch.setenv("RATE", "3/s")
    files(base=BASE.replace("25/s", "${RATE}"), dev='extends = "base.toml"\n')
    assert load("dev.toml").rules.named["api"].text == "3/s, burst 100"


def test_a_file_that_is_not_there_is_placed_where_it_is_named(files):
    files(dev='version = 1\nextends = "base.toml"\n')
    assert said("dev.toml") == [
        (
            'dev.toml:2:11: LK100 extends: the file "base.toml" does not exist; name an existing file; it is looked '
            "for beside the file that extends it"
        ),
    ]


@pytest.mark.parametrize(
    ("named", "fact"),
    [("", "does not exist"), (".", "is a folder"), ("pipe", "is a pipe"), ("a\\u0000b", "can't be read")],
)
def test_what_is_no_file_is_not_read(files, named, fact):
    folder = files(dev=f'version = 1\nextends = "{named}"\n')
    os.mkfifo(folder / "pipe")
    (line,) = said("dev.toml")
    assert "dev.toml:2:11: LK100" in line
    assert fact in line


def test_a_base_that_is_no_toml_is_told_as_any_file(files):
    files(base="version 1\n", dev='extends = "base.toml"\n')
    assert said("dev.toml")[0].startswith("base.toml:1:9: LK005")


def test_what_a_base_extends_is_a_path_too(files):
    files(base="extends = 1\n" + BASE, dev='extends = "base.toml"\n')
    assert said("dev.toml") == [
        'base.toml:1:11: LK100 extends: what it extends is not the path of a file; write a string, e.g. "base.toml"'
    ]
    assert said("base.toml")[0].startswith("base.toml:1:11: LK013 extends")


@pytest.mark.parametrize("named", ["dev.toml", "./dev.toml", "link.toml"])
def test_a_file_that_extends_itself_is_refused(files, named):
    folder = files(dev=f'version = 1\nextends = "{named}"\n')
    (folder / "link.toml").symlink_to("dev.toml")
    (line,) = said("dev.toml")
    assert line.startswith("dev.toml:2:11: LK101 extends:")


def test_a_circle_of_three_is_refused(files):
    files(a='extends = "b.toml"\n', b='extends = "c.toml"\n', c='extends = "a.toml"\n')
    assert said("a.toml") == [
        'c.toml:1:11: LK101 extends: "a.toml" extends itself, over 3 files; let one of them extend nothing'
    ]


def test_ten_files_may_be_extended_and_not_eleven(files):
    files(f0=BASE, **{f"f{number}": f'extends = "f{number - 1}.toml"\n' for number in range(1, 12)})
    assert "shop.charge" in load("f10.toml").rules.exact
    assert said("f11.toml")[0].startswith("f1.toml:1:11: LK101 extends: this would be the 11th file")


def test_all_that_were_tried_are_known_also_what_is_not_there(files):
    files(a='extends = "b.toml"\n', b='extends = "c.toml"\n')
    tried = []
    with pytest.raises(ConfigError):
        extends.whole(Document("a.toml", "", {"extends": "b.toml"}, real="a.toml"), tried)
    assert tried == ["b.toml", "c.toml"]


def test_a_change_of_the_base_is_another_config(files):
    folder = files(base=BASE, dev='extends = "base.toml"\n')
    before = load("dev.toml").digest
    (folder / "base.toml").write_text(BASE.replace("100", "99"))
    assert load("dev.toml").digest != before


TABLES = st.recursive(
    st.integers() | st.lists(st.integers(), max_size=2),
    lambda inner: st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=12,
)


@given(top=st.dictionaries(st.sampled_from("abc"), TABLES), base=st.dictionaries(st.sampled_from("abc"), TABLES))
def test_merging_is_key_by_key(top, base):
    def leaves(value, path=()):
        if isinstance(value, dict):
            for key, each in value.items():
                yield from leaves(each, (*path, key))
            yield path, dict
        else:
            yield path, value

    merged, ours, theirs = (dict(leaves(each)) for each in (extends._over(top, base), top, base))
    for path, value in ours.items():
        assert merged[path] == value
    for path, value in theirs.items():
        hidden = any(ours.get(path[:end], dict) is not dict for end in range(len(path) + 1))
        assert hidden or path in ours or merged[path] == value
    assert merged.keys() <= ours.keys() | theirs.keys()
