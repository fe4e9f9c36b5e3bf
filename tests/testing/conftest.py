import celery
import pytest

import limitkit

NOBODY = "redis://127.0.0.1:1/0"
"""Where no Redis is: whatever asks it, fails."""


@pytest.fixture
def limits(tmp_path):
    """Write a config of these tables; returns its path."""

    def write(text, name="ratelimits.toml"):
        path = tmp_path / name
        path.write_text(f'version = 1\n[store]\nurl = "{NOBODY}"\n{text}')
        return str(path)

    return write


@pytest.fixture
def make_app():
    """Make an app whose broker and result backend are not there, with limits if a config is given."""

    def make(config=None, **conf):
        app = celery.Celery("shop", broker=NOBODY, backend=NOBODY, set_as_current=False)
        app.conf.update(conf)
        if config is not None:
            limitkit.install(app, config)
        return app

    return make
