"""Each life that the search has found keeps all promises now."""

from __future__ import annotations

from pathlib import Path

import pytest

from search.hunt import broken_in
from search.life import read

FOUND = sorted(Path(__file__).parent.glob("found/*/life.limits.toml"))


@pytest.mark.parametrize("file", FOUND, ids=lambda file: file.parent.name)
def test_what_was_found_is_kept(file):
    life = read((file.parent / "ratelimits.toml").read_text(), file.read_text())
    assert broken_in(life)[0] == ()
