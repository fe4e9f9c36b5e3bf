"""Each life that the search has found keeps all promises now; those in ``known`` do not yet."""

from __future__ import annotations

from pathlib import Path

import pytest

from search.hunt import broken_in
from search.life import read

HERE = Path(__file__).parent
FOUND = sorted(HERE.glob("found/*/life.limits.toml"))
KNOWN = sorted(HERE.glob("known/*/life.limits.toml"))


def broken(file):
    return broken_in(read((file.parent / "ratelimits.toml").read_text(), file.read_text()))[0]


@pytest.mark.parametrize("file", FOUND, ids=lambda file: file.parent.name)
def test_what_was_found_is_kept(file):
    assert broken(file) == ()


@pytest.mark.xfail(strict=True, reason="found, and not fixed yet: move it to found then")
@pytest.mark.parametrize("file", KNOWN, ids=lambda file: file.parent.name)
def test_what_is_known_breaks_a_promise(file):
    assert broken(file) == ()
