"""What a task has while it runs: charges that can be settled, and slots that its own process has to give back."""

from __future__ import annotations

import inspect
import logging
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Final

from limitkit.buckets.cost import settled_cost
from limitkit.buckets.decision import Settlement
from limitkit.config.wording import one_line, quote
from limitkit.events.emitter import emit, wanted
from limitkit.events.event_types import CostSettled
from limitkit.worker.current_request import off_loop

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from limitkit.buckets.ticket import Charge

logger = logging.getLogger("limitkit")

_MOST: Final = 1_000_000_000
"""The most tokens that a settled cost may be."""
_running: Final[ContextVar[Running | None]] = ContextVar("limitkit_running", default=None)
_warned: Final[set[tuple[str, str]]] = set()


class Running:
    """A task that runs now, and what its limits have charged it with."""

    def __init__(
        self,
        task: str,
        charges: Sequence[Charge],
        settle: Callable[[Sequence[Settlement]], None],
        free: Callable[[], None] | None = None,
    ) -> None:
        """``settle`` corrects charges in the store; ``free`` gives back slots that this process has taken itself."""
        self.task = task
        self._charges = charges
        self._settle, self._free = settle, free
        self._costs: dict[str, int] = {}
        self._is_over = False

    def run(self, code: Callable[[], Any]) -> Any:
        """Run the task's code, and settle what it has said, or returned."""
        before = _running.set(self)
        result = None
        try:
            result = code()
        except BaseException:
            self._end()
            raise
        finally:
            _running.reset(before)
        if inspect.iscoroutine(result):
            return self.run_awaited(result)
        self._returned(result)
        self._end()
        return result

    async def run_awaited(self, code: Awaitable[Any]) -> Any:
        """Do the same for a coroutine, whose event loop must not wait for a store."""
        before = _running.set(self)
        try:
            result = await code
        except BaseException:
            await off_loop(self._end)
            raise
        finally:
            _running.reset(before)
        self._returned(result)
        await off_loop(self._end)
        return result

    def said(self, limit: str, cost: float) -> None:
        """Note the true cost of this run by one of its limits."""
        if self._is_over:
            _warn(self.task, "over", "limitkit.settle() was called after the end of %s; its estimate stays.", self.task)
        elif all(charge.limit != limit for charge in self._charges):  # whatever was given instead may be a secret
            known = sorted({charge.limit for charge in self._charges})
            _warn(
                self.task,
                "limit",
                "limitkit.settle() in %s names no limit that charges it something to be settled%s; "
                "write the limit's name, and give it a cost in the file.",
                self.task,
                f" ({', '.join(map(one_line, known))} can)" if known else "",
            )
        elif (whole := settled_cost(cost, ())) is None:
            _warn(
                self.task,
                "cost",
                "limitkit.settle() in %s was given no number of tokens; its estimate stays.",
                self.task,
            )
        else:
            self._costs[limit] = min(whole, _MOST)

    def _returned(self, result: Any) -> None:
        """Read true costs from what the task returns, unless it has said them itself."""
        for charge in self._charges:
            if charge.settle is None or charge.limit in self._costs:
                continue
            cost = settled_cost(result, charge.settle)
            if cost is not None:
                self._costs[charge.limit] = min(cost, _MOST)
            else:
                path = ".".join(charge.settle)
                _warn(
                    self.task, path, "%s has returned no true cost at %s; its estimate stays.", self.task, quote(path)
                )

    def _end(self) -> None:
        self._is_over = True
        if self._costs and wanted(CostSettled):
            for charge in self._charges:
                if charge.limit in self._costs:
                    emit(CostSettled(limit=charge.limit, estimate=charge.cost, cost=self._costs[charge.limit]))
        settlements = [
            Settlement(charge.bucket, charge.cost, self._costs[charge.limit], charge.mark)
            for charge in self._charges
            if self._costs.get(charge.limit, charge.cost) != charge.cost
        ]
        try:
            if settlements:
                self._settle(settlements)
        finally:
            if self._free is not None:
                self._free()


def settle(limit: str, cost: float) -> None:
    """Say what the task that runs now has really cost, by one of its limits, by name.

    ``cost`` is the whole cost in tokens, of which the estimate is taken off: 0 or more, fractions are rounded up. Said
    twice, the last counts. It never raises: where it can't count, one line of the log says why. In a task that is
    called directly, or by ``apply()``, it does nothing, as limits do not count such calls either.
    """
    from celery import current_task  # noqa: PLC0415 (who settles nothing needs no Celery here)

    running, context = _running.get(), getattr(current_task, "request", None)
    is_call = context is not None and bool(context.called_directly or context.is_eager)
    if running is not None and is_call:  # the task that runs has called another one
        _warn(running.task, "call", "limitkit.settle() in a task that %s calls itself does nothing.", running.task)
    elif running is not None:
        running.said(limit, cost)
    elif context is not None and not is_call:
        _warn("", "outside", "limitkit.settle() was called where no task under limits runs; it does nothing there.")


def _warn(task: str, what: str, text: str, *args: Any) -> None:
    """Log this once a task."""
    if (task, what) not in _warned and len(_warned) < 1000:  # noqa: PLR2004 (names come from code)
        _warned.add((task, what))
        logger.warning(text, *args, extra={"action": "not_settled", "task": task})
