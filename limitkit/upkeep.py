"""Keeps a running worker up to date: it looks for overrides and for changes of the file, and has the pacer follow."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Final

from limitkit.inforce import Terms
from limitkit.lookout import EVERY, Lookout
from limitkit.reload import Reload
from limitkit.stores.board import Board

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from limitkit.config import Config
    from limitkit.errors import Problem
    from limitkit.live import Live
    from limitkit.pacer import Pacer

logger = logging.getLogger("limitkit")

_TICK: Final = 0.5
"""Seconds between two looks at the file: a change is taken up at the second look that sees it."""
_AT_ONCE: Final = 0.001
"""Seconds between two requests that were parked for a limit that there is no more: they come back at once."""


class Upkeep:
    """What a worker does now and then, on its event loop; none of it ever raises.

    ``judge`` says what is against a config in this worker; ``use`` makes it the one in force.
    """

    def __init__(
        self,
        config: Config,
        live: Live,
        tasks: Callable[[], Iterable[Any]],
        judge: Callable[[Config], Iterable[Problem]],
        use: Callable[[Config], None],
    ) -> None:
        self.reload = Reload(config, judge, self._go_by)
        self.lookout: Lookout | None = None
        """None in a worker without a store, which needs none."""
        self._live = live
        self._tasks = tasks
        self._use = use
        self._pacer: Pacer | None = None
        self._timer: Any = None
        self._ticks = 0
        self._terms: Mapping[str, Terms] = {}
        if live.store is not None:
            self.lookout = Lookout(live, Board(live.store, live.rules.store.prefix), config.digest)
            live.freshen = self.lookout.freshen
            self.lookout.look()

    def start(self, timer: Any, pacer: Pacer | None) -> None:
        """Look now and then from now on; the timer goes with the connection."""
        self.stop()
        self._pacer = pacer
        self._follow()
        self._timer = timer.call_repeatedly(_TICK, self.tick)

    def stop(self) -> None:
        """Look no more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def tick(self) -> None:
        """Look at the file, and each second time at the board."""
        self._ticks += 1
        try:
            changed = self.reload.look()
            if self.lookout is not None and self._ticks % round(EVERY / _TICK) == 0:
                changed |= self.lookout.look()
            if changed:
                self._follow()
        except Exception:
            logger.exception("What is set at run time can't be taken up; it is tried again in a second.")

    def reload_now(self) -> str:
        """Take up the file as it is; returns what is wrong with it, or nothing."""
        if self.reload.now():
            self._follow()
        return self.reload.refused

    def look_now(self) -> None:
        """Look at the board without waiting for the next time."""
        if self.lookout is not None and self.lookout.look():
            self._follow()

    def _go_by(self, config: Config) -> None:
        self._use(config)
        if self.lookout is not None:
            self.lookout.go_by(config.digest)

    def _follow(self) -> None:
        """Have what waits follow what is in force now."""
        terms = self._live.terms(self._tasks())
        if self._pacer is not None:
            changed = {tag: of for tag, of in terms.items() if self._terms.get(tag) != of}
            gone = dict.fromkeys(self._terms.keys() - terms.keys(), Terms(round(_AT_ONCE * 1_000_000), 1))
            if changed or gone:
                self._pacer.retime({**gone, **changed})
            self._pacer.reconsider()
        self._terms = terms
