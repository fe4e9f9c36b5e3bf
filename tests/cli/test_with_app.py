"""What ``validate`` and ``explain`` say of a file together with an app: its settings, and what was forgotten there."""

import itertools

import pytest
from support.commands import Runner

numbers = itertools.count()
FILE = """version = 1

[store]
url = "redis://localhost:1/0"

[limits.stripe_api]
strategy = "token_bucket"
rate = "25/s"
burst = 100

[limits.unused]
strategy = "static"
rate = "1/s"

[tasks."shop.charge"]
limits = ["stripe_api"]

[tasks."emails.*"]
strategy = "token_bucket"
rate = "10/m"

[tasks."emails.receipt"]
limits = []
"""
INSTALL = "limitkit.install(app)"


@pytest.fixture
def project(tmp_path):
    """Return what writes an app's module and its file, and runs a command with them."""

    def run(*words, conf="", install=INSTALL, file=FILE, broker="memory://", tasks="", folder=tmp_path, **environ):
        name = f"app_of_with_app_{next(numbers)}"
        (tmp_path / "ratelimits.toml").write_text(file)
        (tmp_path / f"{name}.py").write_text(f"""
import celery
import limitkit
app = celery.Celery("{name}", broker="{broker}", set_as_current=False)
app.conf.update({conf})
{install}
def work(customer=None): ...
for name in ("shop.charge", "shop.other", "emails.receipt", "emails.welcome", "emails.bye"):
    app.task(name=name, shared=False)(work)
{tasks}
""")
        done = Runner(folder, **environ).run(*words, "-A", name)
        done.said = (done.stdout + done.stderr).decode()
        return done

    return run


STATIC = 'version = 1\n[tasks."shop.*"]\nstrategy = "static"\nrate = "1/s"\n'
SHARED = 'version = 1\n[tasks."shop.*"]\nstrategy = "token_bucket"\nrate = "1/s"\n'
MEMORY = f'{SHARED}[store]\nurl = "memory://"\n'
REFUSED = {
    "no store": ({"file": SHARED}, "LK050"),
    "memory in the default pool": ({"file": MEMORY}, "LK051"),
    "memory in a pool of processes": ({"file": MEMORY, "conf": "worker_pool='processes'"}, "LK051"),
    "limits switched off": ({"conf": "worker_disable_rate_limits=True"}, "LK052"),
}
FINE = {
    "the broker's store": {"file": SHARED, "broker": "redis://localhost:1/0"},
    "the result backend's store": {"file": SHARED, "conf": "result_backend='redis://localhost:1/0'"},
    "memory in threads": {"file": MEMORY, "conf": "worker_pool='threads'"},
    "memory in a pool that is not here": {"file": MEMORY, "conf": "worker_pool='gevent'"},
    "static limits need no store": {"file": STATIC},
    "switched off, and no limit in force": {
        "file": STATIC,
        "conf": "worker_disable_rate_limits=True",
        "LIMITKIT_MODE": "off",
    },
    "no store, and no limit in force": {"file": f'mode = "off"\n{SHARED}'},
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_a_worker_would_refuse(name, project):
    how, code = REFUSED[name]
    done = project("validate", **how)
    assert (done.returncode, done.said.count(f": {code} ")) == (1, 1)


@pytest.mark.parametrize("name", FINE)
def test_what_a_worker_would_not_refuse(name, project):
    done = project("validate", **FINE[name])
    assert (done.returncode, "LK05" in done.said) == (0, False), done.said


@pytest.mark.parametrize("words", [["validate"], ["explain", "shop.charge"], ["explain", "stripe_api"]])
class TestInstalled:
    def test_it_was_forgotten(self, words, project):
        done = project(*words, install="")
        assert (
            "ratelimits.toml:1:1: LK045 the app does not call limitkit.install(app), so its workers keep none of these"
            in done.said
        )
        assert done.returncode == 0
        if words == ["validate"]:
            assert project(*words, "--strict", install="").returncode == 1

    def test_it_was_not(self, words, project):
        assert "LK04" not in project(*words).said.replace("LK041", "").replace("LK040", "")

    def test_another_file_is_installed(self, words, project, tmp_path):
        (tmp_path / "other.toml").write_text(FILE.replace("25/s", "30/s"))
        done = project(*words, "--config", "other.toml")
        assert (
            "other.toml:1:1: LK046 the app's workers do not go by this file: they find ratelimits.toml, " in done.said
        )
        assert "LK046" not in project(*words, "--config", "./ratelimits.toml").said

    def test_the_same_text_elsewhere_is_fine(self, words, project, tmp_path):
        (tmp_path / "copy.toml").write_text(FILE)
        assert "LK046" not in project(*words, "--config", "copy.toml").said

    def test_the_app_s_own_file_is_the_one_that_is_looked_at(self, words, project, tmp_path):
        (tmp_path / "other.toml").write_text(FILE.replace("25/s", "30/s"))
        for install in ("limitkit.install(app, 'other.toml')", "limitkit.install(app, limitkit.load('other.toml'))"):
            done = project(*words, install=install)
            assert "other.toml" in done.said
            assert "ratelimits.toml" not in done.said
            assert "LK046" in project(*words, "--config", "ratelimits.toml", install=install).said

    def test_a_file_that_is_not_found_from_here(self, words, project, tmp_path):
        (tmp_path / "other.toml").write_text(FILE)
        done = project(*words, "--config", "other.toml", LIMITKIT_CONFIG="gone.toml")
        assert "LK046 the app's workers do not go by this file: they find gone.toml, which " in done.said


def test_celery_s_own_limit_of_a_task_without_one(project):
    for name in ("shop.other", "emails.receipt"):
        done = project("explain", name, conf="task_default_rate_limit='3/m'")
        assert done.said.splitlines()[-1] == "Celery itself limits it: 3/m in each worker, by task_default_rate_limit."
        assert "it is not limited" not in done.said
        assert "it is not limited" in project("explain", name).said


def test_celery_s_own_limit_gives_way(project):
    annotated = "task_annotations={'*': {'rate_limit': '3/m'}}"
    done = project("explain", "shop.charge", conf=annotated)
    assert "Celery's own limit, 3/m in each worker, by task_annotations, gives way to the file.\n" in done.said
    assert "Celery itself limits it: 3/m" in project("explain", "shop.charge", conf=annotated, install="").said
    off = project("explain", "shop.charge", conf=annotated, LIMITKIT_MODE="off")
    assert "Celery itself limits it: 3/m" in off.said
    disabled = project("explain", "shop.other", conf=f"{annotated}, worker_disable_rate_limits=True")
    assert "Celery's own limit, 3/m in each worker, by task_annotations, is not kept: " in disabled.said
    warned = project("validate", conf=annotated).said
    assert (
        'LK044 tasks."shop.charge": shop.charge has a rate_limit by task_annotations, "3/m", which gives way' in warned
    )


def test_who_shares_a_limit(project):
    lines = project("explain", "stripe_api").stdout.decode().splitlines()
    assert lines[0] == "limits.stripe_api, ratelimits.toml:6"
    assert lines[3].split()[:5] == ["stripe_api", "token_bucket", "25/s", "100", "-"]
    assert lines[3].split()[5:] == ["125", "1600", "90100", "ratelimits.toml:6"]
    assert lines[-1].split() == ["shop.charge", 'tasks."shop.charge"', "ratelimits.toml:15"]
    assert "No task names it, so it limits nothing." in project("explain", "unused").said


def test_which_tasks_a_pattern_holds_for(project):
    said = project("explain", "emails.*").said
    assert said.splitlines()[0] == 'tasks."emails.*", ratelimits.toml:18'
    assert "These have an entry of their own in its place: emails.receipt." in said
    listed = [line.split()[0] for line in said.splitlines() if line.endswith("ratelimits.toml:18")][1:]
    assert [name for name in listed if name.startswith("emails")] == ["emails.bye", "emails.welcome"]
    assert said.splitlines()[-1] == "2 tasks together start at most: 2 in a second, 22 in a minute, 1202 in an hour."


def test_a_name_that_is_a_limit_and_a_task(project):
    file = FILE.replace("[limits.unused]", '[limits."shop.charge"]')
    said = project("explain", "shop.charge", file=file).said
    assert '\nshop.charge: tasks."shop.charge", ratelimits.toml:15\n' in said
    assert said.startswith('limits."shop.charge", ratelimits.toml:11\n')


@pytest.mark.parametrize("shown", ["limits.stripe_api", "tasks.shop.charge", 'tasks."shop.charge"', "tasks.emails.*"])
def test_a_name_as_other_commands_show_it(shown, project):
    plain = shown.removeprefix("limits.").removeprefix("tasks.").strip('"')
    assert project("explain", shown).stdout == project("explain", plain).stdout != b""


def test_a_task_whose_name_begins_like_that(project):
    done = project("explain", "tasks.add", tasks='app.task(name="tasks.add", shared=False)(work)')
    assert done.said.startswith("tasks.add has no entry in ratelimits.toml: it is not limited.")


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("stripe_apy", 'the app has no task "stripe_apy"; did you mean "stripe_api"?'),
        ("email.*", 'there is no pattern "email.*" in ratelimits.toml; did you mean "emails.*"?'),
        ("*", 'there is no pattern "*" in ratelimits.toml; write it as the file does'),
    ],
)
def test_a_name_of_nothing(name, said, project):
    done = project("explain", name)
    assert (done.returncode, done.said) == (2, f"limitkit: {said}\n")


def test_a_pattern_has_no_arguments(project):
    done = project("explain", "emails.*", "--args", "[]")
    assert done.returncode == 2
    assert "name the task" in done.said


BROKEN = {
    "raise RuntimeError('\\x1b[31m')": "RuntimeError: \\u001B[31m (FILE:1)",
    "raise SystemExit(3)": "a module of it ends the program: SystemExit: 3 (FILE:1)",
    "class Stop(BaseException): pass\nraise Stop('now')": "NAME.Stop: now (FILE:2)",
    "import os\nos.xyzzy_42": "AttributeError: module 'os' has no attribute 'xyzzy_42' (FILE:2)",
    "import no_such_module": "ModuleNotFoundError: No module named 'no_such_module' (FILE:1)",
    "def (": "SyntaxError: invalid syntax (FILE:1)",
    "": 'the module NAME has no "app"; and there is no Celery app in it',
}


@pytest.mark.parametrize("text", BROKEN)
@pytest.mark.parametrize("form", ["NAME", "NAME:app"])
def test_an_app_that_can_not_be_had(text, form, tmp_path):
    name = f"app_of_with_app_{next(numbers)}"
    file = tmp_path / f"{name}.py"
    file.write_text(text)
    done = Runner(tmp_path).run("validate", "-A", form.replace("NAME", name))
    why = BROKEN[text].replace("FILE", str(file)).replace("NAME", name)
    said = f'limitkit: the app "{form.replace("NAME", name)}" can\'t be imported: {why}\n'
    assert (done.returncode, done.stdout.decode(), done.stderr.decode()) == (2, "", said)


@pytest.mark.parametrize("separator", [":", "."])
def test_a_module_that_has_its_app_under_another_name(separator, tmp_path):
    name = f"app_of_with_app_{next(numbers)}"
    (tmp_path / f"{name}.py").write_text("import celery\nshop = celery.Celery('shop', set_as_current=False)\n")
    done = Runner(tmp_path).run("validate", "-A", f"{name}{separator}nope")
    assert f'the module {name} has no "nope"; the app is there as "{name}:shop"' in done.stderr.decode()


def test_what_an_app_prints_is_no_data(project):
    done = project("explain", "shop.charge", tasks="print('hello')")
    assert b"hello" not in done.stdout
    assert b"hello" in done.stderr


def test_a_concurrency_limit_without_a_store_may_be_each_worker_s(project):
    file = """version = 1

[tasks."shop.charge"]
strategy = "concurrency"
max_running = 2
"""
    done = project("validate", file=file)
    assert done.returncode == 1
    assert 'write [store] with url = "redis://…", or scope = "worker"' in done.said
    assert project("validate", file=f'{file}scope = "worker"\n').returncode == 0
