"""Plays a scenario, and says what has come of it."""

from __future__ import annotations

import gc
import logging
from typing import TYPE_CHECKING, Any

from celery.worker import state

from limitkit.errors import LimitkitError
from limitkit.trial.engine.timeline import SpinError
from limitkit.trial.scenario import Revoke

if TYPE_CHECKING:
    from collections.abc import Callable

    from limitkit.config.rules import Rules
    from limitkit.trial.engine.world import World
    from limitkit.trial.outcome import Outcome, Progress
    from limitkit.trial.scenario import Scenario

logger = logging.getLogger("limitkit")


class _Warnings(logging.Handler):
    """Keeps what workers log, each text once."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.texts: dict[str, None] = {}

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a record."""
        self.texts[record.getMessage()] = None


def play(
    rules: Rules,
    scenario: Scenario,
    *,
    seed: int = 0,
    app: Any = None,
    look: Callable[[World], None] | None = None,
    progress: Progress | None = None,
) -> Outcome:
    """Play a scenario with these limits; the same seed gives the same outcome.

    ``app`` is the Celery app whose tasks are meant: their signatures tell which argument is which. Without it, keys and
    costs are read from arguments that are sent by name. ``look`` is called with all that was played, at the end;
    ``progress`` after each thousand events. Raises LimitkitError when what is played goes round and round.
    """
    from limitkit.trial.engine.world import World  # noqa: PLC0415 (imports all that a worker needs, which takes time)

    warnings, before = _Warnings(), (logger.propagate, logger.level, logger.manager.disable)
    logger.addHandler(warnings)
    logger.propagate = False
    logger.setLevel(logging.WARNING)
    logging.disable(logging.NOTSET)
    collects = gc.isenabled()
    gc.disable()  # nearly all that is made stays until the end
    world = None
    try:
        world = World(rules, scenario, seed, app)
        outcome = world.play(progress)
        if look is not None:
            look(world)
    except SpinError as error:
        raise LimitkitError(
            f"The play can't go on: {error}. This is a fault of limitkit's; please report it."
        ) from error
    finally:
        logger.removeHandler(warnings)
        logger.propagate = before[0]
        logger.setLevel(before[1])
        logging.disable(before[2])
        if world is not None:
            world.close()
        state.requests.clear()
        for fault in scenario.faults:
            if isinstance(fault, Revoke):
                state.revoked.discard(str(fault.number))
        if collects:
            gc.enable()
    outcome.warnings += warnings.texts
    return outcome
