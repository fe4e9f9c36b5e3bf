"""The tasks that code defines: by a decorator, by a call, by a class; their names, options and bases."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import libcst as cst

from limitkit.adopt.literals import NotConstantError, definition, value_of
from limitkit.adopt.project import Chain, Class, Project, is_foreign
from limitkit.adopt.source import dotted

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from limitkit.adopt.source import Source

_FACTORIES: Final = frozenset({"task", "shared_task", "periodic_task"})


@dataclass(frozen=True, eq=False)
class Task:
    """One task of the code."""

    source: Source
    node: cst.CSTNode
    """The decorator, the call or the class."""
    name: str | None
    """None when only the program knows it."""
    function: cst.FunctionDef | None
    """The task's own code."""
    call: cst.Call | None
    """The call with its options; None for a class, and for a decorator without options."""
    chain: Chain
    options: Mapping[str, cst.Arg]
    own: Class | None = None
    """The class of a task that is written as one."""
    unnamed: str = ""
    """Why its name is not known."""
    stars: tuple[cst.Arg, ...] = ()
    """Options that come as ``**options``."""

    @property
    def base(self) -> cst.Arg | None:
        """The option ``base``."""
        return self.options.get("base")

    def attribute(self, name: str) -> tuple[Source, cst.CSTNode, cst.BaseExpression | None] | None:
        """Find an attribute: where it is set, what could be taken out, and its value."""
        if name in self.options:
            return self.source, self.options[name], self.options[name].value
        found = self.chain.attribute(name)
        return None if found is None else (found[0].source, found[1], found[2])

    @property
    def first_parameter(self) -> str | None:
        """What its code calls the task itself."""
        if self.function is None:
            return None
        params = [*self.function.params.posonly_params, *self.function.params.params]
        return params[0].name.value if params else None


def is_factory(source: Source, node: cst.BaseExpression, depth: int = 0) -> bool:
    """Whether an expression is what makes Celery's tasks: ``app.task``, ``shared_task``."""
    if isinstance(node, cst.Attribute):
        return node.attr.value in _FACTORIES and not is_foreign(source, node)
    if not isinstance(node, cst.Name):
        return False
    values = source.bindings.get(node.value, ())
    if node.value not in source.imports and len(values) == 1 and values[0] is not None and not depth:
        return is_factory(source, values[0], depth + 1)
    return source.resolve(node).rpartition(".")[2] in _FACTORIES and not is_foreign(source, node)


def find_tasks(project: Project) -> Iterator[Task]:
    """Go through all tasks, in the order of the code."""
    used = {found for task in _by_functions(project) for found in task.chain.classes}
    registered = {found for source in project.sources for found in _registered(project, source)}
    for source in project.sources:
        tasks = [*_of_functions(project, source), *_of_classes(project, source, used, registered)]
        yield from sorted(tasks, key=lambda task: source.place(task.node))


def _by_functions(project: Project) -> Iterator[Task]:
    for source in project.sources:
        yield from _of_functions(project, source)


def _of_functions(project: Project, source: Source) -> Iterator[Task]:
    for node in source.all(cst.Decorator):
        function = source.parents.get(node)
        if isinstance(function, cst.FunctionDef):
            call = node.decorator if isinstance(node.decorator, cst.Call) else None
            if is_factory(source, call.func if call is not None else node.decorator):
                yield _of_function(project, source, node, function, function.name.value, call)
    for made in source.all(cst.Call):
        yield from _of_call(project, source, made)


def _of_call(project: Project, source: Source, node: cst.Call) -> Iterator[Task]:
    """Find ``app.task(rate_limit=…)(function)`` and ``app.task(function, rate_limit=…)``."""
    inner = node.func if isinstance(node.func, cst.Call) else node
    given = node.args[0] if node.args and node.args[0].keyword is None and not node.args[0].star else None
    if given is None or not is_factory(source, inner.func) or isinstance(source.parents.get(node), cst.Decorator):
        return
    function = _function(source, given.value)
    name = (dotted(given.value) or "").rpartition(".")[2]
    yield _of_function(project, source, node, function, name, inner, imported=source.resolve(given.value))


def _function(source: Source, node: cst.BaseExpression) -> cst.FunctionDef | None:
    if not isinstance(node, cst.Name):
        return None
    found = [each for each in source.all(cst.FunctionDef) if each.name.value == node.value]
    return found[0] if len(found) == 1 else None


def _of_function(  # noqa: PLR0917 (all that is known of it)
    project: Project,
    source: Source,
    node: cst.CSTNode,
    function: cst.FunctionDef | None,
    local: str,
    call: cst.Call | None,
    imported: str = "",
) -> Task:
    options = _options(call)
    stars = tuple(arg for arg in call.args if arg.star == "**") if call is not None else ()
    module = imported.rpartition(".")[0] if imported and imported != local else source.name
    name, unnamed = _name(project, source, node, options, stars, module, local)
    bases = [options["base"].value] if "base" in options else []
    chain = project.chain(source, bases)
    return Task(source, node, name, function, call, chain, options, unnamed=unnamed, stars=stars)


def _name(  # noqa: PLR0917 (likewise)
    project: Project,
    source: Source,
    node: cst.CSTNode,
    options: Mapping[str, cst.Arg],
    stars: tuple[cst.Arg, ...],
    module: str,
    local: str,
) -> tuple[str | None, str]:
    if project.names is not None:
        name = project.names.of(project.real_path(source), local, source.place(node)[0])
        if name is not None:
            return name, ""
    if "name" in options:
        return _given(source, options["name"].value)
    if any(_dict_of(source, star.value) is None for star in stars):
        return None, "its options come from elsewhere (**), and may have its name"
    for star in stars:
        found = (_dict_of(source, star.value) or {}).get("name")
        if found is not None:
            return _given(source, found)
    return (f"{module}.{local}", "") if local and module else (None, "its function has no name here")


def _given(source: Source, node: cst.BaseExpression) -> tuple[str | None, str]:
    try:
        name = value_of(source, node)
    except NotConstantError as error:
        return None, f"the task's name: {error}"
    return (name, "") if isinstance(name, str) and name else (None, "the task's name is not a string")


def _options(call: cst.Call | None) -> dict[str, cst.Arg]:
    return {arg.keyword.value: arg for arg in call.args if arg.keyword is not None} if call is not None else {}


def _dict_of(source: Source, node: cst.BaseExpression) -> dict[str, cst.BaseExpression] | None:
    """Return the entries of a dict whose keys are all strings; None for anything else."""
    try:
        found = definition(source, node)
    except NotConstantError:
        return None
    if not isinstance(found, cst.Dict):
        return None
    entries: dict[str, cst.BaseExpression] = {}
    for element in found.elements:
        text = element.key if isinstance(element, cst.DictElement) else None
        key = text.evaluated_value if isinstance(text, (cst.SimpleString, cst.ConcatenatedString)) else None
        if not isinstance(key, str):
            return None
        entries[key] = element.value
    return entries


def may_set(task: Task, option: str) -> cst.Arg | None:
    """Return the ``**options`` of a task that may have, or have, an option."""
    for star in task.stars:
        entries = _dict_of(task.source, star.value)
        if entries is None or option in entries:
            return star
    return None


def _registered(project: Project, source: Source) -> Iterator[Class]:
    """Find the classes that are registered: ``app.register_task(Charge())``."""
    for node in source.all(cst.Call):
        if node.args and (dotted(node.func) or "").endswith(("register_task", ".register")):
            given = node.args[0].value
            found = project.find(source, given.func if isinstance(given, cst.Call) else given)
            if found is not None:
                yield found


def _of_classes(project: Project, source: Source, used: set[Class], registered: set[Class]) -> Iterator[Task]:
    """Find tasks that are written as classes."""
    for name, node in source.classes.items():
        found = project.classes[source.name, name]
        if found.node is not node:
            continue
        chain = project.chain(source, [cst.Name(name)])
        if not chain.classes or not chain.is_of_tasks:
            continue
        abstract = any(member == "abstract" for member, _, _ in found.members())
        runs = [
            (each, statement)
            for each in chain.classes
            for member, statement, _ in each.members()
            if member == "run" and isinstance(statement, cst.FunctionDef)
        ]
        named = chain.attribute("name")
        if abstract or (found not in registered and (found in used or not (runs or named))):
            continue
        yield _of_class(project, found, chain, runs[0][1] if runs and runs[0][0] is found else None)


def _of_class(project: Project, found: Class, chain: Chain, run: cst.FunctionDef | None) -> Task:
    source, named = found.source, chain.attribute("name")
    name: str | None
    unnamed = ""
    if named is not None:
        at, _, value = named
        name, unnamed = _given(at.source, value) if value is not None else (None, "the task's name is not plain")
    else:
        name = f"{source.name}.{found.name}"
    if project.names is not None:
        line = source.place(found.node)[0]
        name = project.names.of(project.real_path(source), found.name, line) or name
    return Task(source, found.node, name, run, None, chain, {}, own=found, unnamed=unnamed)
