"""Test files are read as ratelimits.toml is, and find the config that they are about."""

from __future__ import annotations

import pytest

from limitkit.config.test_file import load
from limitkit.errors import ConfigError

CONFIG = "version = 1\n"
TEST = '[[test]]\nname = "a"\n[[test.send]]\ntask = "t"\n[[test.expect]]\ntask = "t"\nlost = 0\n'


@pytest.fixture
def written(tmp_path, monkeypatch):
    monkeypatch.delenv("LIMITKIT_CONFIG", raising=False)
    monkeypatch.chdir(tmp_path)

    def write(path, text):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
        return path

    return write


def found(path, given=None):
    document, tables = load.read_tests(path)
    return load.config_of(document, tables.config, given).path


def refused(path, given=None):
    with pytest.raises(ConfigError) as caught:
        found(path, given)
    return str(caught.value), caught.value.unreadable


def test_the_nearest_config_is_found_from_the_test_file(written):
    written("ratelimits.toml", CONFIG)
    beside = written("shop/ratelimits.toml", CONFIG)
    assert found(written("shop/a.limits.toml", TEST)) == beside
    assert found(written("mail/deep/a.limits.toml", TEST)) == "ratelimits.toml"
    assert found(written("a.limits.toml", TEST)) == "ratelimits.toml"


def test_the_file_s_own_config_is_relative_to_it_and_the_command_line_wins(written, monkeypatch):
    written("ratelimits.toml", CONFIG)
    monkeypatch.setenv("LIMITKIT_CONFIG", written("third.toml", CONFIG))
    path = written("shop/a.limits.toml", 'config = "../other.toml"\n' + TEST)
    written("other.toml", CONFIG)
    assert found(path) == "shop/../other.toml"
    assert found(path, "ratelimits.toml") == "ratelimits.toml"
    assert found(written("shop/b.limits.toml", TEST)) == "third.toml"


def test_a_config_that_can_t_be_read_is_reported_where_it_is_named(written):
    path = written("shop/a.limits.toml", 'config = "gone.toml"\n' + TEST)
    fact = 'LK001 config: the file "shop/gone.toml" does not exist; name an existing file'
    assert refused(path) == (f"{path}:1:10: {fact}", True)
    assert refused(path, "gone.toml")[0] == "gone.toml:1:1: LK001 the file does not exist; name an existing file"


def test_no_config_at_all(written):
    path = written("a.limits.toml", TEST)
    said = 'there is no ratelimits.toml beside this file or in a folder above; write one, or name it: config = "…"'
    assert refused(path) == (f"{path}:1:1: LK006 {said}", True)


def test_a_config_with_problems_is_reported_as_by_validate(written):
    written("ratelimits.toml", 'version = 1\n[tasks.t]\nstrategy = "static"\nrate = "1"\n')
    said, unreadable = refused(written("a.limits.toml", TEST))
    assert said.startswith('ratelimits.toml:4:8: LK012 tasks.t.rate: "1" is not a rate')
    assert not unreadable


def test_files_that_can_t_be_read(written, tmp_path):
    assert refused("gone.limits.toml") == (
        "gone.limits.toml:1:1: LK001 the file does not exist; name an existing file",
        True,
    )
    said, unreadable = refused(written("a.limits.toml", " \n"))
    assert said == (
        'a.limits.toml:1:1: LK004 the file is empty; write a test, e.g. [[test]] with name = "…", or remove it'
    )
    assert not unreadable
    (tmp_path / "large.limits.toml").write_bytes(b"#" * 10_000_001)
    assert refused("large.limits.toml")[0].startswith("large.limits.toml:1:1: LK009 the file is larger than 10 MB")


def test_a_scenario_is_one_test_without_name_and_expectations(written):
    path = written("s.toml", 'config = "r.toml"\nworkers = 3\n[[send]]\ntask = "t"\n[[fault]]\nat = "1s"\nkill = "w"\n')
    with pytest.raises(ConfigError) as caught:
        load.read_scenario(path)
    assert [(each.code, each.line) for each in caught.value.problems] == [("LK092", 7)]
    written(path, 'config = "r.toml"\n[[send]]\ntask = "t"\n')
    _, model = load.read_scenario(path)
    assert (model.config, model.send[0].task) == ("r.toml", "t")
    written(path, 'name = "a"\n[[send]]\ntask = "t"\n[[expect]]\n')
    with pytest.raises(ConfigError) as caught:
        load.read_scenario(path)
    assert [each.code for each in caught.value.problems] == ["LK010", "LK010"]
