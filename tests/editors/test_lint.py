"""The linters behind editors judge files by the schema as it is meant: Taplo, and Tombi."""

import platform
import re
import shutil
import subprocess
import sys

import pytest
import tomli
from support.commands import Runner
from support.needed import needed_of_python
from support.pages import DOCS, blocks
from support.workers import ROOT

from limitkit.config.checks import json_schema, schema_validator

SCHEMA = "ratelimits.schema.json"
BAD = sorted((ROOT / "tests" / "bad_configs").glob("*.toml"))
GOOD = [
    ROOT / "ratelimits.toml",
    ROOT / "limitkit" / "demo" / "ratelimits.toml",
    *sorted((ROOT / "examples" / "recipes").glob("*.toml")),
    *sorted((ROOT / "examples").rglob("ratelimits.toml")),
]
JUDGE = schema_validator.judge()(json_schema.make())
LINTERS = ["tombi"]
if (sys.platform, platform.machine()) == ("linux", "x86_64"):
    LINTERS += ["taplo"]  # as in the group test of pyproject.toml
TAPLO_DIFFERS = {"recover_out_of_range.toml"}
"""Taplo reads nan as null."""
OWN_FILES = {"taplo": ".taplo.toml", "tombi": "tombi.toml"}
CONFIGS = dict(zip(OWN_FILES, (block.text for block in blocks(DOCS / "editors.md", "ini")), strict=True))
"""By linter: its own file, which says which schema holds for which files, as the page shows it."""
WORDS = {"taplo": ["lint"], "tombi": ["lint", "--offline", "."]}
WRONG = {
    # It may end before the last lines of its log are written, so the places count, too.
    "taplo": re.compile(r'invalid file error=.* path="(?:.*/)?([^"/]+)"|┌─ (?:.*/)?([^:/\n]+):\d'),
    "tombi": re.compile(r'Error: .*\n *at (?:.*/)?([^:/\n]+):\d|Error: "(?:.*/)?([^"/]+)" failed to read'),
}


def linted(linter, folder):
    """Lint all files of a folder; returns what is said, without colors, and the exit status."""
    command = [needed_of_python(linter), *WORDS[linter]]
    environ = {"NO_COLOR": "1", "HOME": str(folder)}
    done = subprocess.run(command, cwd=folder, capture_output=True, check=False, env=environ)
    return re.sub(r"\x1b\[[0-9;]*m", "", (done.stdout + done.stderr).decode()), done.returncode


def wrong_files(linter, folder):
    """Lint all files of a folder; returns the names of those with errors, and the exit status."""
    said, status = linted(linter, folder)
    found = {next(filter(None, match.groups())) for match in WRONG[linter].finditer(said)}
    return found - {*OWN_FILES.values()}, status


def is_wrong(file):
    """Whether a file is no TOML, or the schema rejects it."""
    try:
        return any(JUDGE.iter_errors(tomli.loads(file.read_bytes().decode())))
    except (ValueError, RecursionError):  # also for a number of more digits than Python writes
        return True


@pytest.fixture
def folder(tmp_path):
    """A folder whose files all have the schema."""
    (tmp_path / SCHEMA).write_text(json_schema.text(), encoding="utf-8")
    return tmp_path


@pytest.mark.parametrize("linter", LINTERS)
def test_bad_files_are_judged_as_the_schema_is_meant(linter, folder):
    (folder / OWN_FILES[linter]).write_text(CONFIGS[linter].replace("ratelimits.toml", "*.toml"))
    for file in BAD:
        shutil.copy(file, folder)
    wanted = {file.name for file in BAD if is_wrong(file)}
    assert len(wanted) > 60
    found, status = wrong_files(linter, folder)
    assert status == 1
    assert found ^ wanted == (TAPLO_DIFFERS if linter == "taplo" else set())


@pytest.mark.parametrize("linter", LINTERS)
def test_the_linter_s_own_file_names_the_schema_of_ratelimits_toml_alone(linter, folder):
    (folder / OWN_FILES[linter]).write_text(CONFIGS[linter])
    (folder / "other.toml").write_text('mode = "enforced"\n')
    assert wrong_files(linter, folder) == (set(), 0)
    (folder / "in").mkdir()
    for file in (folder / "ratelimits.toml", folder / "in" / "ratelimits.toml"):
        file.write_text('version = 1\nmode = "enforced"\n')
        assert wrong_files(linter, folder) == ({"ratelimits.toml"}, 1)
        file.unlink()


@pytest.mark.parametrize("linter", LINTERS)
def test_good_files_are_fine_with_the_schema_that_their_first_line_names(linter, folder):
    for number, file in enumerate(GOOD):
        text = re.sub(r"^#:schema .*\n", "", file.read_text(encoding="utf-8"))
        (folder / f"{number}.toml").write_text(f"#:schema {SCHEMA}\n{text}", encoding="utf-8")
    assert len(GOOD) > 10
    assert wrong_files(linter, folder) == (set(), 0)
    (folder / "bad.toml").write_text(f'#:schema {SCHEMA}\nversion = 1\nmode = "enforced"\n', encoding="utf-8")
    assert wrong_files(linter, folder) == ({"bad.toml"}, 1)


@pytest.mark.parametrize("linter", LINTERS)
def test_a_fault_between_keys_is_marked_at_its_table_alone(linter, folder):
    """One that is found in the file as a whole is marked by Taplo at each of its words."""
    per_user = '[tasks."shop.charge"]\nstrategy = "per_user"\nrate = "1/s"\n'
    static = '[tasks."shop.pay"]\nstrategy = "static"\nrate = "1/s"\n'
    (folder / "bad.toml").write_text(f"#:schema {SCHEMA}\nversion = 1\n{static}{per_user}", encoding="utf-8")
    said, status = linted(linter, folder)
    lines = {*re.findall(r"bad\.toml:(\d+):", said)}
    assert "6" in lines <= {"6", "7", "8"}
    assert status == 1


@pytest.mark.parametrize("linter", LINTERS)
def test_a_file_that_extends_another_may_have_parts_of_tables(linter, folder):
    text = f'#:schema {SCHEMA}\nextends = "ratelimits.toml"\nlimits.stripe.rate = "1/s"\ntasks."a.b".mode = "off"\n'
    (folder / "dev.toml").write_text(text, encoding="utf-8")
    assert wrong_files(linter, folder) == (set(), 0)
    (folder / "dev.toml").write_text(text.replace('extends = "ratelimits.toml"', "version = 1"), encoding="utf-8")
    assert wrong_files(linter, folder) == ({"dev.toml"}, 1)


@pytest.mark.parametrize("linter", LINTERS)
def test_what_init_writes_is_fine_and_has_its_schema(linter, tmp_path):
    Runner(tmp_path).run("init", "-A", "initapp")
    assert wrong_files(linter, tmp_path) == (set(), 0)
    file = tmp_path / "ratelimits.toml"
    text = file.read_text(encoding="utf-8")
    file.write_text(text.replace('# [tasks."shop.pay"]', '[tasks."shop.pay"]\nstrategy = "leaky_bucket"'))
    assert wrong_files(linter, tmp_path) == ({"ratelimits.toml"}, 1)
