"""The codes of problems: which of them ``[lint]`` and comments may change, and who finds them."""

from __future__ import annotations

from typing import Final


def _codes(*ranges: tuple[int, int]) -> frozenset[str]:
    return frozenset(f"LK{number:03}" for first, last in ranges for number in range(first, last + 1))


BY_APP: Final = frozenset({"LK040", "LK041", "LK042", "LK044", "LK045", "LK046", "LK083", "LK084", "LK087"}) | {
    *("LK112", "LK113", "LK116", "LK117"),  # lints that look at tasks, too
}
"""Found only where the app is known: ``limitkit validate --app``."""
BY_WORKER: Final = frozenset({"LK053", "LK057", "LK058", "LK059"})
"""Found by a worker as it starts, or by ``limitkit doctor``."""
BY_LINTS: Final = _codes((110, 129))
"""What reads the arithmetic of a file: ``limitkit validate``."""
BY_FLEET: Final = frozenset({"LK114"})
"""Found only where the number of workers is known: ``limitkit validate --workers``."""
BY_DOCTOR: Final = _codes((130, 169))
"""Found by ``limitkit doctor``."""
UNNEEDED: Final = "LK104"
MALFORMED: Final = "LK105"
CHANGEABLE: Final = (
    frozenset({"LK030", "LK077", "LK082", UNNEEDED, MALFORMED}) | BY_APP | BY_WORKER | BY_LINTS | BY_DOCTOR
)
"""Warnings, and errors with which a worker starts all the same."""
FIXED: Final = _codes(
    (1, 29), (31, 34), (38, 39), (43, 43), (50, 52), (54, 56), (60, 76), (78, 81), (85, 86), (90, 102)
)
"""Errors with which a worker does not start, or with which a test can't be played; and LK056, which may become one."""


def cant_change(code: str) -> tuple[str, str]:
    """Say why a code's severity can't be changed, as fact and hint."""
    if code in FIXED:
        return (
            f"{code} is an error: what it finds can't be used, so it can't be ignored",
            "take it out, and fix what it finds",
        )
    return "there is no such problem", "write a code that limitkit validate prints, e.g. LK030"
