"""Lints in ``limitkit validate``: shown without an app and with one, and as severe as the file says."""

from __future__ import annotations

import pytest
from support.commands import Runner

UNDERCUT = """version = 1

[limits.fast]
strategy = "token_bucket"
rate = "10/s"{more}

[limits.slow]
strategy = "token_bucket"
rate = "1/s"

[tasks.charge]
limits = ["fast", "slow"]
"""
SAID = (
    "ratelimits.toml:5:8: LK110 limits.fast.rate: this limit (10/s, burst 1) never makes a task wait, since "
    "limits.slow (1/s, burst 1) holds for the same tasks and never admits more; take it out, or correct one of the two"
)


@pytest.fixture
def runner(tmp_path):
    return Runner(tmp_path)


def validated(runner, text, *words):
    (runner.folder / "ratelimits.toml").write_text(text)
    return runner.run("validate", *words)


def test_a_lint_is_a_warning(runner):
    done = validated(runner, UNDERCUT.format(more=""))
    assert done.stdout.decode() == f"{SAID}\n"
    assert done.returncode == 0
    assert validated(runner, UNDERCUT.format(more=""), "--strict").returncode == 1


def test_lint_and_comments_change_it(runner):
    ignored = UNDERCUT.format(more="  # limitkit: ignore[LK110]")
    assert validated(runner, ignored, "--strict").stdout == b""
    assert validated(runner, f'{UNDERCUT.format(more="")}[lint]\nLK110 = "off"', "--strict").stdout == b""
    assert validated(runner, f'{UNDERCUT.format(more="")}[lint]\nLK110 = "error"').returncode == 1


@pytest.mark.parametrize("code", ["LK112", "LK113", "LK114", "LK116", "LK117"])
def test_what_only_the_app_or_the_fleet_shows_may_be_ignored_without_them(runner, code):
    assert b"LK104" not in validated(runner, UNDERCUT.format(more=f"  # limitkit: ignore[{code}]")).stdout
