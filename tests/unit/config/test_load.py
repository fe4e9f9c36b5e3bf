"""How a file is found and loaded, and what the package costs to import."""

from __future__ import annotations

import os
import subprocess
import sys
import time

import pytest

import limitkit
from limitkit.config.load import locate

GOOD = 'version = 1\n[tasks.a]\nstrategy = "static"\nrate = "1/s"\n'


@pytest.fixture(autouse=True)
def no_variables(monkeypatch):
    monkeypatch.delenv("LIMITKIT_CONFIG", raising=False)
    monkeypatch.delenv("LIMITKIT_MODE", raising=False)


def test_the_variable_then_the_argument_then_the_nearest_folder(tmp_path, monkeypatch):
    deep = tmp_path / "a" / "b"
    deep.mkdir(parents=True)
    (tmp_path / "ratelimits.toml").write_text(GOOD)
    monkeypatch.chdir(deep)
    assert locate() == str(tmp_path / "ratelimits.toml")
    (deep.parent / "ratelimits.toml").mkdir()  # a folder of this name is not the file
    assert locate() == str(tmp_path / "ratelimits.toml")
    (deep / "ratelimits.toml").write_text(GOOD)
    assert locate() == "ratelimits.toml"
    assert locate("other.toml") == "other.toml"
    assert locate(tmp_path / "x.toml") == str(tmp_path / "x.toml")
    monkeypatch.setenv("LIMITKIT_CONFIG", "named.toml")
    assert locate("other.toml") == "named.toml"


def test_none_found_says_where_it_looked(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(limitkit.ConfigError) as caught:
        locate()
    assert str(caught.value) == (
        f"ratelimits.toml:1:1: LK006 there is no ratelimits.toml in {tmp_path} or a folder above; "
        "write one, or name a file by LIMITKIT_CONFIG, --config or install(app, config)"
    )
    assert caught.value.unreadable


@pytest.mark.parametrize("mode", ["of", "shade", "OFF\n"])
def test_a_mode_in_the_environment_that_is_none(tmp_path, monkeypatch, mode):
    file = tmp_path / "f.toml"
    file.write_text(GOOD)
    monkeypatch.setenv("LIMITKIT_MODE", mode)
    with pytest.raises(limitkit.ConfigError) as caught:
        limitkit.load(file)
    fact = 'LK007 the value of ${LIMITKIT_MODE} is not a mode; set it to "enforce", "shadow" or "off"'
    assert str(caught.value) == f"{file}:1:1: {fact}"


def test_an_empty_mode_in_the_environment_is_none(tmp_path, monkeypatch):
    (tmp_path / "f.toml").write_text(GOOD)
    monkeypatch.setenv("LIMITKIT_MODE", "")
    config = limitkit.load(tmp_path / "f.toml")
    assert (config.rules.mode, config.file_mode) == ("enforce", "enforce")


def test_a_port_in_the_environment_wins_over_the_file_s(tmp_path, monkeypatch):
    file = tmp_path / "f.toml"
    for table, said, found in [
        ("", "", (False, "127.0.0.1", range(0))),
        ("[metrics]\n", "", (True, "127.0.0.1", range(0))),
        ("", "9545", (True, "127.0.0.1", range(9545, 9546))),
        ('[metrics]\nhost = "0.0.0.0"\nport = 9000\n', "", (True, "0.0.0.0", range(9000, 9001))),
        ('[metrics]\nhost = "0.0.0.0"\nport = 9000\n', "9545-9554", (True, "0.0.0.0", range(9545, 9555))),
    ]:
        file.write_text(GOOD + "\n" + table)
        monkeypatch.setenv("LIMITKIT_METRICS_PORT", said)
        metrics = limitkit.load(file).rules.metrics
        assert (metrics.wanted, metrics.host, metrics.ports) == found
    monkeypatch.setenv("LIMITKIT_METRICS_PORT", "a\nport")
    with pytest.raises(limitkit.ConfigError) as caught:
        limitkit.load(file)
    fact = "LK008 the value of ${LIMITKIT_METRICS_PORT} is not a port; write a number from 1 to 65535"
    assert str(caught.value).startswith(f"{file}:1:1: {fact}")


def test_all_problems_come_at_once_in_the_order_of_the_file(tmp_path):
    file = tmp_path / "f.toml"
    file.write_text(
        'version = 2\n[limits.a]\nstrategy = "per_user"\nrate = "1/x"\n'
        '[tasks.b]\nlimits = ["a", "z"]\nx = 1\n[limits.unused]\nstrategy = "static"\nrate = "1/s"\n'
    )
    with pytest.raises(limitkit.ConfigError) as caught:
        limitkit.load(file)
    found = [(each.line, each.column, each.code, each.severity) for each in caught.value.problems]
    assert found == [
        (1, 11, "LK017", "error"),
        (2, 1, "LK011", "error"),
        (4, 8, "LK012", "error"),
        (6, 16, "LK022", "error"),
        (7, 1, "LK010", "error"),
        (8, 1, "LK030", "warning"),
    ]
    assert [problem.hint for problem in caught.value.problems][3] == "declare it: [limits.z]"


def test_a_limit_that_is_named_under_a_misspelt_key_is_used(tmp_path):
    file = tmp_path / "f.toml"
    file.write_text('version = 1\n[limits.api]\nstrategy = "static"\nrate = "1/s"\n[tasks.b]\nlimit = ["api"]\n')
    with pytest.raises(limitkit.ConfigError) as caught:
        limitkit.load(file)
    assert "LK030" not in str(caught.value)


def test_an_argument_s_name_does_not_use_the_limit_of_the_same_name(tmp_path):
    file = tmp_path / "f.toml"
    file.write_text(
        'version = 1\n[limits.api]\nstrategy = "static"\nrate = "1/s"\n'
        '[tasks.b]\nstrategy = "per_user"\nrate = "1/s"\nkey = "api"\n'
    )
    assert [warning.code for warning in limitkit.load(file).warnings] == ["LK030"]


def test_a_config_is_frozen(tmp_path):
    (tmp_path / "f.toml").write_text(GOOD)
    with pytest.raises(AttributeError):
        limitkit.load(tmp_path / "f.toml").path = "x"


def test_the_public_names_are_there_and_no_others():
    named = ["Config", "ConfigError", "Problem", "RateLimitExceeded", "RateLimitManager", "install", "load", "settle"]
    assert limitkit.__all__ == named
    assert set(limitkit.__all__) <= set(dir(limitkit))
    for name in limitkit.__all__:
        assert getattr(limitkit, name).__name__ == name
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = limitkit.nothing


def test_importing_limitkit_imports_nothing_heavy():
    code = "import sys, limitkit; print([n for n in ('pydantic', 'jsonschema', 'celery', 'redis') if n in sys.modules])"
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environ)
    assert run.stdout == "[]\n"


def test_two_thousand_tasks_do_not_take_long(tmp_path):
    """Four times the second that is promised, so that only another order of magnitude fails on a busy machine."""
    file = tmp_path / "f.toml"
    entries = (f'[tasks."a.t{number}"]\nstrategy = "static"\nrate = "{number + 1}/m"\n' for number in range(2000))
    file.write_text("version = 1\n" + "".join(entries))
    began = time.process_time()
    assert len(limitkit.load(file).rules.exact) == 2000
    assert time.process_time() - began < 4
