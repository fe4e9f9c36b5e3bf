"""What ``limitkit record`` says where nothing can be recorded; each time it leaves no file behind."""

import os

import pytest
from support.commands import CLI, Runner
from support.servers import RedisServer

NO_APP = "limitkit: whose workers? name the app: limitkit record --app APP, or celery -A APP limitkit record\n"


@pytest.fixture(scope="module")
def redis(tmp_path_factory):
    with RedisServer(tmp_path_factory.mktemp("redis")) as server:
        yield server


@pytest.fixture
def record(redis, tmp_path):
    def run(*options, output="t.trace", url=redis.url, app=("-A", "runningapp")):
        path = str(tmp_path / output)
        done = Runner(CLI, BROKER_URL=url).run("record", "-o", path, *options, *app)
        assert done.stdout == b""
        return done.returncode, done.stderr.decode().replace(f"{tmp_path}/", "")

    return run


def test_no_worker(record, tmp_path):
    said = "limitkit: no worker answered, so there is nothing to record; start one\n"
    assert record() == (2, said)
    assert list(tmp_path.iterdir()) == []


def test_no_app(record, tmp_path):
    assert record(app=()) == (2, NO_APP)
    assert list(tmp_path.iterdir()) == []


def test_no_broker(record, tmp_path):
    status, said = record(url="redis://user:hidden@127.0.0.1:1/0")
    assert status == 2
    assert said.startswith("limitkit: the broker redis://**@127.0.0.1:1/0 can't be asked: ")
    assert "hidden" not in said
    assert list(tmp_path.iterdir()) == []


def test_a_file_is_not_replaced_unless_that_is_wanted(record, tmp_path):
    kept = tmp_path / "t.trace"
    kept.write_text("kept")
    said = 'limitkit: "t.trace" is there already; name another file, or replace it with --force\n'
    assert record() == (2, said)
    assert kept.read_text() == "kept"


def test_what_was_there_stays_where_nothing_is_recorded(record, tmp_path):
    kept = tmp_path / "t.trace"
    kept.write_text("kept")
    kept.chmod(0o644)
    assert record("--force") == (2, "limitkit: no worker answered, so there is nothing to record; start one\n")
    assert kept.read_text() == "kept"
    assert kept.stat().st_mode & 0o777 == 0o644
    assert list(tmp_path.iterdir()) == [kept]


@pytest.mark.parametrize("options", [(), ("--force",)])
def test_only_a_regular_file_is_replaced(record, tmp_path, options):
    os.mkfifo(tmp_path / "t.trace")
    why = "it is no regular file, and only those are replaced"
    said = f'limitkit: "t.trace" can\'t be written ({why}); name another file, or make room\n'
    assert record(*options) == (2, said)
    assert [each.is_fifo() for each in tmp_path.iterdir()] == [True]


def test_a_file_that_cannot_be_written(record):
    said = 'limitkit: "none/t.trace" can\'t be written (No such file or directory); name another file, or make room\n'
    assert record(output="none/t.trace") == (2, said)


@pytest.mark.parametrize(
    ("option", "text", "said"),
    [
        ("--for", "soon", '"soon" is no time; write a number and s, m, h or d, e.g. "1h"'),
        ("--for", "0s", '"0s" is out of bounds; write a time from 1s to 31d'),
        ("--for", "32d", '"32d" is out of bounds; write a time from 1s to 31d'),
        ("--max-size", "many", '"many" is no size; write a whole number and KB, MB or GB, e.g. "100MB"'),
        ("--max-size", "-5MB", '"-5MB" is no size; write a whole number and KB, MB or GB, e.g. "100MB"'),
        ("--max-size", "٣MB", '"٣MB" is no size; write a whole number and KB, MB or GB, e.g. "100MB"'),
        ("--max-size", "99KB", '"99KB" is too small for a trace; write at least 100KB'),
    ],
)
def test_an_option_that_makes_no_sense(record, tmp_path, option, text, said):
    status, wrong = record(option, text)
    assert (status, wrong.splitlines()[-1].split(": ", 2)[2]) == (2, said)
    assert list(tmp_path.iterdir()) == []
