"""The waiting room of other brokers: a message goes to the end of its own queue, with an ETA at its turn."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from limitkit.clock import SYSTEM
from limitkit.waiting import room_names
from limitkit.waiting.delivery import delivery_of
from limitkit.waiting.message_copy import Copy, copy_with_eta, routed, turn_of, waits
from limitkit.waiting.parked_counter import ParkedCounter
from limitkit.waiting.publish import keeps_routing, publish
from limitkit.waiting.redelivery import redelivery

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from limitkit.clock import Clock
    from limitkit.waiting.room import Brought, Leaving, Steering

_LONGEST: Final = 60.0
_SHORTEST: Final = 1.0
"""Seconds, both."""
_SHARE: Final = 4
"""A worker holds a message until its ETA: at most this part of the time after which it is delivered again."""


class EtaRoom:
    """Sends a message to its queue again, and acknowledges it when the broker has it."""

    kind = room_names.OTHER
    most = 25
    every = 0.1
    steered = False

    def __init__(self, app: Any, clock: Clock = SYSTEM) -> None:
        self._app, self._clock = app, clock
        self._counter = ParkedCounter(clock)

    def park(self, leavers: Sequence[Leaving]) -> None:
        """Park these, one by one."""
        for leaver in leavers:
            if not leaver.request.acknowledged:
                turn = turn_of(leaver, self._counter.ahead(leaver.bucket) if leaver.taker is None else leaver.turn)
                wait = min(max(turn, _SHORTEST), longest(leaver.request.message.channel))
                self._publish(leaver, turn, wait)
                leaver.request.acknowledge()
                self._counter.went(leaver.bucket.key, wait)

    def bring(self, steering: Steering) -> Brought:
        """Count those that have come back by themselves."""
        return self._counter.look(steering)

    def retime(
        self,
        intervals: Mapping[str, float],  # noqa: ARG002 (they come when they come)
        weights: Mapping[str, Mapping[str, float]] | None = None,  # noqa: ARG002 (likewise)
    ) -> Iterator[None]:
        """Do nothing."""
        return iter(())

    def close(self) -> None:
        """Do nothing: the connections are the app's."""

    def _publish(self, leaver: Leaving, turn: float, wait: float) -> None:
        delivery = delivery_of(leaver.request.message, leaver.queue)
        note = waits(delivery, turn, wait)

        def copy_for(channel: Any) -> Copy:
            noted = note if keeps_routing(channel) else routed(delivery, note) or note
            return copy_with_eta(delivery, noted, self._clock.time() + wait)

        publish(self._app, delivery, copy_for)


def longest(channel: Any) -> float:
    """Return for how many seconds a message may wait for an ETA, with the broker of this channel."""
    return min([_LONGEST, *(seconds / _SHARE for seconds in redelivery(channel))])
