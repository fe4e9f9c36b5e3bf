"""Another package of the name ``limitkit``, which has its files in the folder of this one's."""

import logging
import sys

import pytest
from celery import Celery
from click.testing import CliRunner

import limitkit
from limitkit import cli

FACT = "The package limitkit 0.1.0 is installed beside celery-limitkit, and both have the "
AGAIN = "pip install --force-reinstall --no-deps celery-limitkit"


@pytest.fixture
def other(tmp_path, monkeypatch):
    info = tmp_path / "limitkit-0.1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.4\nName: limitkit\nVersion: 0.1.0\n")
    monkeypatch.setattr(sys, "path", [*sys.path, str(tmp_path)])


@pytest.fixture
def app():
    with Celery("named", broker="memory://", set_as_current=False) as app:
        yield app


@pytest.fixture
def overwritten(monkeypatch):
    """As when the other was installed last."""
    monkeypatch.setattr(limitkit, "__all__", ["RateLimiter", "TokenBucket"])


def test_install_warns_of_it_once(other, app, caplog):
    with caplog.at_level(logging.WARNING, "limitkit"):
        limitkit.install(app, "ratelimits.toml")
        limitkit.install(app, "ratelimits.toml")
    (said,) = caplog.messages
    assert said.startswith(FACT)
    assert said.endswith(f"Keep only celery-limitkit: pip uninstall limitkit, and then {AGAIN}")


def test_where_it_is_alone_nothing_is_said(app, caplog):
    with caplog.at_level(logging.WARNING, "limitkit"):
        limitkit.install(app, "ratelimits.toml")
    assert not caplog.messages
    assert CliRunner().invoke(cli.limitkit, ["schema"]).stderr == ""


def test_commands_say_why_no_app_can_install_it(other, overwritten):
    assert CliRunner().invoke(cli.limitkit, ["schema"]).stderr.startswith(f"limitkit: {FACT}")


def test_commands_say_so_when_the_other_took_its_files_along(overwritten):
    said = CliRunner().invoke(cli.limitkit, ["schema"]).stderr
    assert said.startswith("limitkit: The file limitkit/__init__.py is gone, as when another package named limitkit ")
    assert said.endswith(f"Get it back: {AGAIN}\n")


def test_commands_do_not_warn_twice(other):
    """The app's ``install`` has said it."""
    assert CliRunner().invoke(cli.limitkit, ["schema"]).stderr == ""
