"""The rules against real Celery tasks."""

from __future__ import annotations

import functools

import celery
import pytest

from limitkit.config import app_check
from limitkit.config.load import judge
from limitkit.config.source.toml import parse

app = celery.Celery("appcheck", broker="memory://", set_as_current=False)
task = functools.partial(app.task, shared=False)  # else every app of this process has them


def wrapped(function):
    @functools.wraps(function)
    def inner(*args, **kwargs):
        return function(*args, **kwargs)

    return inner


@task(name="plain")
def plain(order, user_id=None): ...


@task(name="bound", bind=True)
def bound(self, user_id): ...


@task(name="rest")
def rest(*user_id): ...


@task(name="named")
def named(order, **more): ...


@task(name="only")
def only(*, user_id): ...


@task(name="decorated")
@wrapped
def decorated(user_id): ...


@task(name="retried", bind=True, autoretry_for=(OSError,))
def retried(self, user_id): ...


@task(name="nothing")
def nothing(): ...


class Based(celery.Task):
    name = "based"

    def run(self, user_id): ...


app.register_task(Based())
app.finalize()


def found(text, tasks=None):
    config = judge(parse(f"version = 1\n{text}", "f.toml"))
    return [str(problem) for problem in app_check.problems(config, app.tasks if tasks is None else tasks)]


def per_user(task, key, more=""):
    return f'[tasks."{task}"]\nstrategy = "per_user"\nrate = "1/s"\nkey = "{key}"\n{more}'


def simple(task):
    return f'[tasks."{task}"]\nstrategy = "static"\nrate = "1/s"\n'


@pytest.mark.parametrize("task", ["plain", "bound", "named", "only", "decorated", "retried", "based"])
def test_an_argument_that_is_there(task):
    assert found(per_user(task, "user_id")) == []
    assert found(per_user(task, "user_id.name.0")) == []


@pytest.mark.parametrize(
    ("task", "key", "said"),
    [
        ("plain", "userid", 'plain, which takes "order" and "user_id"; did you mean "user_id"?'),
        ("plain", "tenant.id", 'plain, which takes "order" and "user_id"; name an argument of the task'),
        ("bound", "self", 'bound, which takes "user_id"; name an argument of the task'),
        ("based", "self", 'based, which takes "user_id"; name an argument of the task'),
        ("retried", "self", 'retried, which takes "user_id"; name an argument of the task'),
        ("decorated", "args", 'decorated, which takes "user_id"; name an argument of the task'),
        ("rest", "user_id", "rest, which takes none by name; name an argument of the task"),
        ("nothing", "user_id", "nothing, which takes none by name; name an argument of the task"),
    ],
)
def test_an_argument_that_is_not_there(task, key, said):
    name = key.partition(".")[0]
    assert found(per_user(task, key)) == [f'f.toml:5:7: LK043 tasks.{task}.key: "{name}" is not an argument of {said}']


def test_a_named_limit_s_key_is_judged_for_each_task_that_names_it():
    text = '[limits.u]\nstrategy = "per_user"\nrate = "1/s"\nkey = "order"\n'
    text += '[tasks.plain]\nlimits = ["u"]\n[tasks.bound]\nlimits = ["u"]\n'
    assert found(text) == [
        (
            'f.toml:5:7: LK043 limits.u.key: "order" is not an argument of bound, which takes "user_id"; '
            "name an argument of the task"
        )
    ]


def test_a_key_of_a_limit_that_is_off_is_only_a_warning():
    config = judge(parse("version = 1\n" + per_user("plain", "x", 'mode = "off"'), "f.toml"))
    assert [problem.severity for problem in app_check.problems(config, app.tasks)] == ["warning"]


def test_a_task_whose_signature_python_cannot_say_is_not_judged():
    class Odd:
        run = print
        rate_limit = None

    Odd.run = type("C", (), {"__call__": None, "__signature__": 1})()
    assert found(per_user("odd", "x"), {"odd": Odd()}) == []


def test_a_task_that_the_app_does_not_have():
    assert found(simple("plian") + simple("elsewhere.task") + simple("celery.chord")) == [
        'f.toml:2:1: LK040 tasks.plian: the app has no task "plian"; did you mean "plain"?',
        (
            'f.toml:5:1: LK040 tasks."elsewhere.task": the app has no task "elsewhere.task"; '
            "fix the name, or import the task's module in the app"
        ),
    ]


def test_a_pattern_that_matches_nothing():
    celery_s = "a pattern matches none of Celery's own tasks; write the task's whole name"
    assert found(simple("pl*") + simple("pla*x") + simple("zzz*") + simple("celery.*")) == [
        'f.toml:5:1: LK041 tasks."pla*x": no task of the app matches this pattern; did you mean "plain"?',
        'f.toml:8:1: LK041 tasks."zzz*": no task of the app matches this pattern; fix the pattern, or take it out',
        f'f.toml:11:1: LK041 tasks."celery.*": {celery_s}',
    ]


def test_two_patterns_of_equal_weight():
    assert found(simple("p*n") + simple("*in") + simple("bo*") + simple("boun*")) == [
        (
            'f.toml:5:1: LK042 tasks."*in": this pattern and "p*n" have equally many literal characters and both match '
            '"plain", so the first in the file holds; make one of them longer, or name the task exactly'
        ),
    ]


class Limited:
    rate_limit = "3/m"

    def run(self): ...


def test_a_task_with_a_rate_limit_of_its_own():
    head = '[limits.api]\nstrategy = "static"\nrate = "1/s"\n'
    said = 't has a rate_limit of its own, "3/m", which gives way to {} here; take one of them out'
    tasks = {"t": Limited()}
    assert found(simple("t"), tasks) == ["f.toml:2:1: LK044 tasks.t: " + said.format("1/s")]
    named = '[tasks.t]\nlimits = ["api"]\n'
    assert found(head + named, tasks) == ["f.toml:5:1: LK044 tasks.t: " + said.format("limits.api")]
    assert found("[tasks.t]\nlimits = []\n", tasks) == []
    assert found(simple("t") + 'mode = "off"\n', tasks) == []
    config = judge(parse("version = 1\n" + simple("t"), "f.toml"))
    assert [problem.severity for problem in app_check.own_rate_limits(config, tasks)] == ["warning"]


KINDS = """\
[limits.tokens]
strategy = "per_user"
rate = "1/s"
key = "user_id"
fair_by = ["order", "headers:x"]

[tasks.plain]
limits = [{ limit = "tokens", key = ["user_id", "tenant"], cost = "order.length" }]

[tasks.bound]
limits = ["tokens"]
cost = "size"
"""


def test_each_argument_that_a_limit_looks_at_is_judged_where_it_is_written():
    assert found(KINDS) == [
        (
            'f.toml:6:11: LK084 limits.tokens.fair_by: "order" is not an argument of bound, which takes "user_id"; '
            "name an argument of the task"
        ),
        (
            'f.toml:9:37: LK043 tasks.plain.limits[0].key: "tenant" is not an argument of plain, which takes "order" '
            'and "user_id"; name an argument of the task'
        ),
        (
            'f.toml:13:8: LK084 tasks.bound.cost: "size" is not an argument of bound, which takes "user_id"; name an '
            "argument of the task"
        ),
    ]
    config = judge(parse(f"version = 1\n{KINDS}", "f.toml"))
    problems = app_check.problems(config, app.tasks)
    assert [problem.severity for problem in problems] == ["warning", "error", "warning"]


def test_a_task_that_settles_should_return_something():
    class Ignored(Limited):
        rate_limit = None
        ignore_result = True

    class Declared(Limited):
        rate_limit = None

        def run(self) -> None: ...

    class Returns(Limited):
        rate_limit = None

        def run(self) -> dict: ...

    tasks = {"ignored": Ignored(), "declared": Declared(), "returns": Returns()}
    text = "".join(simple(name).replace("static", "token_bucket") + 'settle = "usage"\n' for name in tasks)
    then = (
        "if it returns nothing, each start keeps its estimate; return the true cost, which is read in the worker "
        "and need not be stored, or call limitkit.settle"
    )
    assert found(text, tasks) == [
        f"f.toml:5:10: LK083 tasks.ignored.settle: ignored ignores its result (ignore_result); {then}",
        f"f.toml:9:10: LK083 tasks.declared.settle: declared is declared to return None; {then}",
    ]
