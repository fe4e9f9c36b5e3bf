"""Base classes that limit: their shape, whatever their names.

Those of the patterns page: one takes a token from a bucket before each run and retries the task without one; the other
has a method that counts a user's runs, and the task calls it. What such a class does beyond that would be lost with it,
so then nothing is lifted.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

import libcst as cst

from limitkit.adopt.source import below, dotted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from limitkit.adopt.project import Chain, Class
    from limitkit.adopt.source import Source

BUCKET: Final = ("tokens_per_second", "bucket_size", "rate_limit_key")
USERS: Final = "user_rate_limit"
_ASKERS: Final = frozenset({"acquire_token", "check_user_limit"})
"""Methods that ask a limiter, by the names that the patterns page has for them, whatever they ask."""
_HARMLESS: Final = frozenset(
    {"__call__", "run", "super", "retry", "sleep", "min", "max", "int", "float", "uniform", "randint", "random"}
    | {"debug", "info", "warning", "error", "log", "getLogger", "get_task_logger"}
)
"""What a ``__call__`` that only limits may call."""


@dataclass(frozen=True, eq=False)
class Limiter:
    """What a chain of classes limits by."""

    kind: Literal["bucket", "users"]
    classes: tuple[Class, ...]
    methods: frozenset[str]
    """The methods that say whether a task may run now."""
    members: frozenset[str]
    """All that its classes define."""
    automatic: bool
    """Whether it stands in ``__call__``, so that the task's code need not ask."""
    more: str = ""
    """What it does beyond limiting."""
    ground: tuple[Source, cst.BaseExpression] | None = None
    """The class from outside on which it stands: Celery's Task."""


def limiter_of(chain: Chain, own: Class | None = None) -> Limiter | None:
    """See whether classes limit; ``own`` is a task's own class, which may have more than that."""
    classes = tuple(each for each in chain.classes if each is not own)
    attributes, methods = _members(classes)
    bucket = "tokens_per_second" in attributes
    if not classes or bucket == (USERS in attributes):
        return None
    reads = {USERS} if not bucket else {"tokens_per_second"}
    askers = _askers(methods, reads, bucket=bucket)
    call = methods.get("__call__")
    automatic = call is not None and bool(askers & _touched(call))
    more = ""
    outside = [name for name in chain.outside_names() if not name.endswith("Task")]
    if not askers:
        return None
    if outside:
        more = f"its base class {outside[0] or '(an expression)'} is not among what is searched"
    elif call is not None and not (automatic and _only_asks(call, askers)):
        more = "its __call__ does more than limit"
    else:
        kept = {name for name in (*askers, "__call__") if name in methods}
        extra = _extra(attributes, methods, kept, {*BUCKET} if bucket else {USERS})
        more = f"it has {extra}, too" if extra else ""
    members = frozenset({*attributes, *methods})
    ground = chain.outside[0] if len(chain.outside) == 1 else None
    return Limiter(
        "bucket" if bucket else "users",
        classes,
        frozenset(askers),
        members,
        automatic=automatic,
        more=more,
        ground=ground,
    )


def _members(classes: tuple[Class, ...]) -> tuple[set[str], dict[str, cst.FunctionDef]]:
    attributes: set[str] = set()
    methods: dict[str, cst.FunctionDef] = {}
    for each in classes:
        for name, statement, _ in each.members():
            if isinstance(statement, cst.FunctionDef):
                methods.setdefault(name, statement)
            else:
                attributes.add(name)
    return attributes, methods


def _askers(methods: dict[str, cst.FunctionDef], reads: set[str], *, bucket: bool) -> set[str]:
    """Find the methods that look at the rate, and what they are asked with."""
    found = set()
    for name, method in methods.items():
        wanted = 1 if bucket else 2
        params = [*method.params.posonly_params, *method.params.params]
        if name.startswith("__") or any(isinstance(each.decorator, cst.Name) for each in method.decorators):
            continue
        if len(params) == wanted and (name in _ASKERS or reads & _reached(method, methods)):
            found.add(name)
    return found


def _reached(method: cst.FunctionDef, methods: dict[str, cst.FunctionDef]) -> set[str]:
    """Name all of ``self`` that a method uses, and the methods that it calls."""
    found: set[str] = set()
    waiting = [method]
    while waiting:
        new = _touched(waiting.pop()) - found
        found |= new
        waiting += [methods[name] for name in new if name in methods]
    return found


def _extra(attributes: set[str], methods: dict[str, cst.FunctionDef], kept: set[str], known: set[str]) -> str:
    """Name something that the limiter does not need, so it is there for something else."""
    needed = {*kept, *known, "abstract", "name"}
    for name in kept:
        needed |= _reached(methods[name], methods)
    for name in sorted({*attributes, *methods} - needed):
        private = name.startswith("_") and not name.startswith("__")
        if not private and name != "__doc__":
            return name
    return ""


def _only_asks(call: cst.FunctionDef, askers: set[str]) -> bool:
    """Whether ``__call__`` does no more than to ask, to wait or retry, and to run the task."""
    called: set[str] = set()
    waiting: list[cst.CSTNode] = [call.body]
    while waiting:
        node = waiting.pop()
        if isinstance(node, cst.Call):
            called.add(node.func.attr.value if isinstance(node.func, cst.Attribute) else dotted(node.func) or "")
        if isinstance(node, (cst.With, cst.Try, cst.FunctionDef, cst.Del)) or _sets_attribute(node):
            return False
        waiting.extend(below(node))
    return bool(called & {"__call__", "run"}) and not called - askers - _HARMLESS


def _sets_attribute(node: cst.CSTNode) -> bool:
    target = node.target if isinstance(node, (cst.AssignTarget, cst.AugAssign)) else None
    return isinstance(target, (cst.Attribute, cst.Subscript))


def asked_in(statement: cst.CSTNode, itself: str, methods: frozenset[str] | set[str]) -> cst.Call | None:
    """Return the call in ``if not self.check(…):`` without an else."""
    if not isinstance(statement, cst.If) or statement.orelse is not None:
        return None
    test = statement.test
    if not isinstance(test, cst.UnaryOperation) or not isinstance(test.operator, cst.Not):
        return None
    call = test.expression
    if not isinstance(call, cst.Call) or not isinstance(call.func, cst.Attribute):
        return None
    return call if dotted(call.func.value) == itself and call.func.attr.value in methods else None


def is_retry(statement: cst.CSTNode | None, itself: str) -> bool:
    """Whether a statement is ``raise self.retry(…)``, or ``self.retry(…)``, which raises by itself."""
    value = None
    if isinstance(statement, cst.Raise):
        value = statement.exc
    elif isinstance(statement, (cst.Expr, cst.Return)):
        value = statement.value
    return isinstance(value, cst.Call) and dotted(value.func) == f"{itself}.retry"


def statements_of(function: cst.FunctionDef) -> list[cst.CSTNode]:
    """Return the statements of a function, without its docstring."""
    body: list[cst.CSTNode] = [*function.body.body]
    if body and isinstance(body[0], cst.SimpleStatementLine) and isinstance(function.body, cst.IndentedBlock):
        first = body[0].body[0]
        if isinstance(first, cst.Expr) and isinstance(first.value, (cst.SimpleString, cst.ConcatenatedString)):
            return body[1:]
    return body


def _touched(function: cst.FunctionDef) -> set[str]:
    """Name the attributes of ``self`` that a function uses."""
    params = [*function.params.posonly_params, *function.params.params]
    itself = params[0].name.value if params else "self"
    return {name for name, _ in uses_of(function.body, itself)}


def uses_of(node: cst.CSTNode, itself: str) -> Iterator[tuple[str, cst.CSTNode]]:
    """Go through the attributes of a name below a node; also those of ``cls``, and of its type."""
    waiting = [node]
    while waiting:
        each = waiting.pop()
        if isinstance(each, cst.Attribute) and dotted(each.value) in {itself, "cls", f"{itself}.__class__"}:
            yield each.attr.value, each
        waiting.extend(below(each))
