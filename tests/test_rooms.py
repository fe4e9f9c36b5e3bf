"""The package is built of rooms that one finds one's way in; which of them may import which, import-linter judges."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "limitkit"
FOLDERS = sorted(file.parent for file in PACKAGE.rglob("__init__.py"))
ROOMS = [folder for folder in FOLDERS if folder != PACKAGE]


def shown(folder):
    return str(folder.relative_to(ROOT))


def modules(folder):
    return [file for file in folder.glob("*.py") if file.name != "__init__.py"]


@pytest.mark.parametrize("folder", FOLDERS, ids=shown)
def test_a_folder_is_no_crowd(folder):
    assert 1 < len(modules(folder)) <= 25


def test_the_root_holds_few_modules():
    assert len(modules(PACKAGE)) <= 8, "put it into a room, or make one"


def test_each_folder_is_a_room():
    """One without an ``__init__`` would be imported, and not looked at here."""
    assert {file.parent for file in PACKAGE.rglob("*.py")} == {*FOLDERS}


def test_no_module_is_long():
    code = [file for file in PACKAGE.rglob("*") if file.suffix in {".py", ".lua"}]
    assert len(code) > 150
    assert {shown(file): lines for file in code if (lines := len(file.read_text().splitlines())) > 300} == {}


@pytest.mark.parametrize("room", ROOMS, ids=shown)
def test_a_room_has_a_map(room):
    """It says what the room is for, which module is its door, and what it may use."""
    told = ast.get_docstring(ast.parse((room / "__init__.py").read_text()))
    assert told
    assert "May use " in " ".join(told.split())
    doors = {file.stem for file in modules(room) + modules(room.parent)}
    assert doors & {*re.findall("``([a-z_]+)``", told)}, "no module is named"
    for name in re.findall("``([a-z_]+)/``", told):
        assert room / name in ROOMS, name


@pytest.mark.parametrize("room", [room for room in ROOMS if room.parent == PACKAGE], ids=shown)
def test_a_room_has_its_tests(room):
    folders = [ROOT / "tests" / room.name, ROOT / "tests" / "unit" / room.name]
    assert [file for folder in folders for file in folder.glob("test_*.py")]


def test_each_folder_of_unit_tests_is_of_a_room():
    unit = ROOT / "tests" / "unit"
    folders = {file.parent.relative_to(unit) for file in unit.rglob("*.py")}
    assert len(folders) > 8
    assert folders <= {folder.relative_to(PACKAGE) for folder in FOLDERS}


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


def test_a_good_file_is_judged_without_what_says_what_is_wrong_with_others():
    """A worker's start would take a quarter longer beyond Celery's own."""
    text = (
        'version = 1\n[tasks.paid]\nstrategy = "token_bucket"\nrate = "1/s"\n[tasks.paid.feedback]\non = ["x.Y:429"]\n'
    )
    code = f"import sys, limitkit.config.load as c, limitkit.config.source.toml as s; c.judge(s.parse({text!r}, '-')); "
    code += "print(*{'jsonschema', 'regex', 'tomlkit', 'rich', 'click'} & {*sys.modules})"
    assert subprocess.check_output([sys.executable, "-c", code], text=True) == "\n"
