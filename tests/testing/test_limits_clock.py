import datetime as dt
import inspect
import uuid

import celery
import pytest

import limitkit
from limitkit.errors import ConfigError
from limitkit.testing import LimitsClock
from limitkit.testing.pytest_plugin import KEYS

CHARGE = '[tasks."charge"]\nstrategy = "token_bucket"\nrate = "10/s"\nburst = 1\n'
PER_USER = '[tasks."charge"]\nstrategy = "per_user"\nkey = "user"\nrate = "10/s"\nburst = 1\n'
NEAR = 0.01


def added(app, code, **options):
    """Give an app a task with this code."""
    return app.task(code, shared=False, **options)


def of_amount(amount, user=1): ...


def of_user(user): ...


def of_nothing(): ...


def near(*times):
    return pytest.approx(times, abs=NEAR)


@pytest.fixture
def charge(make_app, limits):
    app = make_app(limits(CHARGE))

    @app.task(name="charge", shared=False)
    def charge(user=0, amount=0):
        raise AssertionError("no task's code runs")

    return charge


def test_messages_that_are_sent_by_name(limits):
    clock = LimitsClock(limits(CHARGE))
    clock.send("charge", times=3)
    clock.send("free", times=2)
    assert clock.starts("charge") == near(0, 0.1, 0.2)
    assert clock.starts("free") == near(0, 0)
    clock.send("charge")  # what was played before is played again, with it
    assert clock.starts("charge") == near(0, 0.1, 0.2, 0.3)


def test_times_count_from_the_first_message(limits):
    clock = LimitsClock(limits(CHARGE))
    clock.advance("1h")
    clock.send("charge", times=2, every="2s")
    clock.advance(5)
    clock.send("charge")
    clock.send("charge", at="1h 1m")
    assert clock.now == 3605
    assert clock.first_sent == 3600
    assert clock.starts("charge") == near(0, 2, 5, 60)
    assert [run.sent for run in clock.runs("charge")] == [3600, 3602, 3605, 3660]


def test_time_does_not_go_back(limits):
    clock = LimitsClock(limits(CHARGE))
    clock.advance("2s")
    with pytest.raises(ValueError, match=r"^at is 1 s, which is over: it is 2 s now; leave at out to send now$"):
        clock.send("charge", at=1)
    with pytest.raises(ValueError, match=r"^the clock can't go back by 1 s; advance it by 0 or more$"):
        clock.advance(-1)
    with pytest.raises(ValueError, match=r'^"1 minute" is not a duration; write a number and'):
        clock.advance("1 minute")


def test_what_an_app_sends_is_caught(charge):
    """Neither the broker nor the result backend is there, so nothing reaches them."""
    with LimitsClock() as clock:
        results = [charge.delay(1), charge.apply_async(kwargs={"user": 2}), charge.s(3).delay()]
        charge.app.send_task("charge", [4])
        celery.group(charge.s(5), charge.s(6)).apply_async()
    assert clock.starts(charge) == near(0, 0.1, 0.2, 0.3, 0.4, 0.5)
    assert len({result.id for result in results}) == 3
    assert isinstance(results[0], celery.result.AsyncResult)


def test_calls_are_sent_again_behind_the_block(charge):
    charge.app.conf.update(broker_transport_options={"max_retries": 0, "socket_connect_timeout": 1})
    with LimitsClock() as clock:
        charge.apply_async(task_id="given")
    with pytest.raises(charge.OperationalError):
        charge.apply_async(ignore_result=True, retry=False)
    assert len(clock.runs(charge)) == 1


def test_a_countdown_and_an_eta(charge):
    with LimitsClock() as clock:
        charge.apply_async(countdown=5)
        clock.advance("1s")
        eta = dt.datetime.now(dt.timezone.utc) + dt.timedelta(seconds=9)
        charge.apply_async(eta=eta)
        charge.apply_async(eta=eta.isoformat())
        charge.delay()
    assert [round(run.sent, 1) for run in clock.runs(charge)] == [1, 5, 10, 10]


def test_arguments_are_those_of_the_tasks_of_the_app(make_app, limits):
    app = make_app(limits(PER_USER))
    added(app, of_amount, name="charge")
    with LimitsClock() as clock:
        app.tasks["charge"].delay(5, 1)
        app.tasks["charge"].delay(5)
        app.tasks["charge"].delay(5, user=2)
    clock.send("charge", [5, 2])  # the app is known by now
    assert clock.starts("charge") == near(0, 0, 0.1, 0.1)


def test_a_name_alone_finds_the_task_of_an_app_that_has_limits(make_app, limits):
    path = limits(PER_USER)
    app = make_app(path)
    added(app, of_amount, name="charge")
    clock = LimitsClock(path)
    for user in (1, 2, 1):
        clock.send("charge", [5, user])
    assert clock.starts("charge") == near(0, 0, 0.1)


def test_arguments_that_json_does_not_know(make_app, limits):
    app = make_app(limits(PER_USER))
    added(app, of_user, name="charge")
    one, other = uuid.uuid4(), uuid.uuid4()
    with LimitsClock() as clock:
        for user in (one, other, one):
            app.tasks["charge"].delay(user)
    assert clock.starts("charge") == near(0, 0, 0.1)


def test_queues_headers_and_priorities(make_app, limits):
    queues = '[limits.q]\nstrategy = "token_bucket"\nrate = "10/s"\nburst = 1\n[queues."{}"]\nlimits = ["q"]\n'
    app = make_app(
        limits(queues.format("slow")), task_routes={"routed": {"queue": "slow"}}, task_default_queue="default"
    )
    added(app, of_nothing, name="routed")
    added(app, of_nothing, name="own")
    added(app, of_nothing, name="told")
    app.tasks["own"].queue, app.tasks["own"].priority = "slow", 7  # as the task's class may say it
    with LimitsClock() as clock:
        app.tasks["routed"].delay()
        app.tasks["own"].apply_async()
        app.send_task("own")
        app.tasks["told"].apply_async(queue="slow", priority=3)
        app.tasks["told"].delay()
        clock.send("routed")
        clock.send("told", queue="slow", priority=5)
        clock.send(app.tasks["told"])
    assert [run.queue for run in clock.outcome.runs] == [*["slow"] * 4, "default", "slow", "slow", "default"]
    starts = sorted(clock.starts("routed") + clock.starts("own") + clock.starts("told"))
    assert starts == near(0, 0, 0, 0.1, 0.2, 0.3, 0.4, 0.5)
    assert [each.priority for each in clock._arrivals] == [0, 7, 7, 3, 0, 0, 5, 0]
    clock = LimitsClock(limits(PER_USER.replace('"user"', '"headers:user"')))
    clock.send("charge", times=2, headers={"user": "a"})
    clock.send("charge", headers={"user": "b"})
    assert clock.starts("charge") == near(0, 0, 0.1)


def test_how_long_tasks_run_and_by_how_many(limits):
    one = '[tasks."charge"]\nstrategy = "concurrency"\nmax_running = 1\n'
    clock = LimitsClock(limits(one), runs={"charge": "200ms"})
    clock.send("charge", times=2)
    clock.send("charge", runs="1s")
    clock.send("charge")
    assert clock.starts("charge") == pytest.approx([0, 0.2, 0.4, 1.4], abs=0.05)
    free = LimitsClock(limits(""), runs="1s", workers=2, processes=2)
    free.send("any", times=5)
    assert free.starts("any") == near(0, 0, 0, 0, 1)


def test_when_it_begins(limits):
    night = '[[tasks."charge".schedule]]\nfrom = "22:00"\nto = "06:00"\nrate = "1/s"\n'
    told = []
    for hour in (12, 23):
        clock = LimitsClock(limits(CHARGE + night), begins_at=dt.datetime(2026, 1, 5, hour, tzinfo=dt.timezone.utc))
        clock.send("charge", times=2)
        told.append(clock.starts("charge")[1])
    assert told == near(0.1, 1)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"workers": 0}, "workers is 0, so nothing can be played; give 1 to 1,000"),
        ({"processes": 1001}, "processes is 1001, so nothing can be played; give 1 to 1,000"),
        ({"runs": "long"}, '"long" is not a duration; write a number and ms, s, m, h or d, e.g. "250ms"'),
        (
            {"begins_at": dt.datetime(2026, 1, 5)},  # noqa: DTZ001
            "begins_at has no offset, so it may be any time; give one, such as timezone.utc",
        ),
    ],
)
def test_what_can_not_be_played(options, said):
    with pytest.raises(ValueError) as caught:
        LimitsClock(**options)
    assert str(caught.value) == said


def test_which_config_is_played(limits, charge, tmp_path, monkeypatch):
    """The one that is given, that of the app, that of LIMITKIT_CONFIG, the nearest one from the folder up."""
    other = limits(CHARGE, "other.toml")
    (tmp_path / "inner").mkdir()
    nearest = LimitsClock(folder=tmp_path / "inner")
    assert nearest.config.path == str(tmp_path / "ratelimits.toml")
    monkeypatch.setenv("LIMITKIT_CONFIG", other)
    assert nearest.config.path == other
    monkeypatch.delenv("LIMITKIT_CONFIG")
    nearest.send(charge)
    assert nearest.config.path == limits(CHARGE)
    assert LimitsClock(other).config.path == other
    assert LimitsClock(limitkit.load(other)).config.path == other
    monkeypatch.chdir("/")
    with pytest.raises(ConfigError, match=r"there is no ratelimits\.toml in / or a folder above"):
        LimitsClock(folder="/").starts("charge")


def test_the_marker_knows_what_the_clock_takes():
    assert {*KEYS} == {*inspect.signature(LimitsClock).parameters} - {"folder"}
