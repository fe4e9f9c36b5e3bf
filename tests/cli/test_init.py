"""``limitkit init`` writes a file that is fine as it is, and stays so with whatever block is put to use."""

import itertools
import re
import sys

import pytest
import tomli
from support.commands import CLI, Runner, compare

from limitkit.config.app_check import problems
from limitkit.config.load import judge
from limitkit.config.source.toml import parse
from limitkit.config.starter_file import text

numbers = itertools.count()
BLOCK = re.compile(r"^# \[.*\n(?:# .*\n)*", re.MULTILINE)
WHOLE = text("ratelimits.schema.json", beside=True)
ODD_NAMES = [
    'say "hi"',
    "back\\slash",
    "two\nlines",
    "ünï.cödé",
    "a.b*c",
    " edges ",
    "zero\u200bwidth",
    "\u202eright",
    "'",
]
ODD_NAMES += [
    "x" * 300,
    "tab\t",
    "nul\x00",
    "del\x7f",
    "# hash",
    "[table]",
    "tasks",
    "lone\ud800",
    "emoji.🎉",
    '"""',
    "a.b",
]


def used(text, block):
    """Take the marks from the lines of a block."""
    return text.replace(block, re.sub("^# ", "", block, flags=re.MULTILINE))


def shown(done):
    return done.stdout.decode(), done.stderr.decode(), done.returncode


@pytest.fixture
def initialised(tmp_path):
    """Return what runs init with an app that is written here, and the folder."""

    def run(code, *words, broker="redis://localhost:1/0", **environ):
        name = f"app_of_init_{next(numbers)}"
        (tmp_path / f"{name}.py").write_text(
            f"import celery\napp = celery.Celery('{name}', broker='{broker}', set_as_current=False)\n{code}\n", "utf-8"
        )
        done = Runner(tmp_path, **environ).run("init", "-A", name, *words)
        done.app = sys.modules[name].app
        file = tmp_path / "ratelimits.toml"
        done.text = file.read_text("utf-8") if file.exists() else ""
        done.name = name
        return done

    return run


@pytest.mark.parametrize("words", [(), ("-A", "initapp")], ids=["without an app", "with an app"])
def test_what_is_written(words, tmp_path):
    done = Runner(tmp_path).run("init", *words)
    written = (tmp_path / "ratelimits.toml").read_text("utf-8")
    said = done.stderr.decode()
    assert (done.stdout, done.returncode) == (b"", 0)
    compare("init", "with_app" if words else "without_app", f"{written}{said}")
    for strict in ((), *([words] if words else ())):
        assert shown(Runner(tmp_path).run("validate", "--strict", *strict)) == ("", "ratelimits.toml: fine\n", 0)
    assert "sesame" not in written + said
    assert "s3cret" not in written + (tmp_path / "ratelimits.schema.json").read_text("utf-8")


def test_the_page_of_the_commands_shows_it(tmp_path):
    compare("init", "transcript", Runner(tmp_path).transcript("init", "-A", "initapp"))


def test_no_line_is_too_long_for_a_screen(tmp_path):
    Runner(tmp_path).run("init", "-A", "initapp")
    assert max(map(len, (tmp_path / "ratelimits.toml").read_text("utf-8").splitlines())) <= 120


@pytest.mark.parametrize("block", BLOCK.findall(WHOLE))
def test_each_general_block_is_a_limit(block):
    config = judge(parse(used(WHOLE, block), "ratelimits.toml"))
    assert not config.warnings
    assert len(config.rules.exact) + len(config.rules.patterns) == ("[store]" not in block)


def test_all_general_blocks_together():
    everything = re.sub("^# (?=\\[|[a-z_]+ = )", "", WHOLE, flags=re.MULTILINE)
    config = judge(parse(everything, "ratelimits.toml"))
    assert len(config.rules.exact) + len(config.rules.patterns) == len(BLOCK.findall(WHOLE)) - 1
    assert not config.warnings


def test_each_task_block_is_a_limit_of_that_task(tmp_path):
    Runner(tmp_path).run("init", "-A", "initapp")
    sys.path.insert(0, str(CLI))
    import initapp

    sys.path.remove(str(CLI))
    written = (tmp_path / "ratelimits.toml").read_text("utf-8")
    blocks = [block for block in BLOCK.findall(written) if "[tasks." in block]
    names = set()
    for block in blocks:
        config = judge(parse(used(written, block), "ratelimits.toml"))
        names |= {*config.rules.exact}
        found = [each for each in problems(config, initapp.app.tasks) if each.code != "LK044"]
        assert (len(config.rules.exact), config.warnings, found) == (1, (), [])
    assert names == {name for name in initapp.app.tasks if not name.startswith("celery.")}
    for block in blocks:
        written = used(written, block)
    (tmp_path / "ratelimits.toml").write_text(written)
    done = Runner(tmp_path).run("validate", "-A", "initapp")
    assert done.returncode == 0
    assert {re.search(r"LK\d+", line)[0] for line in done.stdout.decode().splitlines()} == {"LK044"}


def test_what_is_known_of_a_task_is_suggested(tmp_path):
    Runner(tmp_path).run("init", "-A", "initapp")
    written = (tmp_path / "ratelimits.toml").read_text("utf-8")
    for block in BLOCK.findall(written):
        written = used(written, block)
    tasks = tomli.loads(written)["tasks"]
    per_user = {"strategy": "per_user", "rate": "1/s"}
    assert tasks == {
        "shop.charge": {**per_user, "key": "customer_id"},
        "shop.pay": {"strategy": "token_bucket", "rate": "10/s"},
        "shop.sync": {"strategy": "static", "rate": "30/m"},
        "shop.poll": {"strategy": "static", "rate": "2/s"},
        "shop.odd": {"strategy": "token_bucket", "rate": "10/s"},
        "emails.receipt": {**per_user, "key": "user"},
        "emails.invoice": {**per_user, "key": "orgId"},
    }


def test_odd_names(initialised, tmp_path):
    code = "def work(x='a\\nb'): ...\nfor name in NAMES: app.task(name=name, shared=False)(work)"
    done = initialised(f"import limitkit\nlimitkit.install(app)\nNAMES = {ODD_NAMES!r}\n{code}")
    assert done.returncode == 0
    assert done.text.isascii() or all(char.isprintable() or char == "\n" for char in done.text)
    own = {name for name in ODD_NAMES if "\ud800" not in name}
    names = set()
    for block in BLOCK.findall(done.text):
        names |= {*tomli.loads(used(done.text, block)).get("tasks", ())}
        assert not any(each.severity == "error" for each in judge(parse(used(done.text, block), "f")).warnings)
    assert names == own
    everything = done.text
    for block in BLOCK.findall(done.text):
        everything = used(everything, block) if "[tasks." in block else everything
    (tmp_path / "ratelimits.toml").write_text(everything, "utf-8")
    assert Runner(tmp_path).run("validate", "-A", done.name).returncode == 0


def test_a_long_signature_is_cut(initialised):
    arguments = ", ".join(f"argument_{number}=None" for number in range(40))
    done = initialised(f"@app.task(name='long', shared=False)\ndef long({arguments}): ...")
    line = next(line for line in done.text.splitlines() if "[tasks.long]" in line)
    assert len(line) < 120
    assert line.endswith("…")


@pytest.mark.parametrize("broker", ["memory://", "amqp://guest:sesame@localhost//"])
def test_without_a_redis_a_store_is_written_that_all_blocks_can_use(broker, initialised, tmp_path):
    code = "import limitkit\nlimitkit.install(app)\n@app.task(name='a.b', shared=False)\ndef b(): ..."
    done = initialised(code, broker=broker)
    assert tomli.loads(done.text)["store"] == {"url": "redis://localhost:6379/0"}
    assert "sesame" not in done.text
    (tmp_path / "ratelimits.toml").write_text(used(done.text, next(b for b in BLOCK.findall(done.text) if "a.b" in b)))
    assert shown(Runner(tmp_path).run("validate", "--strict", "-A", done.name)) == ("", "ratelimits.toml: fine\n", 0)


class TestFiles:
    def test_a_file_that_is_there_is_kept(self, tmp_path):
        (tmp_path / "ratelimits.toml").write_text("mine")
        said = "limitkit: ratelimits.toml is there already and is kept; "
        said += "write another, limitkit init -o FILE, or print it: -o -\n"
        assert shown(Runner(tmp_path).run("init")) == ("", said, 2)
        assert [file.name for file in tmp_path.iterdir()] == ["ratelimits.toml"]
        assert (tmp_path / "ratelimits.toml").read_text() == "mine"

    def test_a_link_to_nothing_is_kept(self, tmp_path):
        (tmp_path / "ratelimits.toml").symlink_to("gone.toml")
        assert Runner(tmp_path).run("init").returncode == 2
        assert [file.name for file in tmp_path.iterdir()] == ["ratelimits.toml"]

    def test_a_schema_that_is_there_is_kept(self, tmp_path):
        (tmp_path / "ratelimits.schema.json").write_text("{}")
        done = Runner(tmp_path).run("init")
        assert done.returncode == 0
        assert b"ratelimits.schema.json: was there already, and is kept\n" in done.stderr
        assert (tmp_path / "ratelimits.schema.json").read_text() == "{}"

    def test_the_schema_is_the_app_s_own(self, tmp_path):
        Runner(tmp_path).run("init", "-A", "initapp")
        assert Runner(tmp_path).run("schema", "-A", "initapp", "--check", "ratelimits.schema.json").returncode == 0

    def test_it_can_be_printed(self, tmp_path):
        out, err, status = shown(Runner(tmp_path).run("init", "-o", "-"))
        assert (err, status, [*tmp_path.iterdir()]) == ("", 0, [])
        assert not out.startswith("#:schema")
        assert tomli.loads(out) == {"version": 1}
        assert "limitkit schema -o ratelimits.schema.json" in out

    @pytest.mark.parametrize("option", ["-o", "--config"])
    def test_another_name(self, option, tmp_path):
        (tmp_path / "conf").mkdir()
        done = Runner(tmp_path).run("init", option, "conf/limits.toml")
        assert sorted(file.name for file in (tmp_path / "conf").iterdir()) == ["limits.toml", "ratelimits.schema.json"]
        said = done.stderr.decode()
        assert "  limitkit validate --config conf/limits.toml\n" in said
        assert "LIMITKIT_CONFIG=conf/limits.toml\n" in said
        assert Runner(tmp_path).run("validate", "--strict", "--config", "conf/limits.toml").returncode == 0

    def test_two_names(self, tmp_path):
        assert Runner(tmp_path).run("init", "-o", "a.toml", "--config", "b.toml").returncode == 2

    def test_a_folder_that_is_not_there(self, tmp_path):
        out, err, status = shown(Runner(tmp_path).run("init", "-o", "gone/ratelimits.toml"))
        assert (out, status) == ("", 2)
        assert err == "limitkit: gone/ratelimits.schema.json can't be written: No such file or directory\n"

    def test_one_in_a_folder_above_is_named(self, tmp_path):
        (tmp_path / "ratelimits.toml").write_text("version = 1\n")
        (tmp_path / "in").mkdir()
        said = Runner(tmp_path / "in").run("init").stderr.decode()
        assert f"{tmp_path}/ratelimits.toml is in a folder above: " in said
        assert "is in a folder above" not in Runner(tmp_path).run("init", "-o", "other.toml").stderr.decode()

    def test_an_app_that_can_not_be_imported_writes_nothing(self, tmp_path):
        assert Runner(tmp_path).run("init", "-A", "no_such_app").returncode == 2
        assert not [*tmp_path.iterdir()]


class TestNextSteps:
    def test_of_an_app_without_limitkit(self, initialised):
        done = initialised("")
        assert "  where the app is made: import limitkit; limitkit.install(app)\n" in done.stderr.decode()
        assert f"  limitkit validate -A {done.name}\n" in done.stderr.decode()

    def test_of_an_app_with_it(self, initialised):
        assert b"limitkit.install(app)" not in initialised("import limitkit\nlimitkit.install(app)").stderr

    def test_a_variable_that_names_another_file(self, initialised):
        assert b"LIMITKIT_CONFIG=ratelimits.toml" in initialised("", LIMITKIT_CONFIG="other.toml").stderr
        assert b"LIMITKIT_CONFIG" not in initialised("", "-o", "in/../ratelimits.toml").stderr
