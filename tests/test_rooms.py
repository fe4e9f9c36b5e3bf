"""Imports go one way, and each outside package has one door."""

import subprocess
import sys

import pytest


def test_only_tasks_and_workers_need_celery_and_redis():
    """Judging a file takes neither: ``limitkit validate`` is quick, and runs where there is no app."""
    code = (
        "import sys; from limitkit.cli import COMMANDS, limitkit\n"
        "for name in COMMANDS: limitkit.get_command(None, name)\n"
        "from limitkit.config.load import judge\n"
        "from limitkit.config.source.toml import parse; judge(parse(b'version = 1', '-'))\n"
        "print(*{'celery', 'kombu', 'redis', 'prometheus_client'} & {*sys.modules})"
    )
    assert subprocess.check_output([sys.executable, "-c", code], text=True) == "\n"


@pytest.mark.parametrize(("url", "wanted"), [("redis://:pw@localhost:6379/0", "False"), ("redis://h?db=1", "True")])
def test_only_an_address_with_options_needs_redis_to_be_judged(url, wanted):
    text = f'version = 1\n[store]\nurl = "{url}"\n'
    code = f"import sys, limitkit.config.load as c, limitkit.config.source.toml as s; c.judge(s.parse({text!r}, '-')); "
    code += "print('redis' in sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (run.stdout.strip(), run.stderr) == (wanted, "")
