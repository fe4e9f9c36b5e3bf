"""The fixtures, as pytest finds them; it loads this module in each run where limitkit is installed.

So it imports nothing but pytest; Celery, and what plays, are imported once a fixture is used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from limitkit.testing.limits_clock import LimitsClock
    from limitkit.testing.starts import AssertStarts

_CONFIG: Final = "limitkit_config"
_MARKER: Final = "limitkit"
KEYS: Final = ("config", "workers", "processes", "prefetch_multiplier", "runs", "begins_at", "seed")
"""What the marker knows: parameters of ``LimitsClock``."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the ini option."""
    parser.addini(_CONFIG, "The config whose limits the fixture limits_clock plays, relative to the ini file.")


def pytest_configure(config: pytest.Config) -> None:
    """Add the marker."""
    config.addinivalue_line("markers", f"{_MARKER}({', '.join(KEYS)}): what the fixture limits_clock plays.")


@pytest.fixture
def limits_off() -> Iterator[None]:
    """No limit of any app holds in this test, and a worker that starts in it asks no store."""
    from limitkit.testing.without_limits import no_limits  # noqa: PLC0415 (see above)

    with no_limits():
        yield


@pytest.fixture
def limits_clock(request: pytest.FixtureRequest) -> Iterator[LimitsClock]:
    """Give a virtual clock that catches what the test's apps send, and plays when it starts under the limits."""
    from limitkit.testing.limits_clock import LimitsClock  # noqa: PLC0415 (see above)

    options = {"folder": request.path.parent, **_marked(request.node)}
    if options.get("config") is None and (named := request.config.getini(_CONFIG)):
        options["config"] = _root(request.config) / named
    clock, wrong = None, ""
    try:
        clock = LimitsClock(**options)
    except (TypeError, ValueError) as error:
        wrong = str(error)
    if clock is None:
        pytest.fail(f"pytest.mark.{_MARKER} of {request.node.nodeid}: {wrong}", pytrace=False)
    with clock:
        yield clock


@pytest.fixture
def assert_starts(limits_clock: LimitsClock) -> AssertStarts:
    """Assert when the calls of a task start on ``limits_clock``."""
    from limitkit.testing.starts import AssertStarts  # noqa: PLC0415 (see above)

    return AssertStarts(limits_clock)


def _marked(node: pytest.Item) -> dict[str, Any]:
    """Return what the markers of a test say; the nearest one wins, key by key."""
    found: dict[str, Any] = {}
    for marker in node.iter_markers(_MARKER):
        unknown = [*map(repr, marker.args), *(name for name in marker.kwargs if name not in KEYS)]
        if unknown:
            fact = f"pytest.mark.{_MARKER} does not know {', '.join(unknown)}, so {node.nodeid} can't be played"
            pytest.fail(f"{fact}; its keys are {', '.join(KEYS)}", pytrace=False)
        found = {**marker.kwargs, **found}
    return found


def _root(config: pytest.Config) -> Path:
    return config.inipath.parent if config.inipath is not None else config.rootpath
