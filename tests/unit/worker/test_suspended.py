"""Tests of users take all limits away for a while."""

import celery
import pytest

import limitkit
from limitkit.worker.installation import installation_of, suspended
from limitkit.worker.pool.guarded import is_guarded

LIMITS = 'version = 1\n[tasks."paid*"]\nstrategy = "static"\nrate = "1/s"\nmax_wait = "1s"\non_limit = "drop"\n'


@pytest.fixture
def make_app(tmp_path):
    (tmp_path / "ratelimits.toml").write_text(LIMITS)

    def make():
        app = celery.Celery("x", set_as_current=False)
        limitkit.install(app, str(tmp_path / "ratelimits.toml"))
        added(app, "paid")
        app.finalize()
        return app

    return make


def added(app, name):
    def code(): ...

    return app.task(code, name=name, shared=False)


def limited(app, name="paid"):
    """Whether a task has limits, and how long it may wait."""
    task_limits = installation_of(app).task_limits
    return len(task_limits.limits(app.tasks[name])), task_limits.patience(app.tasks[name])


def test_no_limit_holds_meanwhile(make_app):
    app = make_app()
    before = limited(app)
    assert before[0] == 1
    assert before[1] is not None
    with suspended():
        assert limited(app) == (0, None)
    assert limited(app) == before


def test_one_within_another(make_app):
    app = make_app()
    with suspended():
        with suspended():
            pass
        assert limited(app) == (0, None)
    assert limited(app)[0] == 1


def test_it_ends_with_an_exception(make_app):
    app = make_app()
    with pytest.raises(KeyError), suspended():
        raise KeyError
    assert limited(app)[0] == 1


def test_what_is_added_meanwhile_has_limits_later(make_app):
    before = make_app()
    with suspended():
        app = make_app()
        added(before, "paid.late")
        assert limited(app) == (0, None)
        assert limited(before, "paid.late") == (0, None)
    assert limited(app)[0] == 1
    assert is_guarded(app.tasks["paid"])
    assert is_guarded(before.tasks["paid.late"])


def test_a_worker_that_starts_meanwhile_has_no_limits_for_good(make_app):
    installation = installation_of(make_app())
    with suspended():
        installation.start_worker(None)  # asks it nothing, and opens no store
    assert installation.guard._task_limits() is None
    assert installation.task_limits.store is None
