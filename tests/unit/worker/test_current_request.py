"""The guard finds the request of a start wherever its code runs, and leaves a coroutine function one."""

import asyncio
import functools
import inspect
import threading
import time
from contextvars import copy_context

import pytest
from celery import Celery, signals
from celery.app.task import Context, Task
from celery.exceptions import Retry

from limitkit.buckets.decision import Take
from limitkit.config import load
from limitkit.control.task_limits import TaskLimits
from limitkit.stores.memory import MemoryStore
from limitkit.worker import guard
from limitkit.worker.current_request import request_of, run_in_pool
from limitkit.worker.guard import Guard


class Store(MemoryStore):
    """Notes in which threads it was asked."""

    def __init__(self):
        super().__init__()
        self.threads = []

    def take(self, *args, **options):
        self.threads.append(threading.current_thread())
        return super().take(*args, **options)


class Scene:
    """A task with a limit, and its guard."""

    def __init__(self, folder, code, rate="1/h", burst=1, **options):
        file = folder / "ratelimits.toml"
        file.write_text(f'version = 1\n[tasks.paid]\nstrategy = "token_bucket"\nrate = "{rate}"\nburst = {burst}\n')
        app = Celery("shop", broker="memory://", set_as_current=False)
        self.store, self.sent = Store(), []
        self.task_limits = TaskLimits(load.load(str(file)).rules, self.store)
        self.guard = Guard(app, lambda: self.task_limits)
        self.guard._send_back = lambda _, task_id, *__, **___: self.sent.append(task_id) or True
        app.task(code, shared=False, name="paid", **options)
        self.task = app.tasks["paid"]
        self.guard.wrap(self.task)

    def empty(self):
        self.store.take([Take((self.task_limits.limits(self.task)[0].bucket,))])
        self.store.threads.clear()


def request(number=1, **request):
    return Context({"id": str(number), "delivery_info": {}, **request}, called_directly=False)


async def traced(scene, number):
    """Trace a task as a tracer does that is a coroutine itself: many at once, on one stack."""
    stack = scene.task.request_stack
    stack.push(request(number))
    signals.task_prerun.send(sender=scene.task, task=scene.task)
    try:
        code = asyncio.create_task(scene.task.run(number))
        return await code
    except Retry:
        return "back"
    finally:
        signals.task_postrun.send(sender=scene.task, task=scene.task)
        stack.pop()


async def answer(number=0):
    return number


class Asking:
    async def method(self, number=0):
        return number


@pytest.mark.parametrize(
    "code", [answer, functools.partial(answer), Asking().method], ids=["function", "partial", "method"]
)
def test_a_coroutine_function_stays_one(tmp_path, code):
    scene = Scene(tmp_path, answer)
    for made in (scene.task.run, scene.guard._around(code, scene.task)):
        assert inspect.iscoroutinefunction(made)
        assert inspect.signature(made) == inspect.signature(code)
        assert asyncio.run(made(7)) == 7  # called directly: not limited
    assert not scene.store.threads


def test_a_class_that_is_called_with_a_coroutine_stays_one(tmp_path):
    class Base(Task):
        async def __call__(self, number):
            return await self.run(number)

    scene = Scene(tmp_path, answer, base=Base)
    assert inspect.iscoroutinefunction(type(scene.task).__call__)
    assert inspect.iscoroutinefunction(scene.task.run)
    assert asyncio.run(scene.task(7)) == 7


def test_coroutines_on_one_loop_are_told_apart_and_do_not_stop_it(tmp_path):
    scene = Scene(tmp_path, answer, burst=2)

    async def all_of_them():
        return await asyncio.gather(*(traced(scene, number) for number in range(1, 6)))

    results = asyncio.run(all_of_them())
    assert sorted(map(str, results)) == sorted([*map(str, set(range(1, 6)) - set(map(int, scene.sent))), *["back"] * 3])
    assert len(set(scene.sent)) == 3
    assert len(scene.store.threads) == 5
    assert threading.main_thread() not in scene.store.threads


def test_a_start_that_waits_for_its_slot_lets_the_loop_go_on(tmp_path, monkeypatch):
    monkeypatch.setattr(guard, "_PATIENCE", 1.0)  # a tenth of that would be too near to what a busy machine does
    scene = Scene(tmp_path, answer, "2/s")
    scene.empty()

    async def beside():
        start = asyncio.create_task(traced(scene, 1))
        longest, before = 0.0, time.monotonic()
        while not start.done():
            await asyncio.sleep(0.005)
            longest, before = max(longest, time.monotonic() - before), time.monotonic()
        return await start, longest

    result, longest = asyncio.run(beside())
    assert result == 1
    assert not scene.sent
    assert longest < 0.4


@pytest.mark.parametrize("headers", [{}, {"_limitkit_guarded": True}], ids=["", "forged"])
@pytest.mark.parametrize("called", [False, True])
def test_a_start_in_another_thread_is_its_tracer_s(tmp_path, called, headers):
    """Also where Celery calls the task itself: with nothing on that thread's stack, that looks like a direct call."""
    scene = Scene(tmp_path, nothing)
    scene.guard.look_elsewhere(strange_pool=True)
    scene.empty()
    scene.task.request_stack.push(request(**headers))
    signals.task_prerun.send(sender=scene.task, task=scene.task)
    raised = []

    def elsewhere():
        try:
            (scene.task if called else scene.task.run)()
        except Retry as error:
            raised.append(error)

    try:
        thread = threading.Thread(target=copy_context().run, args=(elsewhere,))
        thread.start()
        thread.join()
    finally:
        signals.task_postrun.send(sender=scene.task, task=scene.task)
        scene.task.request_stack.pop()
    assert scene.sent == ["1"]
    assert len(raised) == 1


def nothing(): ...


def test_where_no_request_can_be_found_a_start_waits_in_a_strange_pool_alone(tmp_path):
    scene = Scene(tmp_path, nothing, "20/s")
    scene.task.run()
    assert not scene.store.threads  # in a pool of Celery's this is a direct call
    scene.guard.look_elsewhere(strange_pool=True)
    before = time.monotonic()
    for _ in range(4):
        scene.task.run()
    assert time.monotonic() - before >= 0.15
    assert not scene.sent


def test_a_call_within_a_start_is_not_limited(tmp_path):
    def outer(depth=0):
        return depth or task.run(1)

    scene = Scene(tmp_path, outer)
    task = scene.task
    scene.guard.look_elsewhere(strange_pool=True)
    task.request_stack.push(request())
    signals.task_prerun.send(sender=task, task=task)
    try:
        assert task.run() == 1
    finally:
        signals.task_postrun.send(sender=task, task=task)
        task.request_stack.pop()
    assert len(scene.store.threads) == 1


def test_a_call_of_another_task_is_not_limited(tmp_path):
    scene = Scene(tmp_path, nothing)
    scene.guard.look_elsewhere(strange_pool=True)
    app = Celery("other", broker="memory://", set_as_current=False)
    app.task(nothing, shared=False, name="caller")
    caller = app.tasks["caller"]
    signals.task_prerun.send(sender=caller, task=caller)
    try:
        scene.task.run()
    finally:
        signals.task_postrun.send(sender=caller, task=caller)
    assert not scene.store.threads


def test_of_many_on_one_stack_each_has_its_own_request(tmp_path):
    task = Scene(tmp_path, answer).task
    mine, another, call = request(1), request(2), Context()
    task.request_stack.push(mine)
    signals.task_prerun.send(sender=task, task=task)
    try:
        for top, found in ((another, mine), (call, call)):
            task.request_stack.push(top)
            assert request_of(task) is found
            task.request_stack.pop()
    finally:
        signals.task_postrun.send(sender=task, task=task)
        task.request_stack.pop()
    assert request_of(task) is None


def test_a_run_past_the_consumer_is_a_start_and_what_it_calls_is_none(tmp_path):
    def outer(depth=0):
        return depth or task(1)

    scene = Scene(tmp_path, outer, "20/s")
    task = scene.task
    before = time.monotonic()
    for _ in range(4):
        assert run_in_pool("paid", None, task, (), None) == 1
    assert time.monotonic() - before >= 0.15
    assert task(1) == 1
    assert len(scene.store.threads) == 4


def test_code_that_is_put_in_place_later_is_guarded_at_the_next_look(tmp_path):
    scene = Scene(tmp_path, nothing)
    ran = []
    scene.task.run = lambda: ran.append(1)
    scene.guard.wrap(scene.task)
    scene.guard.wrap(scene.task)
    scene.empty()
    scene.task.request_stack.push(request())
    try:
        with pytest.raises(Retry):
            scene.task.run()
    finally:
        scene.task.request_stack.pop()
    assert not ran

    @functools.wraps(scene.task.run)
    def around():
        return guarded()

    guarded, scene.task.run = scene.task.run, around
    scene.guard.wrap(scene.task)
    assert scene.task.run is around  # which calls the guard
