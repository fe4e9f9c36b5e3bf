"""Tasks start as Celery let them start before: real apps, before and after."""

import sys
from types import ModuleType

import pytest
from celery.utils.time import rate
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from limitkit.adopt.lift import lift
from limitkit.config.load import judge
from limitkit.config.source.toml import parse

VALUES = st.sampled_from([None, "None", "0", '""', '"10/m"', "2", '"3/s"', "FAST", '"%d/s" % 7'])
"""Of rates, as code; None where there is none."""


def code(default, annotations, own):
    entries = "".join(f"    {name!r}: {{'rate_limit': {value}}},\n" for name, value in annotations.items() if value)
    tasks = "".join(
        f"@app.task(shared=False{f', rate_limit={value}' if value else ''})\ndef {name}(): ...\n\n\n"
        for name, value in own.items()
    )
    first = 'from celery import Celery\n\nFAST = "100/h"\napp = Celery("app", set_as_current=False)\n'
    first += f"app.conf.task_default_rate_limit = {default}\n" if default else ""
    return first + (f"app.conf.task_annotations = {{\n{entries}}}\n" if entries else "") + "\n\n" + tasks


def native(text):
    """Return the rates, a second, that Celery enforces for the tasks of a module."""
    module = ModuleType("shop")
    sys.modules["shop"] = module
    try:
        exec(compile(text, "shop.py", "exec"), vars(module))
        module.app.finalize(auto=False)
        tasks = {name: task for name, task in module.app.tasks.items() if name.startswith("shop.")}
        return {name: rate(task.rate_limit) for name, task in tasks.items()}
    finally:
        del sys.modules["shop"]


def in_force(text, config):
    """Return the rates that hold with a file: its limits, and Celery's own where it has none for a task."""
    found = {}
    for name, own in native(text).items():
        rule = config.rules.for_task(name) if config is not None else None
        limits = rule.limits if rule is not None else ()
        found[name] = float(limits[0].rate.per_second) if limits else own
    return found


@given(
    VALUES,
    st.fixed_dictionaries({"shop.a": VALUES, "shop.b": VALUES, "*": st.none() | VALUES}),
    st.fixed_dictionaries({"a": VALUES, "b": VALUES, "c": VALUES}),
)
@settings(
    max_examples=30, deadline=None, phases=[Phase.generate], suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_each_task_has_the_rate_that_it_had(tmp_path, default, annotations, own):
    file = tmp_path / "shop.py"
    file.write_text(code(default, annotations, own))
    before = native(file.read_text())
    found = lift([file], "ratelimits.toml", None)
    after = {str(change.path): change.after.decode() for change in found.changes}
    toml = after.get("ratelimits.toml")
    config = judge(parse(toml, "ratelimits.toml")) if toml else None
    assert in_force(after.get(str(file), file.read_text()), config) == pytest.approx(before)
