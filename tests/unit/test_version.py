"""The version stands in one place, and a release has its notes."""

import re
import subprocess
from pathlib import Path

import tomli
from click.testing import CliRunner

import limitkit
from limitkit.cli import limitkit as command

ROOT = Path(__file__).parents[2]


def test_the_package_is_built_with_the_version_that_it_says():
    project = tomli.loads((ROOT / "pyproject.toml").read_text())
    assert "version" not in project["project"]
    assert "version" in project["project"]["dynamic"]
    assert project["tool"]["hatch"]["version"] == {"path": "limitkit/__init__.py"}


def test_the_command_says_it():
    assert CliRunner().invoke(command, ["--version"]).stdout == f"limitkit, version {limitkit.__version__}\n"


def test_the_newest_release_of_the_changelog_is_this_version():
    released = re.findall(r"^## \[(\d.*?)\]", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert released[:1] == [limitkit.__version__]


def test_the_sdist_has_all_that_is_in_the_repository():
    listed = tomli.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"]["sdist"]
    assert [name for name in listed["only-include"] if not (ROOT / name).exists()] == []
    if (ROOT / ".git").exists():  # it is not in the sdist
        files = subprocess.check_output(["git", "ls-files"], cwd=ROOT, text=True).splitlines()
        assert {file.split("/")[0] for file in files} == {*listed["only-include"], ".gitignore"}
