"""Why a store could not be asked, in one line that an operator can act on."""

from __future__ import annotations

import re

from limitkit.errors import StoreError, StoreRefusedError

_IN_SCRIPT = re.compile(r"Error running script \(call to \w+\): (?:@user_script: ?\d+: )+-?")
_CLIENTS = re.compile(r" : [^:]*<.*", re.DOTALL)
"""What redis-py says of each sentinel: how its client is made, over many lines' length."""


def store_error(error: Exception) -> StoreError:
    """Make the StoreError of what redis-py raised."""
    name, text = type(error).__name__, str(error)
    if name == "MovedError" or text.startswith("MOVED "):
        return StoreError("the server is a node of a Redis Cluster; write redis+cluster:// in place of redis://")
    answered = any(each.__name__ == "ResponseError" for each in type(error).__mro__)
    kind = StoreRefusedError if answered else StoreError
    return kind(f"{name}: {_CLIENTS.sub('', _IN_SCRIPT.sub('', text))}")
