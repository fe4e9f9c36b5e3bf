"""``limitkit adopt``: what it shows, what it writes, and how it ends."""

import os
import subprocess
from types import SimpleNamespace

import pytest
from support.commands import Runner, compare

CODE = """from celery import Celery

app = Celery("shop")


@app.task(name="shop.charge", rate_limit="10/s")
def charge(): ...


@app.task(rate_limit=compute())
def refund(): ...
"""


@pytest.fixture
def shop(tmp_path):
    (tmp_path / "shop.py").write_text(CODE)
    runner = Runner(tmp_path, NO_COLOR="1")
    return SimpleNamespace(
        folder=tmp_path,
        code=tmp_path / "shop.py",
        config=tmp_path / "ratelimits.toml",
        run=runner.run,
        transcript=runner.transcript,
    )


def test_it_shows_what_it_would_do_and_touches_nothing(shop):
    compare("adopt", "shown", shop.transcript("adopt", "shop.py"))
    assert shop.code.read_text() == CODE
    assert [file.name for file in shop.folder.iterdir()] == ["shop.py"]


def test_it_writes_what_it_has_shown(shop):
    shown = shop.run("adopt", ".").stdout
    done = shop.run("adopt", "--write", ".")
    assert (done.returncode, done.stdout) == (0, shown)
    assert shop.code.read_text() == CODE.replace(', rate_limit="10/s"', "")
    assert '[tasks."shop.charge"]' in shop.config.read_text()
    compare("adopt", "again", shop.transcript("adopt", "--check", "."))


def test_the_diff_can_be_applied(shop):
    shop.code.write_bytes(CODE.replace("\n", "\r\n").encode())
    done = shop.run("adopt", ".")
    subprocess.run(["patch", "-p1", "--binary"], input=done.stdout, cwd=shop.folder, check=True, capture_output=True)
    assert shop.run("adopt", ".").stdout == b""
    assert b"\r\n" in shop.code.read_bytes()


def test_check_is_for_ci(shop):
    assert shop.run("adopt", "--check", ".").returncode == 1
    assert shop.run("adopt", ".").returncode == 0
    assert shop.code.read_text() == CODE
    shop.run("adopt", "--write", ".")
    assert shop.run("adopt", "--check", ".").returncode == 0


def test_it_adds_to_a_file_and_leaves_it_as_it_is(shop):
    before = '# ours\nversion = 1\n[store]   # here\nurl = "redis://:secret@localhost"\n\n[tasks.other]\nlimits = []'
    shop.config.write_text(before)
    done = shop.run("adopt", "--write", ".")
    assert b"secret" not in done.stdout + done.stderr
    assert shop.config.read_text() == before + '\n\n[tasks."shop.charge"]\nstrategy = "static"\nrate = "10/s"\n'


def test_it_takes_out_what_the_file_has_already(shop):
    shop.config.write_text('version = 1\n[tasks."shop.charge"]\nstrategy = "static"\nrate = "600/m"\n')
    before = shop.config.read_text()
    shop.run("adopt", "--write", ".")
    assert shop.config.read_text() == before
    assert "10/s" not in shop.code.read_text()


@pytest.mark.parametrize("name", ["shop.charge", "shop.*"])
def test_it_lists_what_the_file_has_otherwise(shop, name):
    shop.config.write_text(f'version = 1\n[tasks."{name}"]\nstrategy = "static"\nrate = "9/s"\n')
    compare("adopt", f"other-{name[-1].replace('*', 'pattern')}", shop.transcript("adopt", "--check", "."))


def test_a_file_with_problems_stops_it(shop):
    shop.config.write_text("version = 2\n")
    compare("adopt", "problems", shop.transcript("adopt", "--write", "."))
    assert shop.code.read_text() == CODE


def test_a_file_that_can_not_take_more_tables_stops_it(shop):
    shop.config.write_text("version = 1\ntasks = {}\n")
    compare("adopt", "no-room", shop.transcript("adopt", "--write", "."))
    assert shop.code.read_text() == CODE


def test_code_that_can_not_be_read_is_listed_and_the_rest_is_done(shop):
    (shop.folder / "broken.py").write_text("def rate_limit(:\n")
    (shop.folder / "feed.py").write_text('x = 1\n\x0c@app.task(rate_limit="1/s")\ndef f(): ...\n')
    compare("adopt", "unread", shop.transcript("adopt", "--write", "."))
    assert "10/s" not in shop.code.read_text()


@pytest.mark.parametrize("arguments", [["nowhere"], ["--check", "--write", "."], []], ids=["nowhere", "both", "none"])
def test_wrong_usage(shop, arguments):
    done = shop.run("adopt", *arguments)
    assert (done.returncode, done.stdout) == (2, b"")


def test_the_app_knows_the_names_of_its_tasks(shop):
    shop.code.write_text('from naming import app\n\n\n@app.task(rate_limit="1/s")\ndef pay(): ...\n')
    (shop.folder / "naming.py").write_text(
        "from celery import Celery\n\n\n"
        "class Named(Celery):\n    def gen_task_name(self, name, module):\n        return f'our.{name}'\n\n\n"
        "app = Named(set_as_current=False)\n"
    )
    (shop.folder / "adopted_app.py").write_text("import shop\nfrom naming import app\n")
    code = "from limitkit.cli import main; main()"
    arguments = ["adopt", "-A", "adopted_app:app", "."]
    done = subprocess.run(
        [os.sys.executable, "-c", code, *arguments],
        cwd=shop.folder,
        capture_output=True,
        check=False,
        env=os.environ,
    )
    assert b'[tasks."our.pay"]' in done.stdout, done.stderr


def test_it_says_that_a_new_file_hides_another(shop):
    (shop.folder / "ratelimits.toml").write_text("version = 1\n")
    below = shop.folder / "below"
    below.mkdir()
    (below / "shop.py").write_text(CODE)
    said = Runner(below).run("adopt", ".").stderr.decode()
    assert f"--config {shop.config}" in said


def test_links_and_modes_stay(shop):
    real = shop.folder / "real.txt"
    shop.code.rename(real)
    real.chmod(0o750)
    shop.code.symlink_to(real)
    assert shop.run("adopt", "--write", ".").stdout == b""
    shop.run("adopt", "--write", "shop.py")
    assert shop.code.is_symlink()
    assert "10/s" not in real.read_text()
    assert real.stat().st_mode & 0o777 == 0o750
