"""Parents that wait for children under the same concurrency limit: found in the code of the app's tasks."""

import sys
from functools import partial
from types import ModuleType, SimpleNamespace

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
        "such parents running no child can start, so they would wait for nothing; use a chain, a chord or "
        "self.replace() in place of waiting, or give the child another limit"
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


def by_another_name():
    from celery.result import allow_join_result as lets

    with lets():
        return child.delay().get()


def by_its_module():
    import tests.unit.config.test_waiting_parents

    sent = tests.unit.config.test_waiting_parents.child.delay()
    return sent.get(disable_sync_subtasks=False)


def by_keyword():
    return list(group([app.signature(task=CHILD)]).apply_async().iterate(disable_sync_subtasks=False))


def bound(me):
    return me.apply_async().get(disable_sync_subtasks=False)


def leaves_it_alone():
    with allow_join_result():
        value = free.delay().get()
    child.delay(value)


def puts_it_in_its_place(self):
    with allow_join_result():
        value = free.delay().get()
    raise self.replace(child.s(value))


def runs_it_here():
    with allow_join_result():
        free.delay().get()
        child.s().apply()


def takes_it(child=None):
    return child.delay().get(disable_sync_subtasks=False)


def joins_texts(parts):
    with allow_join_result():
        child.delay()
        return ",".join(parts)


def with_an_empty_cell(*, filled=False):
    def not_yet():
        with allow_join_result():
            return child.delay().get(), later.delay()

    if filled:
        later = child
    return not_yet


def unreadable():
    with allow_join_result():
        from pool_of_lazy import Thing

        return child.delay(Thing).get()


CHILD = "child"


def lazy(name):
    raise ImportError(name)


@pytest.mark.parametrize(
    ("code", "options", "sends"),
    [
        (by_another_name, {}, True),
        (by_its_module, {}, True),
        (by_keyword, {}, True),
        (bound, {"bind": True}, True),
        (with_an_empty_cell(), {}, True),
        (unreadable, {}, True),
        (leaves_it_alone, {}, False),
        (puts_it_in_its_place, {"bind": True}, False),
        (runs_it_here, {}, False),
        (takes_it, {}, False),
        (joins_texts, {}, False),
        (len, {}, False),
    ],
    ids=lambda each: getattr(each, "__name__", None),
)
def test_code_as_apps_have_it(tmp_path, monkeypatch, code, options, sends):
    module = ModuleType("pool_of_lazy")
    module.__getattr__ = lazy
    monkeypatch.setitem(sys.modules, "pool_of_lazy", module)
    made = Celery("more", set_as_current=False)
    parent = made.task(name="parent", shared=False, **options)(code)
    file = tmp_path / "ratelimits.toml"
    tasks = '[tasks."*"]\nlimits = ["reports"]\n[tasks.free]\nlimits = []\n'
    file.write_text(f'version = 1\n[limits.reports]\nstrategy = "concurrency"\nmax_running = 3\n{tasks}')
    said = problems(load(file), {"parent": parent, "child": child, "free": free})
    assert ["LK087" in problem.code for problem in said] == [True] * sends
