"""The plugin as users have it: in a pytest of its own, beside Celery's."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
import tomli

ROOT = Path(__file__).parents[2]
SHOP = """
from celery import Celery

import limitkit

app = Celery("shop", broker="redis://127.0.0.1:1/0", set_as_current=False)
limitkit.install(app)


@app.task(name="shop.charge")
def charge(customer): ...
"""
LIMITS = 'version = 1\n[tasks."shop.charge"]\nstrategy = "token_bucket"\nrate = "{}"\nburst = 1\n'


@pytest.fixture
def project(tmp_path):
    """A project with a shop and its limits; runs a test file in it, and returns what pytest says."""
    (tmp_path / "shop.py").write_text(SHOP)
    (tmp_path / "ratelimits.toml").write_text(LIMITS.format("25/s"))

    def run(tests, *options, status):
        (tmp_path / "test_shop.py").write_text(tests)
        command = [sys.executable, "-m", "pytest", "-q", "-p", "limitkit.testing.pytest_plugin", *options]
        env = {"PYTHONPATH": str(ROOT), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PATH": ""}
        done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, check=False)
        assert done.returncode == status, done.stdout + done.stderr
        return done.stdout

    run.folder = tmp_path
    return run


HOLD = """
import pytest

import shop

@pytest.fixture
def many(limits_clock):
    limits_clock.send("shop.charge", [1], times=3)

def test_by_name(many, assert_starts):
    assert_starts("shop.charge", at=[0, 0.04, 0.08])

def test_what_the_app_sends(limits_clock, assert_starts):
    for customer in range(3):
        shop.charge.delay(customer)
    limits_clock.advance("1m")
    shop.charge.delay(4)
    assert_starts(shop.charge, at=[0, "40ms", "80ms", "1m"])

@pytest.mark.limitkit(config="slow.toml", workers=2)
class TestOtherLimits:
    def test_slow(self, many, limits_clock, assert_starts):
        assert_starts("shop.charge", at=[0, 1, 2])
        assert limits_clock.workers == 2

    @pytest.mark.limitkit(workers=3)
    def test_more_workers(self, many, limits_clock, assert_starts):
        assert_starts("shop.charge", at=[0, 1, 2])
        assert limits_clock.workers == 3
"""


def test_fixtures_and_marker(project):
    (project.folder / "slow.toml").write_text(LIMITS.format("1/s"))
    assert "4 passed" in project(HOLD, "-W", "error", "--strict-markers", status=0)


FAIL = """
import pytest

import shop

def test_other_times(limits_clock, assert_starts):
    for customer in range(2):
        shop.charge.delay(customer)
    assert_starts(shop.charge, at=[0, 1])

def test_nothing_sent(assert_starts):
    assert_starts(shop.charge, at=[0])

@pytest.mark.limitkit("other.toml", worker=2)
def test_unknown(limits_clock): ...

@pytest.mark.limitkit(workers=0)
def test_out_of_range(limits_clock): ...

@pytest.mark.limitkit(config="gone.toml")
def test_no_config(limits_clock):
    limits_clock.send("shop.charge")
    limits_clock.starts("shop.charge")
"""


def test_what_is_said_of_failures(project):
    (project.folder / "conf").mkdir()
    (project.folder / "conf/limits.toml").write_text(LIMITS.format("4/s"))
    (project.folder / "pytest.ini").write_text("[pytest]\nlimitkit_config = conf/limits.toml\n")
    said = project(FAIL, status=1)
    lines = [line.removeprefix("E").strip() for line in said.splitlines()]
    path = project.folder / "conf/limits.toml"
    at = next(number for number, line in enumerate(lines) if line.startswith("AssertionError: shop.charge does"))
    fact = "shop.charge does not start when it was expected to"
    assert lines[at] == (f"AssertionError: {fact} ({path}; 1 worker with 4 pool processes; each may be off by 0.01 s):")
    assert re.fullmatch(r"1 +1\.000s +0\.2\d\ds +-0\.7\d\ds +0\.2\d\ds +its own limit \(4/s\)", lines[at + 3])
    assert lines[at + 4 : at + 7] == ["", "test_shop.py:9: AssertionError", lines[at + 6]]
    assert any(line.startswith("AssertionError: nothing was sent to shop.charge") for line in lines)
    keys = "config, workers, processes, prefetch_multiplier, runs, begins_at, seed"
    assert (
        "pytest.mark.limitkit does not know 'other.toml', worker, so test_shop.py::test_unknown can't be played; "
        f"its keys are {keys}"
    ) in lines
    assert (
        "pytest.mark.limitkit of test_shop.py::test_out_of_range: workers is 0, so nothing can be played; "
        "give 1 to 1,000"
    ) in lines
    assert any(re.match(r"limitkit\.errors\.ConfigError: gone\.toml:1:1: LK\d+ ", line) for line in lines)


OFF = """
import celery
import pytest

import limitkit
from limitkit.testing import no_limits
from limitkit.worker.installation import installation_of

pytest_plugins = ["celery.contrib.pytest"]

@pytest.fixture(scope="session")
def celery_config():
    options = {"polling_interval": 0.01}  # the broker in memory looks for messages as often
    return {"broker_url": "memory://", "broker_transport_options": options, "result_backend": "cache+memory://"}

def ran(task, number):
    return [sent.get(timeout=20, interval=0.01) for sent in [task.delay(each) for each in range(number)]]

def charging(app, config):
    limitkit.install(app, config)

    @app.task(name="shop.charge", shared=False)
    def charge(number):
        return number

    app.finalize()
    return charge

@pytest.fixture
def charge(limits_off, celery_app):
    return charging(celery_app, "ratelimits.toml")

def test_a_worker_that_starts_without_limits(charge, celery_app, celery_worker):
    assert installation_of(celery_app).pacer is None
    assert ran(charge, 4) == [0, 1, 2, 3]

@pytest.fixture
def slow(celery_app):
    return charging(celery_app, "static.toml")

def test_a_worker_that_has_started_before(slow, celery_app, celery_worker):
    assert installation_of(celery_app).task_limits.limits(slow)
    assert ran(slow, 1) == [0]
    with no_limits():
        assert ran(slow, 4) == [0, 1, 2, 3]
    assert installation_of(celery_app).task_limits.limits(slow)
"""


def test_limits_off(project):
    """The store of the one config is not there, and the rates are one in an hour."""
    store = '[store]\nurl = "redis://127.0.0.1:1/0"\n'
    (project.folder / "ratelimits.toml").write_text(LIMITS.format("1/h") + f'on_error = "hold"\n{store}')
    static = LIMITS.format("1/h").replace("token_bucket", "static")
    (project.folder / "static.toml").write_text(static)
    assert "2 passed" in project(OFF, status=0)


def test_a_run_that_uses_no_fixture_imports_nothing(project):
    tests = """
import sys

def test_nothing():
    assert not {"celery", "kombu", "pydantic", "limitkit.trial", "limitkit.config"} & {*sys.modules}
"""
    assert "1 passed" in project(tests, "-W", "error", status=0)
    assert "limits_clock -- " in project(tests, "--fixtures", status=0)
    assert "@pytest.mark.limitkit(config, workers, " in project(tests, "--markers", status=0)


def test_pytest_loads_it_by_itself():
    project = tomli.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["entry-points"]["pytest11"] == {"limitkit": "limitkit.testing.pytest_plugin"}


SHOWN_SHOP = """
from celery import Celery

import limitkit

app = Celery("shop", broker="memory://", backend="cache+memory://")
app.conf.broker_transport_options = {"polling_interval": 0.01}
limitkit.install(app)


@app.task(name="shop.charge")
def charge(number):
    return f"charged {number}"


def take_order(number):
    charge.delay(number)
"""


def test_what_the_page_shows(project):
    page = (ROOT / "docs/testing.md").read_text(encoding="utf-8")
    section = re.search(r"^## In your own pytest$(.*?)^## ", page, re.MULTILINE | re.DOTALL)[1]
    shown = re.findall(r"^```(\w+)\n(.*?)^```$", section, re.MULTILINE | re.DOTALL)
    (_, toml), *others = [each for each in shown if each[0] != "text"]
    assert [kind for kind, _ in others] == ["python", "python"]
    (project.folder / "ratelimits.toml").write_text(toml)
    (project.folder / "staging.toml").write_text(toml.replace("25/s", "1/s"))
    (project.folder / "shop.py").write_text(SHOWN_SHOP)
    assert "4 passed" in project("\n".join(text for _, text in others), "--strict-markers", status=0)
    ((_, text),) = [each for each in shown if each[0] == "text"]
    tests = 'def test_shown(limits_clock, assert_starts):\n    limits_clock.send("shop.charge", times=2)\n'
    tests += '    assert_starts("shop.charge", at=[0, 0.01])\n'
    said = re.sub(r"^E ?( {6})?", "", project(tests, status=1), flags=re.MULTILINE)
    assert re.sub(r"(\.\d\d)\d", r"\1_", text.rstrip()) in re.sub(r"(\.\d\d)\d", r"\1_", said)
