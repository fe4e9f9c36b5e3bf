"""``limitkit demo`` shows what it should, and leaves nothing behind."""

import os
import re
import signal
import subprocess
from pathlib import Path

import pytest
from support.demo import COMMAND
from support.workers import wait_until

ROOT = Path(__file__).parents[2]
HEADINGS = ["limit", "declared", "achieved", "worst window", "lost"]


@pytest.fixture
def environ(tmp_path):
    """What a user may have set for an app of their own; the demo must not reach that app's broker."""
    elsewhere = {"CELERY_BROKER_URL": "redis://127.0.0.1:1/0", "CELERY_RESULT_BACKEND": "nowhere://"}
    config = {"LIMITKIT_CONFIG": "/nowhere.toml", "LIMITKIT_MODE": "off"}
    return {**os.environ, **elsewhere, **config, "PYTHONPATH": str(ROOT), "TMPDIR": str(tmp_path)}


def left_behind(folder):
    """Command lines of processes that work in this folder."""
    return [process for process in Path("/proc").glob("[0-9]*") if works_in(process, folder)]


def works_in(process, folder):
    try:
        return str(process.joinpath("cwd").resolve()).startswith(str(folder))
    except OSError:
        return False


@pytest.mark.quiet
def test_it_keeps_each_limit_and_says_so(environ, tmp_path):
    said = subprocess.run(COMMAND, capture_output=True, text=True, env=environ, check=False, timeout=120)
    # Whether starts were late on a busy machine is for it to say, and its sums have tests of their own.
    assert said.returncode == ("Each limit was kept and nothing was lost: 1,570 tasks in " not in said.stdout)
    heading, *rows = said.stdout.strip().splitlines()[:7]
    assert re.split(r"  +", heading) == HEADINGS
    assert [row.split()[0] for row in rows] == [
        "call_external_api",
        "send_push_notification",
        "send_marketing_email",
        "stripe_api",
        "user_api_request",
        "update_search_index",
    ]
    assert {row.split()[-1] for row in rows} == {"0"}
    assert max(map(len, said.stdout.splitlines())) <= 100
    for starts, most in re.findall(r"(\d+) in [\d.]+ s, max (\d+)", said.stdout):
        assert int(starts) <= int(most) + 4  # a late one in each process
    assert "\x1b" not in said.stdout + said.stderr
    wait_until(lambda: not left_behind(tmp_path))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_it_can_be_stopped_and_leaves_nothing_behind(environ, tmp_path, how):
    demo = subprocess.Popen(
        COMMAND,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environ,
        preexec_fn=lambda: signal.signal(how, signal.SIG_DFL),  # noqa: PLW1509 (a suite in the background ignores some)
    )
    with demo:
        assert demo.stderr.readline().startswith("Starting")
        assert demo.stderr.readline().startswith("Ready")
        assert len(left_behind(tmp_path)) >= 7  # Redis, two workers, and two pool processes each
        demo.send_signal(how)
        stdout, stderr = demo.communicate(timeout=60)
    assert (demo.returncode, stdout) == (128 + how, "")
    assert stderr == "limitkit: stopped; of the limits nothing is said.\n"
    wait_until(lambda: not left_behind(tmp_path))
    assert not list(tmp_path.iterdir())


def test_without_a_redis_server_it_says_what_to_do(environ, tmp_path):
    environ["LIMITKIT_REDIS_SERVER"] = str(tmp_path / "gone")
    said = subprocess.run(COMMAND, capture_output=True, text=True, env=environ, check=False, timeout=60)
    assert (said.returncode, said.stdout) == (2, "")
    fact = f"LIMITKIT_REDIS_SERVER is '{tmp_path / 'gone'}', no program; name a redis-server, or unset it"
    assert said.stderr == f"limitkit: {fact}\n"
