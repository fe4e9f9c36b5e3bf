"""What is skipped where a server is missing is told in one line, and CI can run just that again."""

import shutil

from support import needed, skipped

SKIPS = """
from support.needed import needed
import pytest

@pytest.fixture
def gone():
    return needed("no-such-server", "nor-this", package="the-server")

@pytest.mark.parametrize("name", ["a b", "c[d]"])
def test_of_it(gone, name): ...

def test_of_no_server(): ...
"""
REASON = "no-such-server is missing, which Debian has in its package the-server"
pytest_plugins = ["pytester"]


def test_skipped_tests_are_noted_and_reported(pytester, monkeypatch):
    notes = pytester.path / "notes"
    monkeypatch.setenv("LIMITKIT_SKIPPED", str(notes))
    for name in ("CI", "PYTEST_XDIST_WORKER"):
        monkeypatch.delenv(name, raising=False)
    pytester.makeconftest("from support.skipped import note as pytest_runtest_logreport")
    name = pytester.makepyfile(SKIPS).name
    pytester.runpytest_inprocess("-p", "no:xdist", "-p", "no:randomly").assert_outcomes(passed=1, skipped=2)
    lines = notes.read_text().splitlines()
    assert [line.partition("\t")[0] for line in lines] == [f"{name}::test_of_it[{each}]" for each in ("a b", "c[d]")]
    assert skipped.summary(lines) == f"Skipped: 2 because {REASON}."
    # And in CI these alone, of which none may be skipped any more.
    ids = pytester.path / "ids"
    ids.write_text("".join(line.partition("\t")[0] + "\n" for line in lines))
    monkeypatch.setenv("CI", "true")
    pytester.runpytest_inprocess("-p", "no:xdist", f"@{ids}").assert_outcomes(errors=2)


def test_where_nothing_was_skipped_that_is_reported(tmp_path, capsys):
    skipped.main(tmp_path / "none")
    assert capsys.readouterr().out == "Nothing was skipped.\n"


def test_a_program_is_found_by_any_of_its_names():
    assert needed.needed("no-such-server", "sh", package="dash") == shutil.which("sh")
