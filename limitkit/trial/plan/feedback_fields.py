"""What has changed in a limit's feedback: when and how it backs off."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from limitkit.config.model.units import duration_text
from limitkit.config.wording import listed
from limitkit.trial.plan.changes import Delta

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from limitkit.config.declared import Feedback, Limit
    from limitkit.trial.plan.changes import Effect

NOT_COMPARED: Final = frozenset({"limit"})
"""Whose feedback it is."""


def feedback(before: Limit, after: Limit) -> Iterator[Delta]:
    """Compare when and how two limits back off."""
    old, new = before.feedback, after.feedback
    if old is None and new is not None:
        said = f"it backs off when a task raises {listed(new.on)}"
        yield Delta(
            field="feedback", before=None, after=", ".join(new.on), effect="stricter", message=said, action="add"
        )
    elif new is None and old is not None:
        said = f"it does not back off any more when a task raises {listed(old.on)}"
        yield Delta(
            field="feedback", before=", ".join(old.on), after=None, effect="looser", message=said, action="remove"
        )
    elif old is not None and new is not None:
        for name, written in COMPARED.items():
            was, now = getattr(old, name), getattr(new, name)
            if was != now:
                yield Delta(
                    field=f"feedback.{_IN_TOML.get(name, name)}",
                    before=written(was),
                    after=written(now),
                    effect=_effect(name, old, new),
                    message=_message(name, new),
                    at=("feedback", *_IN_TOML.get(name, name).split(".")),
                )


def _effect(name: str, old: Feedback, new: Feedback) -> Effect:
    """Say whether it backs off more or less often; how far it does depends on what the other side says."""
    if name not in {"on", "unless"}:
        return "other"
    was, now = (old.on, new.on) if name == "on" else (new.unless, old.unless)
    if any(each not in now for each in was):
        return "looser"
    return "stricter" if any(each not in was for each in now) else "other"


def _message(name: str, new: Feedback) -> str:
    how = "slowed down" if new.action == "slow" else "paused"
    goes_on = "the exception of a task that was refused goes on, and the task does not wait again"
    again = f"a task that was refused waits again, up to {new.resend} times in a row"
    backs_off = f"it backs off when a task raises {listed(new.on)}"
    said = {
        "on": backs_off,
        "unless": f"it does not back off for {listed(new.unless)}" if new.unless else backs_off,
        "action": f"it is {how} when the other side refuses",
        "resend": again if new.resend else goes_on,
        "max_pause": f"a pause is never longer than {duration_text(new.max_pause)}",
    }
    return (said | _RECOVERS)[name]


def _a_rate(value: float | None) -> str | None:
    return None if value is None else f"{value:.6g}/s"


def _a_list(value: tuple[str, ...]) -> str | None:
    return ", ".join(value) or None


COMPARED: Final[dict[str, Callable[[Any], str | None]]] = {
    "on": _a_list,
    "unless": _a_list,
    "action": str,
    "factor": lambda value: f"{value:g}",
    "step": _a_rate,
    "floor": _a_rate,
    "ceiling": _a_rate,
    "resend": str,
    "max_pause": duration_text,
}
"""By the field of ``Feedback``: how its value is written."""
_IN_TOML: Final = {each: f"recover.{each}" for each in ("factor", "step", "floor", "ceiling")}
_RECOVERS: Final = {
    "factor": "what a refusal leaves of the rate is another part",
    "step": "the rate grows back at another pace",
    "floor": "the rate never backs off below this",
    "ceiling": "the rate never grows above this",
}
