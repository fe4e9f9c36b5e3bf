"""Each code that limitkit may say is explained, and each explained code may be said."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
CODE = re.compile(r"\bLK[0-9]{3}\b")


def test_codes_in_the_source_and_in_the_docs_are_the_same():
    used = {
        code for file in (ROOT / "limitkit").rglob("*.py") for code in re.findall(r'"(LK[0-9]{3})"', file.read_text())
    }
    documented = re.findall(r"^\| (LK[0-9]{3}) \|", (ROOT / "docs/problems.md").read_text(), flags=re.MULTILINE)
    assert sorted(used) == documented


def test_each_documented_code_says_fact_consequence_and_remedy():
    for line in (ROOT / "docs/problems.md").read_text().splitlines():
        if CODE.match(line[2:]):
            assert [cell.strip()[-1] for cell in line.split("|")[2:-1]] == ["."] * 3, line


def test_each_code_of_a_config_has_a_bad_config():
    said = set(CODE.findall("".join(file.read_text() for file in (ROOT / "tests/bad_configs").glob("*.txt"))))
    codes = {*CODE.findall((ROOT / "docs/problems.md").read_text())}
    of_configs = {code for code in codes if not "LK040" <= code < "LK060" and code < "LK090"}
    # No file, no way to it, one too large, a bad environment, and what has no words: other tests say them.
    assert of_configs - said == {
        *("LK001", "LK006", "LK007", "LK008", "LK009", "LK029"),
        *("LK065", "LK083", "LK084", "LK087"),  # no zone data, and what only the app shows
    }


def test_each_code_of_a_test_file_has_a_bad_test():
    said = set(CODE.findall("".join(file.read_text() for file in (ROOT / "tests/bad_tests").glob("*.txt"))))
    codes = {code for code in CODE.findall((ROOT / "docs/problems.md").read_text()) if code >= "LK090"}
    assert codes - said == {"LK091", "LK097"}  # what only the config shows: other tests say them
