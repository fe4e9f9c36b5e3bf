"""TCP ports as they are written: one, or a range in which each worker of a host takes the first free one."""

from __future__ import annotations

import re
from typing import Final

LAST: Final = 65535
PORTS_PATTERN: Final = r"^[0-9]{1,5}(-[0-9]{1,5})?$"
HOST_PATTERN: Final = r"^[0-9A-Za-z._:-]{1,253}$"
PORT_HINT: Final = 'write a number from 1 to 65535, or a range in quotes, e.g. "9545-9554"'
_PORTS = re.compile(r"([0-9]{1,5})(?:-([0-9]{1,5}))?")


def parse_ports(said: int | str) -> range:
    """Read a port such as ``9545``, or a range such as ``"9545-9554"``. Raises ValueError, with fact and remedy."""
    text = said if isinstance(said, str) else str(said)
    match = _PORTS.fullmatch(text) if text.isascii() else None
    if match is None:
        raise ValueError(f'"{said}" is not a port; {PORT_HINT}')
    first, last = int(match[1]), int(match[2] or match[1])
    if not 1 <= first <= LAST or not 1 <= last <= LAST:
        raise ValueError(f'"{said}" is out of range; {PORT_HINT}')
    if last < first:
        # No example with a value from the environment, which must not be shown.
        example = f', e.g. "{last}-{first}"' if str(said) == text else ""
        raise ValueError(f'"{said}" ends before it begins; write the lower port first{example}')
    return range(first, last + 1)
