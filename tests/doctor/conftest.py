"""An app that nobody else has, and what the doctor says of it."""

import contextlib
from types import SimpleNamespace

import pytest
import redis
from celery import Celery
from support.servers import RedisServer

import limitkit
from limitkit.doctor.examine import examine
from limitkit.doctor.finding import Sheet
from limitkit.doctor.settings import look_at_app, look_at_file

TOML = """\
version = 1

[limits.api]
strategy = "token_bucket"
rate = "25/s"

[tasks.paid]
limits = ["api"]
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with RedisServer(tmp_path_factory.mktemp("redis")) as running:
        yield running


@pytest.fixture
def admin(server):
    """A client of that server, which is as it was again at the end."""
    with contextlib.closing(redis.Redis.from_url(server.url, decode_responses=True)) as client:
        client.flushall()
        yield client
        client.execute_command("REPLICAOF", "NO", "ONE")
        client.config_set("maxmemory", 0)
        client.config_set("maxmemory-policy", "noeviction")


class Examined(SimpleNamespace):
    """What the doctor said."""

    def of(self, code):
        """The one finding of this code; nothing else may have it."""
        (found,) = [each for each in self.sheet.findings if each.code == code]
        return found

    @property
    def codes(self):
        return {each.code for each in self.sheet.findings}

    def check(self, subject, name):
        return next(each for each in self.sheet.checks if (each.subject, each.name) == (subject, name))


@pytest.fixture
def app_with(tmp_path, monkeypatch):
    """Make an app with a file and settings; returns it and the config."""
    monkeypatch.chdir(tmp_path)
    for name in ("LIMITKIT_MODE", "LIMITKIT_CONFIG"):
        monkeypatch.delenv(name, raising=False)
    with contextlib.ExitStack() as closing:

        def make(toml=TOML, broker="memory://", *, installs=True, options=None, **conf):
            (tmp_path / "ratelimits.toml").write_text(toml)
            app = closing.enter_context(Celery("examined", broker=broker, set_as_current=False))
            app.conf.update(conf)
            if installs:
                limitkit.install(app)

            @app.task(name="paid", shared=False, **(options or {}))
            def paid(): ...

            app.finalize()
            return app, limitkit.load("ratelimits.toml")

        yield make


@pytest.fixture
def examined(app_with):
    """Make an app, and have all of it examined."""

    def run(*args, patience=0.1, **words):
        app, config = app_with(*args, **words)
        return Examined(sheet=examine(app, config, patience=patience), app=app)

    return run


@pytest.fixture
def looked_at(app_with):
    """Make an app, and have one thing of it looked at: quicker than all of it."""

    def run(look, *args, **words):
        app, config = app_with(*args, **words)
        sheet = Sheet()
        look(sheet, config, app)
        return Examined(sheet=sheet, app=app)

    return run


@pytest.fixture
def settings(app_with):
    """Make an app, and have only its file and settings looked at."""

    def run(*args, **words):
        app, config = app_with(*args, **words)
        sheet = Sheet()
        look_at_file(sheet, config, app)
        look_at_app(sheet, config, app)
        return Examined(sheet=sheet, app=app)

    return run


def with_store(url, toml=TOML):
    return f'{toml}\n[store]\nurl = "{url}"\ntimeout = "5s"\n'
