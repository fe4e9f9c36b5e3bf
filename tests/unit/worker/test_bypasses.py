"""What may pass the limits by is found, and what only stands around Celery's own is not taken for it."""

import functools
from types import SimpleNamespace

import pytest
from celery import Celery, Task
from celery.app.trace import build_tracer
from celery.concurrency.solo import TaskPool
from celery.worker import strategy
from celery_aio_pool import AsyncIOPool, build_async_tracer
from celery_batches import Batches

from limitkit.config import load
from limitkit.control.task_limits import TaskLimits
from limitkit.worker.bypasses import bypasses, heard, pool_of

TOML = 'version = 1\n[tasks."shop.*"]\nstrategy = "token_bucket"\nrate = "1/s"\n'


class Own(Task):
    def Strategy(self, task, app, consumer):  # noqa: N802 (Celery's name)
        return strategy.default(task, app, consumer)


class Tuned(TaskPool):
    """Celery's, but for what it says of itself."""

    def _get_info(self):
        return {}


class Handing(TaskPool):
    def on_apply(self, *args, **options):
        return super().on_apply(*args, **options)


def code(): ...


@pytest.fixture
def find(tmp_path):
    """Find what passes the limits of tasks with these bases by."""

    def find(*bases, pool="prefork", build=build_tracer, more=""):
        (tmp_path / "ratelimits.toml").write_text(TOML + more)
        read = load.load(str(tmp_path / "ratelimits.toml"))
        app = Celery("shop", broker="memory://", set_as_current=False)
        for number, base in enumerate(bases):
            app.task(code, base=base, name=f"shop.task{number}", shared=False)
        free = app.task(code, base=Own, name="free", shared=False)
        tasks = {name: app.tasks[name] for name in (*(f"shop.task{number}" for number in range(len(bases))), free.name)}
        for name, task in tasks.items():
            task.__trace__ = build(name, task, app=app)
        return heard(read, bypasses(TaskLimits(read.rules, None), tasks, pool))

    return find


def wrapping(*args, **options):
    """As monitoring does it."""
    trace = build_tracer(*args, **options)

    def watched(*args, **options):
        return trace(*args, **options)

    return functools.update_wrapper(watched, trace, assigned=())


def test_what_is_celery_s_own_or_around_it_is_not_reported(find):
    assert find(None, Batches) == []
    assert find(None, build=wrapping) == []
    assert find(None, pool=f"{__name__}:Tuned") == []
    assert find(pool=f"{__name__}:Handing") == []  # nothing is limited
    assert find(None, pool=AsyncIOPool, build=build_async_tracer) == []  # this one is known


def test_a_strategy_is_reported_once_with_its_tasks(find):
    (one,) = find(None, Own)
    assert (one.code, one.severity, one.line) == ("LK057", "warning", 2)
    assert one.message == (
        f'tasks."shop.*": the Strategy of "shop.task1", {__name__}.Own.Strategy, is none of Celery\'s, and may start '
        "them past their limits; have it hand what it starts to consumer.on_task_request, or see how fast they start"
    )
    (many,) = find(*[Own] * 5)
    assert '"shop.task0", "shop.task1", "shop.task2" and 2 more' in many.message


def test_what_the_file_leaves_out_is_not_reported(find):
    assert find(None, Own, more='[lint]\nLK057 = "off"\n') == []
    assert len(find(None, Own, more='[lint]\nLK057 = "error"\n')) == 1


def test_a_pool_is_reported_with_all_limited_tasks(find):
    (one,) = find(None, None, pool=f"{__name__}:Handing", build=build_async_tracer)
    assert (one.code, one.severity) == ("LK058", "warning")
    assert one.message == (
        f"this worker's pool, {__name__}:Handing, is none of Celery's, so the guard alone keeps the shared limits of "
        '"shop.task0" and "shop.task1", and nothing keeps static ones; see how fast they start, or use a pool of '
        "Celery's"
    )
    assert pool_of(AsyncIOPool) == "celery_aio_pool.pool:AsyncIOPool"


@pytest.mark.parametrize("pool", ["prefork", "threads", "solo", "processes"])
def test_celery_s_pools_are_its_own(pool):
    assert pool_of(pool) is None


def test_a_tracer_is_reported(find):
    (one,) = find(None, build=build_async_tracer)
    assert (one.code, one.severity) == ("LK059", "warning")
    tracer = "celery_aio_pool.tracer.build_async_tracer.<locals>.trace_task"
    assert f'the tracer of "shop.task0", {tracer}, is none of Celery\'s, and may start them past' in one.message
    (odd,) = find(None, build=lambda *_, **__: SimpleNamespace())
    assert "types.SimpleNamespace" in odd.message
