"""Parts of a worker that are played, and what all workers of one play have around them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from limitkit.waiting.redis_room import RedisRoom
from limitkit.waiting.room import Brought

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from limitkit.config.load import Config
    from limitkit.stores.store import Store
    from limitkit.trial.engine.broker import Broker
    from limitkit.trial.engine.messages import Request
    from limitkit.trial.engine.redis_server import RedisServer
    from limitkit.trial.engine.timeline import Actor, Clock, Event, Timeline
    from limitkit.waiting.room import Leaving, Steering

TRIP: Final = 0.0006
"""Seconds that a call of Redis takes, there and back.

Over loopback 0.22 to 0.52 ms were measured for a take (p10 and p90 of 2,000, two busy cores); a network adds to that.
"""
_POSTED: Final = 0.0005
"""Seconds until a call is made that another thread or process asks for."""
_NEVER: Final = 1e9


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the workers of one play share."""

    config: Config
    clock: Clock
    timeline: Timeline
    server: RedisServer
    broker: Broker
    store: Store
    app: Any
    new_name: Callable[[], str]
    jitter: Callable[[float], float]
    """Returns between half of some seconds and half as much again."""
    run: Callable[[Any, Request], float | None]
    """Runs a task's code in the pool of a worker; returns for how many seconds it runs, None if not at all."""
    ended: Callable[[Request], None]
    """Is told when a task has ended."""
    dropped: Callable[[Request], None]
    """Is told when a message was dropped."""
    parked: Callable[[bool], None]
    """Is told when some were parked, and whether the waiting room was empty before."""
    left: Callable[[], None]
    """Is told when a worker is gone."""


class PlayedLoop:
    """The loop of a worker's main process: ``worker.pool.loops.Loop``."""

    def __init__(self, timeline: Timeline, actor: Actor) -> None:
        self._timeline, self._actor = timeline, actor

    def call_at(self, at: float, call: Callable[[], Any]) -> Event:
        """See ``Loop``."""
        return self._timeline.at(at, call, actor=self._actor)

    def post(self, call: Callable[..., Any], *args: Any) -> None:
        """See ``Loop``."""
        self._timeline.at(self._timeline.clock.now + _POSTED, call, *args, actor=self._actor)

    def run(self, call: Callable[..., Any], *args: Any) -> Any:
        """See ``Loop``."""
        return call(*args)

    def connected(self, consumer: Any, is_busy: Callable[[], bool]) -> None:
        """See ``Loop``."""

    def disconnected(self) -> None:
        """See ``Loop``."""

    def close(self) -> None:
        """See ``Loop``."""


class PlayedTimer:
    """The consumer's timer."""

    def __init__(self, timeline: Timeline, actor: Actor) -> None:
        self._timeline, self._actor = timeline, actor

    def call_after(self, seconds: float, call: Callable[[], Any]) -> Event:
        """As kombu's."""
        return self._timeline.at(self._timeline.clock.now + seconds, call, actor=self._actor)

    def call_repeatedly(self, seconds: float, call: Callable[[], Any]) -> Event:  # noqa: ARG002 (as kombu's)
        """Do nothing: what is looked at again and again is looked at here when it has changed."""
        return self._timeline.at(float("inf"), call, actor=self._actor)


class PlayedRoom(RedisRoom):
    """The real waiting room, each call of which takes some time."""

    def __init__(self, around: Surroundings, prefix: str, channel: Callable[[], Any]) -> None:
        super().__init__(prefix, channel, lambda: around.broker.queues)
        self._around = around
        self._queues_key = f"{prefix}:waiting:queues"

    def park(self, leavers: Sequence[Leaving]) -> None:
        """See ``Room``."""
        was_empty = self._queues_key not in self._around.broker.commands.data
        for leaver in leavers:
            message = leaver.request.message
            message.channel.show_unacked((message.delivery_tag,))
        super().park(leavers)
        self._around.parked(was_empty)

    def bring(self, steering: Steering) -> Brought:
        """See ``Room``."""
        if self._queues_key not in self._around.broker.commands.data:  # nothing was parked since it was empty
            self._around.server.calls += 1
            return Brought(_NEVER, empty=True)
        brought = super().bring(steering)
        self._around.broker.serve()
        return brought

    def run(self, channel: Any, text: str, names: Sequence[str], args: Sequence[Any]) -> Any:  # noqa: ARG002
        """Have the played Redis call a script."""
        clock = self._around.clock
        clock.now += TRIP / 2
        reply = self._around.server.run(text, names, args)
        clock.now += TRIP / 2
        return reply
