"""What the app's settings alone show."""

import pytest
from celery import Celery

import limitkit
from limitkit.doctor.finding import Sheet
from limitkit.doctor.redelivery import look_at_redelivery
from limitkit.waiting import room_names

STATIC = 'version = 1\n[tasks.paid]\nstrategy = "static"\nrate = "1/s"\n'


def test_an_app_without_faults_has_none(examined):
    said = examined(STATIC)
    assert said.codes == {"LK161"}  # no worker runs
    assert said.sheet.exit_status() == 0
    assert said.sheet.exit_status(strict=True) == 1


@pytest.mark.parametrize(
    ("lint", "codes", "status"),
    [('LK144 = "off"', {"LK161"}, 0), ('LK144 = "error"', {"LK144", "LK161"}, 1), ("", {"LK144", "LK161"}, 0)],
)
def test_the_file_says_how_severe_a_finding_is(examined, lint, codes, status):
    said = examined(f"{STATIC}[lint]\n{lint}\n", worker_prefetch_multiplier=0)
    assert said.codes == codes
    assert said.sheet.exit_status() == status
    assert said.check("app", "prefetch").status == ("ok" if "off" in lint else "error" if lint else "warning")


@pytest.mark.parametrize(
    ("conf", "said"),
    [
        (
            {"worker_prefetch_multiplier": 0},
            ("LK144", "warning", "worker_prefetch_multiplier is 0", "set it to 1 to 4"),
        ),
        ({"worker_prefetch_multiplier": 100}, ("LK145", "warning", "multiplier is 100", "set it to 1 to 4, more only")),
        ({"worker_disable_prefetch": True}, ("LK146", "warning", "worker_disable_prefetch is on", "per_worker")),
        ({"worker_eta_task_limit": 10}, ("LK147", "warning", "worker_eta_task_limit is 10", "take it out")),
        ({"worker_disable_rate_limits": True}, ("LK052", "error", "rate limits are switched off", "LIMITKIT_MODE=off")),
        (
            {"worker_pool": "support.foreign_pools:Threads"},
            ("LK058", "warning", "none of Celery's", "a pool of Celery's"),
        ),
        (
            {"task_annotations": {"paid": {"rate_limit": "5/m"}}},
            ("LK044", "warning", "has a rate_limit", "take one of"),
        ),
    ],
)
def test_a_setting_that_hurts(settings, conf, said):
    code, severity, fact, remedy = said
    said = settings(STATIC, **conf)
    found = said.of(code)
    assert found.severity == severity
    assert fact in found.message
    assert remedy in found.hint
    assert found.message.endswith(found.hint)
    assert said.codes == {code}


def test_a_usual_prefetch_is_fine(settings):
    said = settings(STATIC, worker_prefetch_multiplier=99)
    assert said.check("app", "prefetch").status == "ok"


def test_an_app_that_does_not_install_limitkit(settings):
    assert "call it where the app is made" in settings(STATIC, installs=False).of("LK045").message


def test_a_mode_of_the_environment(settings, monkeypatch):
    monkeypatch.setenv("LIMITKIT_MODE", "shadow")
    assert 'LIMITKIT_MODE is "shadow" here' in settings(STATIC).of("LK131").message


@pytest.mark.parametrize(
    ("backend", "options", "said"),
    [
        (None, {}, "the app has no result_backend"),
        ("cache+memory://", {"ignore_result": True}, "it ignores results (ignore_result)"),
        ("cache+memory://", {"ignore_result": True, "store_errors_even_if_ignored": True}, ""),
        ("cache+memory://", {}, ""),
    ],
)
def test_a_task_that_may_be_dropped_without_a_word(settings, backend, options, said):
    toml = f'{STATIC}on_limit = "drop"\nmax_wait = "1s"\n'
    told = settings(toml, result_backend=backend, options=options)
    assert ("LK162" in told.codes) == bool(said)
    if said:
        assert said in told.of("LK162").message


def test_what_waits_has_nothing_to_learn(settings):
    assert "LK162" not in settings(STATIC, result_backend=None).codes


def test_without_remote_control_it_is_not_known_what_runs(examined):
    said = examined(STATIC, worker_enable_remote_control=False)
    assert said.of("LK139").severity == "warning"
    assert said.check("workers", "answers").status == "not known"
    assert said.check("workers", "queues").status == "not known"


class TestRedelivery:
    """By the settings alone: what a broker that can't be reached would do."""

    def looked(self, tmp_path, kind=room_names.REDIS, hold="2s", options=None, **transport):
        file = tmp_path / "ratelimits.toml"
        file.write_text(f'{STATIC}[waiting]\nhold = "{hold}"\n')
        with Celery("examined", broker="memory://", set_as_current=False) as app:
            app.conf.broker_transport_options = transport

            @app.task(name="paid", shared=False, **(options or {}))
            def paid(): ...

            app.finalize()
            sheet = Sheet()
            look_at_redelivery(sheet, limitkit.load(file), app, kind, None)
        return {each.code: each for each in sheet.findings}

    @pytest.mark.parametrize(
        ("seconds", "hold", "codes"),
        [
            (3600, "2s", set()),
            (180, "2s", set()),
            (179, "2s", {"LK142"}),
            (16, "2s", {"LK142"}),
            (15, "2s", {"LK141", "LK142"}),
            (300, "60s", {"LK141"}),
        ],
    )
    def test_what_a_worker_may_hold_and_retries(self, tmp_path, seconds, hold, codes):
        assert self.looked(tmp_path, hold=hold, visibility_timeout=seconds).keys() == codes

    def test_the_longest_wait_of_a_tasks_own_limit(self, tmp_path, monkeypatch):
        monkeypatch.setenv("RATE", "1/3h")
        file = tmp_path / "ratelimits.toml"
        hidden = '[tasks.hidden]\nstrategy = "static"\nrate = "${RATE}"\n'
        file.write_text(f'version = 1\n[tasks.paid]\nstrategy = "static"\nrate = "1/2h"\n{hidden}')
        with Celery("examined", broker="memory://", set_as_current=False) as app:
            app.conf.broker_transport_options = {"visibility_timeout": 3600}
            app.finalize()
            sheet = Sheet()
            look_at_redelivery(sheet, limitkit.load(file), app, room_names.REDIS, None)
        assert sheet.checks[0].seen.endswith("; a wait of 2h (tasks.paid) is parked")

    def test_how_long_it_should_be(self, tmp_path):
        found = self.looked(tmp_path, hold="60s", visibility_timeout=300)["LK141"]
        assert "unless they start within 37500ms, in place of waiting.hold = 1m" in found.message
        assert found.hint == "set it to at least 8m"

    @pytest.mark.parametrize(("limit", "found"), [(3600, False), (3601, True)])
    def test_a_late_acknowledged_task_that_runs_longer(self, tmp_path, limit, found):
        options = {"acks_late": True, "time_limit": limit}
        assert ("LK143" in self.looked(tmp_path, options=options, visibility_timeout=3600)) == found
        early = {"acks_late": False, "time_limit": limit}
        assert "LK143" not in self.looked(tmp_path, options=early, visibility_timeout=3600)

    def test_rabbitmq_waits_half_an_hour(self, tmp_path):
        options = {"acks_late": True, "time_limit": 1801}
        found = self.looked(tmp_path, room_names.RABBITMQ, options=options)["LK143"]
        assert "longer than RabbitMQ's consumer_timeout" in found.message
        assert self.looked(tmp_path, room_names.RABBITMQ, options=options, consumer_timeout=3600) == {}
