"""What limits look at in a message, and how they find a value there: by an argument's name, a path, or a header.

It runs once per message in a worker's event loop, on values from outside: its work is bounded. What a value's own code
raises is raised here, too; ``canonical_value.interrupts`` tells whether it may be swallowed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Sized
from itertools import islice
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, NamedTuple

if TYPE_CHECKING:
    import inspect

    from limitkit.config.declared import Part

NOT_THERE: Final = object()
"""What is found where there is no value."""
LENGTH: Final = "length"
"""As the last step of a path to a number: the length of what is there, unless it has a ``length`` of its own."""
_MOST_HEADERS: Final = 1_000
"""More are not looked through for a name in other letter case."""
_NOTHING: Final[Mapping[str, Any]] = MappingProxyType({})


class Call(NamedTuple):
    """What a message has that limits look at."""

    args: Sequence[Any] = ()
    kwargs: Mapping[str, Any] = _NOTHING
    headers: Mapping[str, Any] = _NOTHING
    """Its sender's headers, and Celery's own."""


class PartReader:
    """Finds the value of one part of a key, or of a cost; made once per task and limit."""

    __slots__ = ("_default", "_index", "_is_header", "_measures", "_name", "_rest")

    def __init__(self, signature: inspect.Signature | None, part: Part, *, measures: bool = False) -> None:
        """With ``measures``, a last step ``length`` is the length of what is there."""
        self._name, *rest = part.path
        self._rest, self._is_header, self._measures = tuple(rest), part.header, measures
        self._index: int | None = None
        self._default: Any = NOT_THERE
        for index, parameter in enumerate(signature.parameters.values() if signature else ()):
            if parameter.name != self._name:
                continue
            if parameter.kind in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD):
                self._index = index
            if parameter.default is not parameter.empty:
                self._default = parameter.default

    def __call__(self, call: Call) -> Any:
        """Return the value in a message, or ``NOT_THERE``. Raises whatever the value's own code raises."""
        if self._is_header:
            return _header(call.headers, self._name)
        return follow(self._argument(call.args, call.kwargs), self._rest, measures=self._measures)

    def _argument(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
        if self._index is not None and args and self._index < len(args):
            return args[self._index]
        return kwargs.get(self._name, self._default) if kwargs else self._default


def follow(value: Any, path: tuple[str, ...], *, measures: bool = False) -> Any:
    """Go down a dotted path; ``NOT_THERE`` where it ends before."""
    last = len(path) - 1
    for at, part in enumerate(path):
        found = _step(value, part)
        if found is NOT_THERE and measures and at == last and part == LENGTH and isinstance(value, Sized):
            return len(value)
        value = found
    return value


def _step(value: Any, part: str) -> Any:
    """Go one step down a dotted path: into a mapping, a sequence, or an object's public attributes."""
    if isinstance(value, Mapping):
        found = value.get(part, NOT_THERE)
        return value.get(int(part), NOT_THERE) if found is NOT_THERE and _is_index(part) else found
    if isinstance(value, (list, tuple)) and _is_index(part):
        return value[int(part)] if int(part) < len(value) else NOT_THERE
    if value is NOT_THERE or part.startswith("_") or type(value).__module__ == "builtins":
        return NOT_THERE
    found = getattr(value, part, NOT_THERE)
    return NOT_THERE if callable(found) else found


def _is_index(part: str) -> bool:
    return part.isascii() and part.isdigit() and len(part) < 10  # noqa: PLR2004 - no message holds more


def _header(headers: Mapping[str, Any], name: str) -> Any:
    """Find a header by its name: exactly, else the first in other letter case, as brokers and proxies may change it."""
    found = headers.get(name, NOT_THERE) if headers else NOT_THERE
    if found is not NOT_THERE or not headers:
        return found
    folded = name.casefold()
    like = (each for each in islice(headers, _MOST_HEADERS) if isinstance(each, str) and each.casefold() == folded)
    return headers.get(next(like, name), NOT_THERE)
