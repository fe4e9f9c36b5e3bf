"""Keys as a file declares them."""

from __future__ import annotations

from limitkit.config.declared import Key, Part


def part(text):
    """Return a part of a key, as in TOML."""
    header = text.removeprefix("headers:")
    return Part((header,), header=True) if header != text else Part(tuple(text.split(".")))


def key(*texts):
    """Return a key of these parts."""
    return Key(tuple(map(part, texts)))
