"""Which of Celery's own rate limits a task has, and by what, on real apps with each kind of setting."""

import celery
import pytest
from celery.utils.time import rate

from limitkit.config.native_limit import NativeLimit, native_limit


class Slow:
    """What ``task_annotations`` takes besides a mapping."""

    def annotate(self, task):
        return {"rate_limit": "7/m"} if task.name.startswith("work") else None


class SlowAny(Slow):
    def annotate_any(self):
        return {"rate_limit": "8/m"}


class Broken:
    def __init__(self):
        self.seen = set()

    def annotate(self, task):
        if task.name in self.seen:
            raise LookupError(task.name)
        self.seen.add(task.name)


CASES = {
    "nothing": ({}, {}, None),
    "its own": ({}, {"rate_limit": "3/m"}, NativeLimit("3/m", "rate_limit")),
    "its own, a number": ({}, {"rate_limit": 5}, NativeLimit("5/s", "rate_limit")),
    "its own, of none": ({"task_default_rate_limit": "9/m"}, {"rate_limit": "0/m"}, None),
    "zero": ({}, {"rate_limit": "0"}, None),
    "the default": ({"task_default_rate_limit": "9/m"}, {}, NativeLimit("9/m", "task_default_rate_limit")),
    "its own, over the default": (
        {"task_default_rate_limit": "9/m"},
        {"rate_limit": "3/m"},
        NativeLimit("3/m", "rate_limit"),
    ),
    "annotated": (
        {"task_annotations": {"work": {"rate_limit": "4/m"}}, "task_default_rate_limit": "9/m"},
        {"rate_limit": "3/m"},
        NativeLimit("4/m", "task_annotations"),
    ),
    "annotated, another": ({"task_annotations": {"other": {"rate_limit": "4/m"}}}, {}, None),
    "annotated with something else": ({"task_annotations": {"work": {"max_retries": 4}}}, {}, None),
    "annotated like all": (
        {"task_annotations": {"*": {"rate_limit": "5/m"}}},
        {},
        NativeLimit("5/m", "task_annotations"),
    ),
    "annotated by an object": ({"task_annotations": [Slow()]}, {}, NativeLimit("7/m", "task_annotations")),
    "annotated by the first that answers": (
        {"task_annotations": [Slow(), {"work": {"rate_limit": "4/m"}}]},
        {},
        NativeLimit("7/m", "task_annotations"),
    ),
    "annotated by an object, like all": ({"task_annotations": [SlowAny()]}, {}, NativeLimit("8/m", "task_annotations")),
    "annotated by a named class": (
        {"task_annotations": f"{__name__}.Slow"},
        {},
        NativeLimit("7/m", "task_annotations"),
    ),
    "annotated by what fails later": (
        {"task_annotations": [Broken()]},
        {"rate_limit": "3/m"},
        NativeLimit("3/m", "rate_limit"),
    ),
}


def work(): ...


@pytest.mark.parametrize("name", CASES)
def test_what_celery_keeps_and_by_what(name):
    conf, options, expected = CASES[name]
    app = celery.Celery("native", broker="memory://", set_as_current=False)
    app.conf.update(conf)
    app.task(name="work", shared=False, **options)(work)
    app.finalize()
    task = app.tasks["work"]
    assert native_limit(task) == expected
    assert bool(rate(task.rate_limit)) == (expected is not None), "what Celery's worker makes of it"
