"""The app whose tasks are played: it has no broker, and its tasks only note that they have started."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, ClassVar

from celery import Celery

from limitkit.config.app_check import task_signature

if TYPE_CHECKING:
    from collections.abc import Callable


class _Queues(dict[str, Any]):
    """No queue needs to be known: each message says which one it came from."""

    consume_from: ClassVar[dict[str, Any]] = {}


class _App(Celery):  # type: ignore[misc] # Celery has no types
    """An app without a broker, whose queues are those that are consumed."""

    amqp = SimpleNamespace(queues=_Queues())

    def finalize(self, auto: bool = False) -> None:  # noqa: ARG002, FBT001, FBT002 (as Celery's)
        """Have no tasks but its own: Celery would give it those of all other apps, and their code must not run here."""
        self.finalized = True


class PlayedTasks:
    """Makes a task for each name that is sent, with the signature that the real app's task has, if that is given."""

    def __init__(self, real: Any, began: Callable[[str], None]) -> None:
        self.app = _App("limitkit-trial", set_as_current=False, broker="redis://", backend="disabled://")
        self._real, self._began = real, began
        self._guarded: dict[str, Any] = {}

    def get(self, name: str) -> Any:
        """Return the task of a name."""
        task = self._guarded.get(name)
        if task is None:
            task = self._guarded[name] = self._made(name)
        return task

    def _made(self, name: str) -> Any:
        def code(*_args: Any, **_kwargs: Any) -> None:
            self._began(task.request_stack.top.id)

        real = self._real.tasks.get(name) if self._real is not None else None
        signature = task_signature(real) if real is not None else None
        if signature is not None:
            code.__signature__ = signature  # type: ignore[attr-defined] # where inspect.signature looks first
        task = self.app.task(name=name, shared=False, lazy=False)(code)
        return task
