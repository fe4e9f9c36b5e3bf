"""Who meets a refusal tells the store and goes back to wait, or goes on as if nothing had been said."""

from __future__ import annotations

import pickle
from types import SimpleNamespace

import pytest
from celery import Celery
from celery.app.task import Context
from celery.exceptions import Ignore, Reject, Retry, SoftTimeLimitExceeded

from limitkit.buckets.decision import Bucket, Take
from limitkit.buckets.ticket import NONCE, Ticket
from limitkit.config.declared import Feedback
from limitkit.errors import StoreError
from limitkit.events import emitter
from limitkit.stores.memory import MemoryStore
from limitkit.waiting.delivery import Delivery
from limitkit.waiting.message_copy import Note
from limitkit.worker.feedback_retry import FeedbackRetry

DAY = 86_400.0


class SlowDownError(Exception):
    retry_after = 30


class Counting(MemoryStore):
    """A store that counts what it is told."""

    told = 0

    def back_off(self, *args, **options):
        self.told += 1
        return super().back_off(*args, **options)


class Slow(Counting):
    """A store that needs longer than the task's soft time limit."""

    def back_off(self, *args, **options):
        super().back_off(*args, **options)
        raise SoftTimeLimitExceeded


class Gone:
    """A store that can't be asked."""

    def back_off(self, *_, **__):
        raise StoreError("gone")


def adaptive(limit="api", key="a", **feedback):
    return Bucket(key, 100_000, 1, feedback=Feedback(limit, (f"{__name__}.SlowDownError",), **feedback))


class Stage:
    """A task under limits with feedback, and what became of its message."""

    def __init__(self, *buckets, store=None, sends=True, refusals=None):
        self.store, self.sent, self.retried, self.told = store or MemoryStore(), [], [], []
        self.feedback = FeedbackRetry(lambda: SimpleNamespace(store=self.store), self.send_back)
        self.sends = sends
        self.context = Context({"id": "1"})
        self.task = SimpleNamespace(
            name="paid",
            request_stack=SimpleNamespace(top=self.context),
            retry=lambda *args, **_: self.retried.append(args),
        )
        self.feedback.watch_retry(self.task)
        self.ticket = Ticket(NONCE, "1", 0.0, 0.0, buckets, ()) if buckets else None
        headers = {} if refusals is None else {"limitkit_wait": Note(refusals=refusals)._asdict()}
        self.came = Delivery("celery", b"[]", "application/json", "utf-8", headers, {}, "", "celery")
        self.feedback.begin(self.context, self.ticket, self.came, buckets)

    def send_back(self, _task, _task_id, came, wait=0.0, *, refusals=None):
        self.sent.append((came, wait))
        self.refusals = refusals
        return self.sends

    def run(self, code):
        return self.feedback.run(self.task, code, (), {})

    def fail(self, error):
        def code():
            raise error

        return self.run(code)

    def wait(self, bucket):
        return self.store.take([Take((bucket,), 0)])[0].retry_after


@pytest.fixture
def emitted():
    """The events that are emitted."""
    found = []

    class Listener:
        def wants(self, _kind):
            return True

        def __call__(self, event):
            found.append(event)

    listener = Listener()
    emitter.listen(listener)
    yield found
    emitter.unlisten(listener)


def test_a_refusal_is_reported_to_the_store_and_as_an_event_and_the_task_waits_again(emitted, caplog):
    stage = Stage(adaptive())
    caplog.set_level("INFO", "limitkit")
    with pytest.raises(Retry, match="rate limit"):
        stage.fail(SlowDownError())
    assert 29 < stage.wait(adaptive()) <= 30
    ((came, wait),) = stage.sent
    assert came is stage.came
    assert wait == 0.0, "a pacer knows of it, and holds it"
    assert [type(event).__name__ for event in emitted] == ["FeedbackReceived", "TaskSentBack"]
    (record,) = caplog.records
    assert record.getMessage() == "api: the other side refused; no start for 30 s, then 9/s."
    assert record.action == "feedback"


def test_another_error_goes_on():
    stage = Stage(adaptive())
    for error in (ValueError("x"), Ignore(), Reject("x"), KeyboardInterrupt()):
        with pytest.raises(type(error)):
            stage.fail(error)
    assert stage.run(lambda: 7) == 7
    assert not stage.sent
    assert not stage.wait(adaptive())


def test_where_it_is_not_to_be_sent_or_cannot_be_its_error_goes_on():
    for stage in (Stage(adaptive(resend=False)), Stage(adaptive(), sends=False)):
        with pytest.raises(SlowDownError):
            stage.fail(SlowDownError())
        assert stage.wait(adaptive()) > 29


def test_a_start_is_reported_once_though_its_time_limit_came_meanwhile():
    stage, error = Stage(adaptive(), store=Slow()), SlowDownError()

    def code():
        try:
            stage.task.retry(exc=error)
        except SoftTimeLimitExceeded:
            raise error from None

    with pytest.raises(SlowDownError):
        stage.run(code)
    assert (stage.store.told, stage.sent) == (1, [])


def test_of_several_limits_all_that_it_means_back_off():
    first, other = adaptive(), adaptive("other", "b")
    plain = Bucket("c", 100_000, 1)
    stage = Stage(first, plain, other)
    with pytest.raises(Retry):
        stage.fail(SlowDownError())
    assert [stage.wait(each) > 29 for each in (first, plain, other)] == [True, False, True]
    stage = Stage(first, adaptive("other", "b", resend=False))
    with pytest.raises(SlowDownError):
        stage.fail(SlowDownError())


@pytest.mark.parametrize("retried", [False, True])
def test_after_so_many_times_in_a_row_its_error_goes_on(retried, caplog):
    def refused(before, *resend):
        buckets = [adaptive(f"api{each}", f"a{each}", resend=each) for each in resend]
        stage = Stage(*buckets, refusals=before)
        again = (before or 0) < min(resend)
        if retried:
            assert isinstance(stage.task.retry(exc=SlowDownError(), throw=False), Retry) == again
            assert len(stage.retried) == (not again), "then it is Celery's retry that goes on"
        else:
            with pytest.raises(Retry if again else SlowDownError):
                stage.fail(SlowDownError())
        assert all(stage.wait(bucket) > 29 for bucket in buckets), "the limit backs off all the same"
        return [stage.refusals] if stage.sent else []

    assert refused(None, 3) == [1]
    assert refused(-5, 3) == [1], "a forged number can not make the row longer"
    assert refused(2, 3) == [3]
    assert not caplog.records
    assert not refused(3, 3)
    assert not refused(7, 9, 3, 100)
    assert refused(99, 100) == [100]
    assert not refused(2**31 - 1, 1_000_000)
    assert [record.getMessage() for record in caplog.records[:2]] == [
        "paid[1] was refused 4 times in a row, so its exception goes on, as the feedback of api3 says (resend = 3).",
        "paid[1] was refused 8 times in a row, so its exception goes on, as the feedback of api3 says (resend = 3).",
    ]


def test_what_is_not_slow_down_goes_on_and_nothing_backs_off():
    stage = Stage(adaptive(unless=("re:insufficient_quota",)), adaptive("other", "b", unless=("re:out of money",)))
    with pytest.raises(Retry):
        stage.fail(SlowDownError("insufficient_quota"))
    assert [stage.wait(bucket) > 29 for bucket in (adaptive(), adaptive("other", "b"))] == [False, True]
    stage = Stage(adaptive(unless=("re:insufficient_quota",)))
    with pytest.raises(SlowDownError):
        stage.fail(SlowDownError("insufficient_quota"))
    assert not stage.sent
    assert not stage.wait(adaptive())


def test_no_pause_is_longer_than_the_longest_that_is_believed():
    error = SlowDownError()
    error.retry_after = 40 * DAY
    for said, longest in (("10ms", 0.01), ("31d", 31 * DAY)):
        stage = Stage(adaptive(max_pause=longest))
        with pytest.raises(Retry):
            stage.fail(error)
        assert longest - 1 < stage.wait(adaptive()) <= longest + 0.12, said
    stage = Stage(adaptive(max_pause=31 * DAY), store=Gone())
    with pytest.raises(Retry):
        stage.fail(error)
    assert stage.sent == [(stage.came, 31 * DAY)]


def test_a_long_pause_is_reported_in_days(caplog):
    caplog.set_level("INFO", "limitkit")
    error = SlowDownError()
    for error.retry_after in (599.0, 5025.0, 20 * DAY):
        with pytest.raises(Retry):
            Stage(adaptive(max_pause=31 * DAY)).fail(error)
    assert [record.args[1] for record in caplog.records] == [
        "no start for 599 s, then ",
        "no start for 1:23:45, then ",
        "no start for 20 days, 0:00:00, then ",
    ]


def test_a_pattern_tells_for_how_long():
    api = Bucket("a", 100_000, 1, feedback=Feedback("api", ("re:again in (?P<wait>[0-9a-z.]+)",)))
    stage = Stage(api)
    with pytest.raises(Retry):
        stage.fail(ValueError("Please try again in 1m30s. Thank you."))
    assert 89 < stage.wait(api) <= 90


def test_without_the_store_the_message_waits_by_itself(caplog):
    stage = Stage(adaptive(), store=Gone())
    with pytest.raises(Retry):
        stage.fail(SlowDownError())
    assert stage.sent == [(stage.came, 30.0)]
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    again = Stage(adaptive(), store=Gone())
    error = SlowDownError()
    error.retry_after = None
    with pytest.raises(Retry):
        again.fail(error)
    assert again.sent == [(again.came, 1.0)], "or it would meet it again and again"


def test_a_retry_that_is_about_to_be_spent_is_not(emitted):
    stage = Stage(adaptive())
    with pytest.raises(Retry, match="rate limit"):
        stage.task.retry(exc=SlowDownError(), countdown=5)
    assert len(stage.sent) == 1
    assert not stage.retried


def test_what_is_being_handled_counts_where_retry_is_given_nothing():
    stage = Stage(adaptive())

    def failing():
        yield from ()
        raise SlowDownError

    def code():
        try:
            next(failing())
        except SlowDownError:
            return stage.task.retry(throw=False)

    assert isinstance(stage.run(code), Retry)
    assert not stage.retried


def test_a_retry_for_another_reason_or_with_other_arguments_is_celerys():
    stage = Stage(adaptive())
    stage.task.retry(exc=ValueError())
    stage.task.retry((1,), {}, exc=SlowDownError())
    assert [given[:2] for given in stage.retried] == [(None, None), ((1,), {})]
    assert stage.wait(adaptive()) > 29, "the limit backs off all the same"
    assert not stage.sent


def test_one_that_carries_a_retry_was_sent_already():
    stage = Stage(adaptive())
    with pytest.raises(Retry) as caught:
        stage.fail(Retry(exc=SlowDownError()))
    assert isinstance(caught.value.exc, SlowDownError)
    assert not stage.sent
    assert stage.wait(adaptive()) > 29


def test_a_start_is_reported_once():
    stage = Stage(adaptive(resend=False), store=Counting())
    for _ in range(2):
        with pytest.raises(SlowDownError):
            stage.fail(SlowDownError())
    assert stage.store.told == 1


def test_a_task_without_feedback_is_left_alone():
    stage = Stage()
    with pytest.raises(SlowDownError):
        stage.fail(SlowDownError())
    stage.task.retry(exc=SlowDownError())
    assert len(stage.retried) == 1
    stage.context._limitkit_attempt = {"forged": "by a message's headers"}
    with pytest.raises(SlowDownError):
        stage.fail(SlowDownError())


def test_a_ticket_carries_all_that_a_pool_process_needs():
    shown = Stage(adaptive(factor=0.5)).ticket
    assert pickle.loads(pickle.dumps(shown)) == shown


def test_a_task_keeps_its_retry_in_other_ways():
    app = Celery("x", broker="memory://", set_as_current=False)

    @app.task(name="paid", shared=False)
    def paid():
        """Do nothing."""

    task = app.tasks["paid"]
    FeedbackRetry(lambda: None, lambda *_: True).watch_retry(task)
    assert task.retry.__doc__ == type(task).retry.__doc__
    with pytest.raises(ValueError, match="called directly"):
        task.retry(exc=ValueError("called directly"))
