"""Tickets: proof, travelling with a request into the pool, that its tokens were taken for a given moment."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple

if TYPE_CHECKING:
    from limitkit.buckets.decision import Bucket, GiveBack

REASON: Final = "rate limit"
"""The reason in the state of a task that was sent back or dropped."""
KEY: Final = "limitkit_ticket"
"""The ticket's key in ``task.request.properties``. Properties are not sent on, as every unknown header would be."""

NONCE: Final = secrets.token_hex(8)
"""This worker's secret: pool processes inherit it by fork, and a ticket that came with a message can't know it."""


class Charge(NamedTuple):
    """What one limit has charged a start with: its estimate, which can be settled once the true cost is known."""

    limit: str
    """The limit's name."""
    bucket: Bucket
    cost: int
    mark: int
    """The bucket's state after the take; see ``Settlement``."""
    settle: tuple[str, ...] | None
    """The path into what the task returns, where its true cost is."""


@dataclass(frozen=True, slots=True)
class Ticket:
    """What the guard needs to know, so that pool processes need not read config or overrides."""

    nonce: str
    task_id: str
    until: float
    """Fresh until then (monotonic time, which processes of one host share); infinite when nothing was taken."""
    buckets: tuple[Bucket, ...]
    """The shared buckets to ask when it is stale."""
    undo: tuple[GiveBack, ...]
    """Gives back the tokens that were taken, unless there was another take since."""
    refused: float | None = None
    """Set when the request is to fail: in how many seconds its limits would admit it."""
    at: float | None = None
    """The moment for which its tokens were taken; None when it needs none."""
    failed_open: bool = False
    """Whether a shared limit was not asked, because the store can't be."""
    throttled: bool = False
    """Whether this delivery is already counted as throttled."""
    costs: tuple[int, ...] = ()
    """Tokens that the start takes of each of these buckets; empty for one of each."""
    member: str = ""
    """The name under which it has its slots of concurrency limits."""
    charges: tuple[Charge, ...] = ()
    """What it was charged with, where the true cost can be told later."""


def free(task_id: str) -> Ticket:
    """Return the ticket of a request that takes no tokens."""
    return Ticket(NONCE, task_id, float("inf"), (), ())


def refusal(task_id: str, retry_after: float) -> Ticket:
    """Return the ticket of a request that is to fail in the pool."""
    return Ticket(NONCE, task_id, 0.0, (), (), retry_after)


def attach(request: Any, ticket: Ticket) -> None:
    """Send a ticket along with a request that goes to the pool."""
    request.request_dict["properties"] = {**(request.request_dict.get("properties") or {}), KEY: ticket}


def collect(context: Any) -> Ticket | None:
    """Remove the ticket from ``task.request``; None when this worker has made none for this request."""
    ticket = (context.properties or {}).pop(KEY, None)
    if isinstance(ticket, Ticket) and ticket.nonce == NONCE and ticket.task_id == context.id:
        return ticket
    return None
