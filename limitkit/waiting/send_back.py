"""Sends a message back to the queue that it came from, as it came: no retry is spent, and no other queue gets it."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Final

from limitkit.clock import SYSTEM
from limitkit.waiting.eta_room import longest
from limitkit.waiting.message_copy import Copy, Note, copy_of, copy_with_eta, note_of, routed
from limitkit.waiting.publish import keeps_routing, publish

if TYPE_CHECKING:
    from limitkit.clock import Clock
    from limitkit.waiting.delivery import Delivery

logger = logging.getLogger("limitkit")

_SHORTEST: Final = 0.05
"""Seconds. What has to wait for less goes without an ETA: its way back takes about as long."""


class SendBack:
    """Publishes messages of an app again, each to its own queue."""

    def __init__(self, app: Any, clock: Clock = SYSTEM) -> None:
        self._app, self._clock = app, clock
        self._warned: set[str] = set()

    def __call__(
        self, task: Any, task_id: str, delivery: Delivery | None, wait: float = 0.0, *, refusals: int | None = None
    ) -> bool:
        """Send a message back; returns whether that worked.

        ``wait`` is for how many seconds no worker should start it, where no pacer ensures that; ``refusals`` how often
        in a row the other side has refused it, which is noted on the message.
        """
        if delivery is None:
            if task.name not in self._warned:
                self._warned.add(task.name)
                logger.warning(
                    "%s came from a queue to which its messages can't go back (a broadcast, one without "
                    "acknowledgements, or one that is not known); what has to wait for its limits waits in the pool.",
                    task.name,
                )
            return False

        def copy_for(channel: Any) -> Copy:
            note = note_of(delivery)
            if refusals is not None:
                note = (note or Note())._replace(refusals=refusals)
            if not keeps_routing(channel):
                note = routed(delivery, note)
            if wait > _SHORTEST:
                return copy_with_eta(delivery, note or Note(), self._clock.time() + min(wait, longest(channel)))
            return copy_of(delivery, note and note._replace(rest=0.0))

        try:
            publish(self._app, delivery, copy_for)
        except Exception as error:  # noqa: BLE001 (whatever a broker's client raises: the task must not fail for it)
            logger.warning("Can't send %s[%s] back (%r); it waits in its process.", task.name, task_id, error)
            return False
        return True
