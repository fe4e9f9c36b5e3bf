"""A file is taken up when it has changed and is left alone; one that can't be used changes nothing."""

from __future__ import annotations

import logging

import pytest

from limitkit.config import load
from limitkit.reload import Reload

GOOD = 'version = 1\n\n[tasks.paid]\nstrategy = "static"\nrate = "{}"\n'


@pytest.fixture
def file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "ratelimits.toml"
    path.write_text(GOOD.format("1/s"))
    return path


def reload(used=None, judge=lambda _: ()):
    return Reload(load("ratelimits.toml"), judge, (used if used is not None else []).append)


def settle(watched):
    """Look as often as it takes; says what each look said."""
    return [watched.look() for _ in range(3)]


def test_a_change_is_taken_up_at_the_second_look_that_sees_it(file):
    used = []
    watched = reload(used)
    assert settle(watched) == [False] * 3
    file.write_text(GOOD.format("2/s"))
    assert settle(watched) == [False, True, False]
    assert [config.rules.for_task("paid").limits[0].rate.text for config in used] == ["2/s"]
    assert watched.config is used[0]


def test_what_was_changed_before_the_first_look_is_taken_up_too(file):
    used = []
    watched = reload(used)
    file.write_text(GOOD.format("2/s"))
    assert True in settle(watched)
    assert len(used) == 1


def test_what_is_touched_and_the_same_changes_nothing(file):
    used = []
    watched = reload(used)
    settle(watched)
    file.write_text(GOOD.format("1/s"))
    assert settle(watched) == [False] * 3
    assert not used


def test_a_bad_file_is_refused_once_with_the_words_of_validate(file, caplog):
    used = []
    watched = reload(used)
    settle(watched)
    file.write_text(GOOD.format("2/sec"))
    with caplog.at_level(logging.ERROR, "limitkit"):
        assert settle(watched) == [False] * 3
        assert not watched.now()
    (record,) = caplog.records
    assert record.action == "reload_refused"
    assert watched.refused.startswith('ratelimits.toml:5:8: LK012 tasks.paid.rate: "2/sec" is not a rate; ')
    assert watched.refused in caplog.text
    file.write_text(GOOD.format("1/s"))
    assert not watched.now()
    assert watched.refused == ""
    assert not used


def test_what_is_against_a_config_in_this_worker_refuses_it_too(file):
    used = []
    watched = reload(used, lambda config: [config.document.problem("LK050", (), "there is no store", "name one")])
    file.write_text(GOOD.format("2/s"))
    assert not watched.now()
    assert watched.refused == "ratelimits.toml:1:1: LK050 there is no store; name one"
    assert not used


def test_a_file_that_is_gone_leaves_the_last_one_in_force(file):
    used = []
    watched = reload(used)
    settle(watched)
    file.unlink()
    assert settle(watched) == [False] * 3
    assert "does not exist" in watched.refused
    assert not used
    file.write_text(GOOD.format("2/s"))
    assert True in settle(watched)
    assert watched.refused == ""
