"""A file is taken up when it has changed and is left alone; one that can't be used changes nothing."""

from __future__ import annotations

import logging
import threading

import pytest

from limitkit.config.load import load, load_as
from limitkit.control.config_reload import Reload

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


def test_a_fault_while_a_file_is_judged_is_a_refusal_and_said(file, caplog):
    def fails(config):
        raise OverflowError("too large")

    used = []
    watched = reload(used, fails)
    file.write_text(GOOD.format("2/s"))
    with caplog.at_level(logging.ERROR, "limitkit"):
        assert not watched.now()
    assert watched.refused == "ratelimits.toml: it can't be judged (OverflowError: too large); see this worker's log"
    assert "Traceback" in caplog.text
    assert not used


def test_a_fault_while_it_is_put_in_force_goes_back_to_the_one_before(file):
    used = []

    def use(config):
        used.append(config.rules.for_task("paid").limits[0].rate.text)
        if len(used) == 1:
            raise ValueError("no")

    watched = Reload(load("ratelimits.toml"), lambda _: (), use)
    before = watched.config
    file.write_text(GOOD.format("2/s"))
    assert not watched.now()
    assert watched.refused == "ratelimits.toml: it can't be put in force (ValueError: no); see this worker's log"
    assert watched.config is before
    assert used == ["2/s", "1/s"]


def test_very_many_problems_are_not_all_reported_by_a_worker(file, caplog):
    watched = reload()
    file.write_text("version = 1\n" + "".join(f"unknown_{number} = 1\n" for number in range(1000)))
    with caplog.at_level(logging.ERROR, "limitkit"):
        assert not watched.now()
    lines = watched.refused.splitlines()
    assert len(lines) == 51
    assert lines[-1] == (
        "ratelimits.toml:52:1: LK010 and 950 more problems; limitkit validate ratelimits.toml prints them all"
    )
    assert len(caplog.text) < 20_000


@pytest.mark.parametrize("rate", ["2/s", "2/sec"])
def test_a_large_file_is_read_beside_the_loop(file, rate, monkeypatch):
    used = []
    watched = reload(used)
    settle(watched)
    begun, go_on = threading.Event(), threading.Event()

    def slowly(*paths):
        begun.set()
        assert go_on.wait(30)
        return load_as(*paths)

    monkeypatch.setattr("limitkit.control.config_reload.load_as", slowly)
    file.write_text(GOOD.format(rate) + "#" * 300_000)
    assert settle(watched) == [False] * 3
    assert begun.wait(30)
    assert not used
    assert not watched.refused
    go_on.set()
    watched._reading.join(30)
    assert watched.look() == (rate == "2/s")
    assert [config.rules.for_task("paid").limits[0].rate.text for config in used] == (["2/s"] if rate == "2/s" else [])
    assert ("is not a rate" in watched.refused) == (rate == "2/sec")
    assert settle(watched) == [False] * 3


def test_a_change_of_a_file_that_is_extended_is_taken_up(file):
    base = file.parent / "base.toml"
    base.write_text(GOOD.format("1/s"))
    file.write_text('extends = "base.toml"\n')
    used = []
    watched = reload(used)
    settle(watched)
    base.write_text(GOOD.format("3/s"))
    assert settle(watched) == [False, True, False]
    assert [config.rules.for_task("paid").limits[0].rate.text for config in used] == ["3/s"]


def test_a_file_that_is_extended_and_missing_is_taken_up_when_it_comes(file):
    used = []
    watched = reload(used)
    settle(watched)
    file.write_text('extends = "base.toml"\n')
    assert settle(watched) == [False] * 3
    assert "LK100" in watched.refused
    (file.parent / "base.toml").write_text(GOOD.format("3/s"))
    assert True in settle(watched)
    assert (watched.refused, len(used)) == ("", 1)


def test_a_working_folder_that_changes_does_not_hide_what_is_extended(file, monkeypatch):
    base = file.parent / "base.toml"
    base.write_text(GOOD.format("1/s"))
    file.write_text('extends = "base.toml"\n')
    used = []
    watched = reload(used)
    monkeypatch.chdir("/")
    assert settle(watched) == [False] * 3
    base.write_text(GOOD.format("3/s"))
    assert True in settle(watched)
    assert watched.config.path == "ratelimits.toml"
