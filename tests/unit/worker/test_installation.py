"""What ``install`` and the manager take for an app and for a config, and what they say of anything else."""

import celery
import pytest

import limitkit
from limitkit.worker.installation import installation_of
from limitkit.worker.pool.guarded import is_guarded

STRANGE = {
    '"shop" is a string': "shop",
    "this is None": None,
    "this is the class Celery": celery.Celery,
    "this is of the type dict": {},
    "this is of the type function": pytest.raises,
}


CALLS = [(limitkit.install, fact) for fact in STRANGE]
CALLS += [(limitkit.RateLimitManager, fact) for fact, given in STRANGE.items() if given is not None]


@pytest.mark.parametrize(("function", "fact"), CALLS)
def test_what_is_no_app(function, fact):
    with pytest.raises(TypeError, match="takes a Celery app, and ") as caught:
        function(STRANGE[fact])
    assert f"{fact}; pass the app itself" in str(caught.value)


@pytest.mark.parametrize("config", [42, {"version": 1}, b"ratelimits.toml", limitkit])
@pytest.mark.parametrize("function", [limitkit.install, limitkit.RateLimitManager])
def test_what_is_no_config(function, config):
    with pytest.raises(TypeError, match=r"takes a path or what limitkit\.load"):
        function(celery.Celery("x", set_as_current=False), config)


QUEUES = (
    'version = 1\n[limits.smtp]\nstrategy = "static"\nrate = "1/s"\n[queues.mails]\nlimits = ["smtp"]\nmode = "{}"\n'
)


@pytest.mark.parametrize(("mode", "guarded"), [("enforce", True), ("off", False)])
def test_with_limits_of_a_queue_all_tasks_are_guarded_but_celery_s_own(tmp_path, mode, guarded):
    (tmp_path / "ratelimits.toml").write_text(QUEUES.format(mode))
    app = celery.Celery("x", set_as_current=False)
    limitkit.install(app, str(tmp_path / "ratelimits.toml"))

    def code(): ...

    app.task(code, name="early", shared=False)
    app.finalize()
    app.task(code, name="late", shared=False)
    assert [is_guarded(app.tasks[name]) for name in ("early", "late")] == [guarded] * 2
    assert ("run" in vars(app.tasks["early"])) is guarded
    assert not is_guarded(app.tasks["celery.backend_cleanup"])


def test_an_app_that_stands_for_another():
    app = celery.Celery("current")
    try:
        limitkit.install(celery.current_app)
        assert installation_of(app) is not None
        limitkit.install(app)
    finally:
        app.close()
