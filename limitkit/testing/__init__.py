"""What tests of an app that has limits need: a pytest plugin, and the classes behind its fixtures.

The door is ``pytest_plugin``, which pytest loads by itself where limitkit is installed: the fixtures ``limits_off``,
``limits_clock`` and ``assert_starts``. ``limits_clock`` plays messages with ``trial``, ``capture`` catches those that
an app sends, ``starts`` judges when they start. Names are imported on first use, since pytest loads this in each
of its runs. May use ``trial``, ``worker`` and what is below.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from limitkit.testing.limits_clock import LimitsClock
    from limitkit.testing.starts import AssertStarts
    from limitkit.testing.without_limits import no_limits

__all__ = ["AssertStarts", "LimitsClock", "no_limits"]

_HOMES = {"AssertStarts": "starts", "LimitsClock": "limits_clock", "no_limits": "without_limits"}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
