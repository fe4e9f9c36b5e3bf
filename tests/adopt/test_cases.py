"""Folders of code as it was and as it becomes: ``before/``, ``after/``, and all that is said in ``said.txt``."""

import os
import shutil
from pathlib import Path

import pytest

from limitkit.adopt.lift import lift
from limitkit.adopt.write import write
from limitkit.config.load import load

HERE = Path(__file__).parent / "cases"
ROOT = Path(__file__).parents[2]
CASES = sorted(folder.name for folder in HERE.iterdir())


def lifted(present=None):
    config = load("ratelimits.toml") if Path("ratelimits.toml").exists() else present
    return lift([Path()], "ratelimits.toml", config)


def content(folder):
    return {
        str(file.relative_to(folder)): file.read_bytes()
        for file in sorted(folder.rglob("*"))
        if file.is_file() and file.suffix != ".pyc"
    }


@pytest.fixture
def case(request, tmp_path, monkeypatch):
    shutil.copytree(HERE / request.param / "before", tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    return HERE / request.param


@pytest.mark.parametrize("case", CASES, indirect=True)
def test_code_becomes_what_is_kept_and_a_second_run_finds_nothing(case, tmp_path):
    found = lifted()
    write(found.changes)
    said = "".join(f"{line}\n" for line in [*found.unread, *found.lines])
    if "LIMITKIT_WRITE_SNAPSHOTS" in os.environ:
        shutil.rmtree(case / "after", ignore_errors=True)
        shutil.copytree(tmp_path, case / "after")
        (case / "said.txt").write_text(said)
    assert content(tmp_path) == content(case / "after")
    assert said == (case / "said.txt").read_text()
    for change in found.changes[1:]:
        compile(change.after, change.path, "exec")
    again = lifted()
    assert (again.changes, again.tasks) == ((), 0)


@pytest.mark.parametrize("case", ["patterns_page"], indirect=True)
def test_the_patterns_page_becomes_the_file_of_this_repository(case):
    write(lifted().changes)
    assert load("ratelimits.toml").document.data == load(ROOT / "ratelimits.toml").document.data


def test_a_task_that_had_the_default_rate_too_is_told_of(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    page = (HERE / "patterns_page" / "before" / "shop.py").read_text()
    Path("shop.py").write_text(page + '\n\ncelery_app.conf.task_default_rate_limit = "5/s"\n')
    said = [line.text for line in lifted().lines]
    assert [text.split()[0] for text in said if "had the rate of every task" in text] == [
        "shop.charge_customer",
        "shop.user_api_request",
    ]


def test_a_folder_that_cannot_be_looked_into_is_named(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("shop.py").write_text("")
    Path("data").mkdir()
    scan = os.scandir

    def closed(path):
        if Path(path).name == "data":
            raise PermissionError(13, "Permission denied", str(path))
        return scan(path)

    monkeypatch.setattr(os, "scandir", closed)
    with pytest.raises(PermissionError) as refused:
        lifted()
    assert Path(refused.value.filename).name == "data"
