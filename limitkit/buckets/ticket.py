"""Tickets: proof, travelling with a request into the pool, that its tokens were taken for a given moment."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from limitkit.buckets.decision import Bucket, GiveBack

REASON: Final = "rate limit"
"""Why a task was sent back, or dropped, as its state says it."""
KEY: Final = "limitkit_ticket"
"""Where ``task.request.properties`` has it. What is in there is never sent on, as every unknown header would be."""

NONCE: Final = secrets.token_hex(8)
"""This worker's own: pool processes inherit it by fork, and a ticket that came with a message can't name it."""


@dataclass(frozen=True, slots=True)
class Ticket:
    """What the guard needs to know, so that pool processes read neither config nor overrides."""

    nonce: str
    task_id: str
    until: float
    """Fresh until then (``time.monotonic()``, which processes of one host share); infinite when nothing was taken."""
    buckets: tuple[Bucket, ...]
    """The shared buckets to ask when it is stale."""
    undo: tuple[GiveBack, ...]
    """Gives the tokens back that were taken, where nobody has taken since."""
    refused: float | None = None
    """The request is to fail, since its limits would admit it only in so many seconds."""
    at: float | None = None
    """The moment for which its tokens were taken; None when it needs none."""
    failed_open: bool = False
    """Whether a shared limit was not asked, since the store can't be."""
    throttled: bool = False
    """Whether it is counted already that a limit has held it up."""


def free(task_id: str) -> Ticket:
    """Return the ticket of a request that takes no tokens at all."""
    return Ticket(NONCE, task_id, float("inf"), (), ())


def refusal(task_id: str, retry_after: float) -> Ticket:
    """Return the ticket of a request that goes to the pool to fail there."""
    return Ticket(NONCE, task_id, 0.0, (), (), retry_after)


def attach(request: Any, ticket: Ticket) -> None:
    """Send a ticket along with a request that goes to the pool."""
    request.request_dict["properties"] = {**(request.request_dict.get("properties") or {}), KEY: ticket}


def collect(context: Any) -> Ticket | None:
    """Take the ticket off ``task.request``; None when there is none of this worker for this request."""
    ticket = (context.properties or {}).pop(KEY, None)
    if isinstance(ticket, Ticket) and ticket.nonce == NONCE and ticket.task_id == context.id:
        return ticket
    return None
