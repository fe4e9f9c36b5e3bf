"""Why a store could not be asked, in one line that an operator can act on, and whether it will ever be otherwise."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from limitkit.config.wording import one_line
from limitkit.errors import StoreError, StoreRefusedError

if TYPE_CHECKING:
    from limitkit.config.model.env_values import Expanded

FAILURES: Final = (OSError, TypeError, ValueError, LookupError, AttributeError, ArithmeticError, RecursionError)
"""What asking a store can raise beside redis-py's own errors. All but the first are how redis-py can't use an option,
and what comes of an answer that no Redis gives."""
_IN_SCRIPT: Final = re.compile(r"Error running script \(call to \w+\): (?:@user_script: ?\d+: )+-?")
_CLIENTS: Final = re.compile(r" : [^:]*<.*", re.DOTALL)
"""What redis-py says of each sentinel: how its client is made, over many lines' length, and what it has met."""
_MET: Final = re.compile(r"> - (?:\w+:)?(\w+)")
_A_NODE: Final = "the server is a node of a Redis Cluster; write redis+cluster:// in place of redis://"
_RIGHTS: Final = "give its user the rights that docs/store.md lists"
_NO_REDIS: Final = "name the address of a Redis, with rediss:// where it speaks TLS and redis:// where not"
_FOR_GOOD: Final = (
    (r"NOPERM|NoPermissionError|ACL failure in script|The user executing the script can't", _RIGHTS),
    (r"DB index is out of range|invalid DB index|SELECT is not allowed", "name a database that the server has, e.g. 0"),
    (r"unknown command \W?SENTINEL", "name the sentinels, or write redis:// in place of sentinel://"),
    (r"unknown command", "name a Redis that runs scripts, or give its user the command"),
    (r"[Cc]luster mode is not enabled|cluster support disabled", "write redis:// in place of redis+cluster://"),
    (r"InvalidResponse|WRONG_VERSION_NUMBER|UNEXPECTED_MESSAGE|wrong version number", _NO_REDIS),
)
"""What won't change by itself while an address stays as it is, and the remedy.

A password is not among them. It changes on the server as often as in the address: a worker whose address is right
before the server's password is comes into its own without a restart.
"""


def store_error(error: Exception, url: Expanded) -> StoreError:
    """Make the StoreError of what redis-py raised; it shows nothing of the address that is not to be shown."""
    name, text = type(error).__name__, str(error)
    if name == "MovedError" or text.startswith("MOVED "):
        moved = StoreError(_A_NODE)
        moved.remedy = "write redis+cluster:// in place of redis://"
        return moved
    kinds = [each.__name__ for each in type(error).__mro__]
    # Redis says it of what is sent first: of HELLO, or of a script that is longer than who is unknown may send.
    if (name == "AuthenticationError" and text.startswith("HELLO ")) or "Protocol error: unauthenticated" in text:
        name, text, kinds = "AuthenticationError", "Authentication required.", []
    kind = StoreRefusedError if "ResponseError" in kinds else StoreError
    met = ", ".join(dict.fromkeys(_MET.findall(text)))
    said = f"{name}: {_CLIENTS.sub(f'; the sentinels: {met}' if met else '', _IN_SCRIPT.sub('', text))}"
    if name == "TimeoutError" and "connecting" in text and url.startswith("rediss:"):
        said = f"{said.rstrip('.')}; a server that speaks no TLS does not answer rediss://"
    found = kind(one_line(url.hide_in(said)))
    if not type(error).__module__.startswith("redis.") and not isinstance(error, OSError):
        # The text may be about an option's value.
        found = StoreError(f"redis-py can't use its address, or what answers there is no Redis ({name})")
        found.remedy = "check the options of the address, and what listens there"
    found.remedy = found.remedy or next((remedy for sign, remedy in _FOR_GOOD if re.search(sign, said)), "")
    return found
