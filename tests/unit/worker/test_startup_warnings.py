"""What a worker logs of its file as it starts, and what ``[lint]`` and comments leave out of that."""

from types import SimpleNamespace

import pytest
from celery import Celery

from limitkit.config.load import judge
from limitkit.config.source.toml import parse
from limitkit.worker.startup_checks import warn

TEXT = """version = 1
[limits.spare]
strategy = "static"
rate = "1/s"
[tasks.gone]
strategy = "static"
rate = "1/s"
[tasks.paid]
strategy = "static"
rate = "1/s"
"""


def paid(): ...


@pytest.fixture
def logged(caplog):
    def logged(text):
        with Celery("warned", broker="memory://", set_as_current=False) as app:
            app.task(paid, name="paid", rate_limit="5/s", shared=False)
            caplog.clear()
            warn(judge(parse(text, "f.toml")), SimpleNamespace(app=app), None, paced=True)
        return [record.getMessage().split(" ")[1] for record in caplog.records]

    return logged


def test_a_worker_warns_of_what_is_in_vain(logged):
    assert logged(TEXT) == ["LK030", "LK040", "LK044"]


@pytest.mark.parametrize("code", ["LK030", "LK040", "LK044"])
def test_it_says_nothing_of_what_is_off(logged, code):
    assert logged(f'{TEXT}[lint]\n{code} = "off"\n') == sorted({"LK030", "LK040", "LK044"} - {code})


def test_it_says_nothing_of_what_a_comment_ignores(logged):
    assert logged(TEXT.replace("[tasks.gone]", "[tasks.gone] # limitkit: ignore[LK040]")) == ["LK030", "LK044"]


def test_an_error_of_the_file_is_none_for_it(logged):
    assert logged(f'{TEXT}[lint]\nLK044 = "error"\n') == ["LK030", "LK040", "LK044"]
