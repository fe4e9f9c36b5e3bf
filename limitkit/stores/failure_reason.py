"""Why a store could not be asked, in one line that an operator can act on, and what can be done about it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from limitkit.config.wording import one_line
from limitkit.errors import StoreError, StoreRefusedError

if TYPE_CHECKING:
    from limitkit.config.model.env_values import Expanded

FAILURES: Final = (OSError, TypeError, ValueError, LookupError, AttributeError, ArithmeticError, RecursionError)
"""What a call of a store can raise beside redis-py's own errors. All but the first come from an option that redis-py
can't use, or from an answer that no Redis gives."""
_IN_SCRIPT: Final = re.compile(r"Error running script \(call to \w+\): (?:@user_script: ?\d+: )+-?")
_CLIENTS: Final = re.compile(r" : [^:]*<.*", re.DOTALL)
"""What redis-py says of each sentinel: the very long text of its client, and the error."""
_SENTINEL_ERRORS: Final = re.compile(r"> - (?:\w+:)?(\w+)")
_A_NODE: Final = "the server is a node of a Redis Cluster; write redis+cluster:// in place of redis://"
_RIGHTS: Final = "give its user the rights that docs/store.md lists"
_NO_REDIS: Final = "name the address of a Redis, with rediss:// where it speaks TLS and redis:// where not"
_PERMANENT: Final = (
    (r"NOPERM|NoPermissionError|ACL failure in script|The user executing the script can't", _RIGHTS),
    (r"DB index is out of range|invalid DB index|SELECT is not allowed", "name a database that the server has, e.g. 0"),
    (r"unknown command \W?SENTINEL", "name the sentinels, or write redis:// in place of sentinel://"),
    (r"unknown command", "name a Redis that runs scripts, or give its user the command"),
    (r"[Cc]luster mode is not enabled|cluster support disabled", "write redis:// in place of redis+cluster://"),
    (r"InvalidResponse|WRONG_VERSION_NUMBER|UNEXPECTED_MESSAGE|wrong version number", _NO_REDIS),
)
"""Errors that stay as long as the address does not change, and the remedy.

A wrong password is not among them: it may be fixed on the server, and the worker then needs no restart.
"""


def a_node() -> StoreError:
    """Make the error of a store that names one node of a cluster: a few keys may be there, most are not."""
    moved = StoreError(_A_NODE)
    moved.remedy = "write redis+cluster:// in place of redis://"
    return moved


def store_error(error: Exception, url: Expanded) -> StoreError:
    """Make a StoreError of what redis-py raised; it shows no secret of the address."""
    name, text = type(error).__name__, str(error)
    if name == "MovedError" or text.startswith("MOVED "):
        return a_node()
    kinds = [each.__name__ for each in type(error).__mro__]
    # Redis rejects the first command: HELLO, or a script that is too long for a client without authentication.
    if (name == "AuthenticationError" and text.startswith("HELLO ")) or "Protocol error: unauthenticated" in text:
        name, text, kinds = "AuthenticationError", "Authentication required.", []
    kind = StoreRefusedError if "ResponseError" in kinds else StoreError
    errors = ", ".join(dict.fromkeys(_SENTINEL_ERRORS.findall(text)))
    said = f"{name}: {_CLIENTS.sub(f'; the sentinels: {errors}' if errors else '', _IN_SCRIPT.sub('', text))}"
    if name == "TimeoutError" and "connecting" in text and url.startswith("rediss:"):
        said = f"{said.rstrip('.')}; a server that speaks no TLS does not answer rediss://"
    found = kind(one_line(url.hide_in(said)))
    if not type(error).__module__.startswith("redis.") and not isinstance(error, OSError):
        # The text may show an option's value.
        found = StoreError(f"redis-py can't use its address, or what answers there is no Redis ({name})")
        found.remedy = "check the options of the address, and what listens there"
    found.remedy = found.remedy or next((remedy for sign, remedy in _PERMANENT if re.search(sign, said)), "")
    return found
