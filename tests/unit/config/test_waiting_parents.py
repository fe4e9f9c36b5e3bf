"""Parents that wait for children under the same concurrency limit: found in the code of the app's tasks."""

import sys
from functools import partial
from types import SimpleNamespace

import pytest
from celery import Celery, group
from celery.result import allow_join_result

from limitkit import load
from limitkit.config.app_check import problems

app = Celery("parents", set_as_current=False)
task = partial(app.task, shared=False)  # else every app of this process has them


@task(name="child")
def child(): ...


@task(name="free")
def free(): ...


@task(name="waits")
def waits():
    return child.delay().get(disable_sync_subtasks=False)


@task(name="allowed")
def allowed():
    with allow_join_result():
        return group(child.s(), free.s())().join()


@task(name="itself", bind=True)
def itself(self, depth):
    return depth and self.apply_async((depth - 1,)).get(disable_sync_subtasks=False)


@task(name="by_name", bind=True)
def by_name(self):
    result = self.app.send_task("child")
    return result.get(timeout=5, disable_sync_subtasks=False)


@task(name="inside")
def inside():
    from sample_children import late

    return late.si().delay().wait(disable_sync_subtasks=False)


@task(name="beside")
def beside():
    from .sample_children import late as other  # noqa: TID252 (as in many apps)

    return other.delay().get(disable_sync_subtasks=False)


@task(name="sends")
def sends(options):
    child.delay()
    return options.get("more")


@task(name="refused")
def refused():
    return child.delay().get()  # Celery raises an error


@task(name="other")
def other():
    return free.delay().get(disable_sync_subtasks=False)


@task(name="hostile")
def hostile():
    return trap.apply_async().get(disable_sync_subtasks=False)


class Trap:
    def __getattribute__(self, name):
        raise SystemError(name)


trap = Trap()
LIMITED = ["child", "waits", "allowed", "itself", "by_name", "inside", "sends", "refused", "other", "hostile"]


def found(tmp_path, *, limited=LIMITED, more=""):
    file = tmp_path / "ratelimits.toml"
    tasks = "".join(f'[tasks.{name}]\nlimits = ["reports"]\n' for name in limited)
    file.write_text(f'version = 1\n[limits.reports]\nstrategy = "concurrency"\nmax_running = 3\n{more}\n{tasks}')
    said = problems(load(file), {name: task for name, task in app.tasks.items() if not name.startswith("celery.")})
    return [problem for problem in said if problem.code == "LK087"]


@pytest.mark.parametrize(
    ("parent", "whom"),
    [("waits", "child"), ("allowed", "child"), ("itself", "another run of itself"), ("by_name", "child")],
)
def test_whoever_waits_for_one_under_the_same_slots_is_warned_of(tmp_path, parent, whom):
    (problem,) = found(tmp_path, limited=["child", parent])
    assert problem.severity == "warning"
    assert problem.line == 8
    assert str(problem).endswith(
        f"LK087 tasks.{parent}: {parent} waits for a result, sends {whom}, and each needs a slot of reports: with 3 "
        "such parents running no other can start, and none of them ends; use a chain, a chord or self.replace() in "
        "place of waiting, or give the child another limit"
    )


@pytest.mark.parametrize(
    ("parent", "module"), [("inside", "sample_children"), ("beside", f"{__package__}.sample_children")]
)
def test_what_the_code_imports_itself_is_found_where_it_is_loaded(tmp_path, monkeypatch, parent, module):
    monkeypatch.setitem(sys.modules, module, SimpleNamespace(late=child))
    assert found(tmp_path, limited=["child", parent])[0].message.startswith(f"tasks.{parent}: ")


def test_nobody_else_is_warned_of(tmp_path):
    parents = {problem.message.partition(":")[0] for problem in found(tmp_path)}
    assert parents == {"tasks.waits", "tasks.allowed", "tasks.itself", "tasks.by_name"}
    assert not found(tmp_path, limited=["waits"]), "the child has no such limit"
    assert not found(tmp_path, more='mode = "shadow"'), "nobody waits for a slot"
