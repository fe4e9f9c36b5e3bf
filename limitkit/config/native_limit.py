"""Celery's own rate limits: which one a task has, and which setting it comes from. It imports no Celery.

Celery writes its settings and annotations into ``task.rate_limit`` when the task is bound, so that is the value in
force. Where it came from is found here again, in Celery's order.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(frozen=True, slots=True)
class NativeLimit:
    """A rate that Celery itself enforces, in each worker separately."""

    rate: str
    """As it was written: ``10/m``; a bare number is for each second."""
    by: str
    """The name of the setting, or ``rate_limit``, which is the task's own."""

    def __str__(self) -> str:
        whose = "the task's own rate_limit" if self.by == "rate_limit" else self.by
        return f"{self.rate} in each worker, by {whose}"


def native_limit(task: Any) -> NativeLimit | None:
    """Return the limit that Celery enforces for a task without limits in the file; None when there is none."""
    rate = getattr(task, "rate_limit", None)
    if not rate or _is_zero(rate):
        return None
    text = str(rate)
    return NativeLimit(text if "/" in text else f"{text}/s", setting_of(task))


def setting_of(task: Any) -> str:
    """Name the setting that a task's rate limit comes from."""
    conf = getattr(getattr(task, "app", None), "conf", None)
    if any("rate_limit" in found for found in _annotations(task)):
        return "task_annotations"
    default = getattr(conf, "task_default_rate_limit", None)
    return "task_default_rate_limit" if default is not None and default == task.rate_limit else "rate_limit"


def _is_zero(rate: object) -> bool:
    """Whether Celery reads a rate as no limit; Celery itself reports one that it can't read."""
    try:
        return float(str(rate).partition("/")[0]) == 0
    except ValueError:
        return False


def _annotations(task: Any) -> Iterator[Any]:
    """Go through the annotations of a task: the first that is for it, and the first that is for any task."""
    given = [_made(each) for each in getattr(getattr(task, "app", None), "annotations", ())]
    for method, arguments in (("annotate", (type(task),)), ("annotate_any", ())):
        for annotation in given:
            try:
                found = getattr(annotation, method)(*arguments)
            except Exception:  # noqa: BLE001, S112 (foreign code, which Celery has called when it bound the task)
                continue
            if found is not None:
                yield found
                break


def _made(annotation: Any) -> Any:
    """Return the annotation itself, if a setting names its class."""
    named = hasattr(annotation, "evaluate") and not hasattr(annotation, "annotate")
    return annotation.evaluate() if named else annotation
