"""What has changed in the tables that are of no limit: the file's mode, the store, waiting, metrics."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from limitkit.config.model.units import duration_text
from limitkit.trial.plan.changes import Delta
from limitkit.trial.plan.limit_words import mode_words, on_error_words

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from limitkit.config.declared import MetricsSettings, StoreSettings, WaitingSettings
    from limitkit.config.model.fields import OnError
    from limitkit.config.rules import Rules
    from limitkit.trial.plan.changes import Effect

RESTART: Final = "workers use it only once they are restarted"
_ON_ERROR: Final = ("hold", "divide", "allow")
"""What lets more through comes later."""


class _Setting(NamedTuple):
    written: Callable[[Any], str | None]
    message: Callable[[Any, Any], str]
    """From the values before and after."""
    effect: Effect = "other"
    new_buckets: bool = False


def mode(old: Rules, new: Rules) -> Iterator[Delta]:
    """Compare the modes of two files."""
    if old.mode != new.mode:
        effect: Effect = "looser" if old.mode == "enforce" else "stricter" if new.mode == "enforce" else "other"
        said = f"all limits: {mode_words(old.mode, new.mode)}"
        yield Delta(field="mode", before=old.mode, after=new.mode, effect=effect, message=said)


def store(old: StoreSettings, new: StoreSettings) -> Iterator[Delta]:
    """Compare where and how buckets are kept."""
    for each in _deltas(STORE, old, new):
        more = _ON_ERROR.index(new.on_error) > _ON_ERROR.index(old.on_error)
        yield each if each.field != "on_error" or not more else _looser(each)


def waiting(old: WaitingSettings, new: WaitingSettings) -> Iterator[Delta]:
    """Compare how much one worker holds."""
    yield from _deltas(WAITING, old, new)


def metrics(old: MetricsSettings, new: MetricsSettings) -> Iterator[Delta]:
    """Compare what workers serve."""
    yield from _deltas(METRICS, old, new)


def _deltas(settings: dict[str, _Setting], old: object, new: object) -> Iterator[Delta]:
    for name, setting in settings.items():
        was, now = getattr(old, name), getattr(new, name)
        if was != now:
            yield Delta(
                field={"wanted": "", "ports": "port"}.get(name, name),
                before=setting.written(was),
                after=setting.written(now),
                effect=setting.effect,
                message=setting.message(was, now),
                new_buckets=setting.new_buckets,
            )


def _looser(delta: Delta) -> Delta:
    return Delta(field=delta.field, before=delta.before, after=delta.after, effect="looser", message=delta.message)


def _text(value: object) -> str | None:
    return None if value is None else str(value)


def _url(value: object) -> str:
    return "the app's own Redis" if value is None else str(value)


def _ports(ports: range) -> str | None:
    if not ports:
        return None
    return str(ports[0]) if len(ports) == 1 else f"{ports[0]}-{ports[-1]}"


def _bound(what: str) -> Callable[[Any, Any], str]:
    def said(_: int | None, now: int | None) -> str:
        return f"a worker holds {f'at most {now}' if now else 'as many as it needs'} of those that wait {what}"

    return said


def _prefix(was: str, _: str) -> str:
    parked = f"over a Redis broker, what is parked stays under {was}:waiting, where they do not look"
    return (
        f"other names in the store: {_APART}; {parked}, where workers with the new file don't look: let it drain first"
    )


def _on_error(_: OnError, now: OnError) -> str:
    return f"where a limit or a task says nothing else, {on_error_words(now)}"


def _hold(_: float, now: float) -> str:
    return f"for each bucket, a worker holds what starts within {duration_text(now)}; the rest is parked"


def _rescue(_: bool, now: bool) -> str:  # noqa: FBT001 (a value before and after, as all of these)
    if now:
        return "over a Redis broker, other workers return what a killed worker held within 20 s"
    return "what a killed worker held comes back only after the broker's visibility timeout"


def _served(_: range, now: range) -> str:
    where = f"metrics are served on port {_ports(now)}" if now else "workers do not serve metrics themselves"
    return f"{where}; {RESTART}"


_APART: Final = (
    "all shared limits begin with new buckets, which are full, and what was set at run time does not hold; "
    f"while workers with both files run, each lets its whole rate through; {RESTART}"
)
STORE: Final = {
    "url": _Setting(_url, lambda *_: f"another store: {_APART}", "looser", new_buckets=True),
    "prefix": _Setting(_text, _prefix, "looser", new_buckets=True),
    "timeout": _Setting(duration_text, lambda _, now: f"a call of the store may take {duration_text(now)}; {RESTART}"),
    "on_error": _Setting(_text, _on_error, "stricter"),
}
"""By the field of ``StoreSettings``."""
WAITING: Final = {
    "hold": _Setting(duration_text, _hold),
    "per_limit": _Setting(_text, _bound("for one bucket")),
    "per_worker": _Setting(_text, _bound("in all")),
    "rescue": _Setting(lambda value: str(value).lower(), _rescue),
}
"""By the field of ``WaitingSettings``."""
METRICS: Final = {
    "wanted": _Setting(
        lambda value: "metrics" if value else None,
        lambda _, now: f"workers {'have' if now else 'do not have'} metrics; {RESTART}",
    ),
    "host": _Setting(_text, lambda _, now: f"metrics are served at {now}; {RESTART}"),
    "ports": _Setting(_ports, _served),
}
"""By the field of ``MetricsSettings``."""
