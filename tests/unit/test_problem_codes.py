"""Each code that limitkit may say has a page, each page is of a code that may be said, and the index lists them all.

``LIMITKIT_WRITE_SNAPSHOTS=1`` writes the index again, from the pages.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from limitkit.cli.problem_pages import find
from limitkit.cli.problem_pages.page import PageFormError, parse

ROOT = Path(__file__).parent.parent.parent
PAGES = sorted((ROOT / "docs/problems").glob("*.md"))
INDEX = ROOT / "docs/problems.md"
CODE = re.compile(r"\bLK[0-9]{3}\b")
FOLDED = re.compile(r"^<!-- (LK[0-9]{3}) to (LK[0-9]{3}) -->\n(?:\n(?:- .*\n)+)?", re.MULTILINE)
"""A list of the index: a comment says from which code to which it goes."""


def test_codes_in_the_source_and_the_pages_are_the_same():
    used = {
        code for file in (ROOT / "limitkit").rglob("*.py") for code in re.findall(r'"(LK[0-9]{3})"', file.read_text())
    }
    assert sorted(used) == [page.stem for page in PAGES]


@pytest.mark.parametrize("file", PAGES, ids=lambda file: file.stem)
def test_a_page_has_the_form_of_all_pages(file):
    text = file.read_text(encoding="utf-8")
    page = parse(text)
    assert page.code == file.stem
    assert re.fullmatch(r".*[^.:?!\s]", page.title), "a title is no sentence"
    assert page.level.endswith(".")
    assert re.search(r"[.:]$", page.meaning)
    assert re.search(r"[.:]$", page.remedy)
    prose = re.sub(r"^```.*?^```$", "-", text, flags=re.MULTILINE | re.DOTALL)
    assert re.findall(r"^#.*", prose, re.MULTILINE) == [f"# {page.code}: {page.title}", "## What to do"]
    assert "\n\n\n" not in prose
    assert set(re.findall(r"^```(\w+)$", text, re.MULTILINE)) <= {"toml", "text", "python", "sh"}


def test_another_form_is_not_taken():
    with pytest.raises(PageFormError):
        parse("# LK012: a rate\n\nIt is wrong.\n\n## What to do\n\nWrite another.\n")


def index():
    """Return the index as it follows from the pages."""

    def listed(match):
        inside = [page for page in PAGES if match[1] <= page.stem <= match[2]]
        rows = [f"- [{page.stem}](problems/{page.name}): {parse(page.read_text()).title}\n" for page in inside]
        return f"<!-- {match[1]} to {match[2]} -->\n" + "".join(["\n", *rows] if rows else [])

    return FOLDED.sub(listed, INDEX.read_text(encoding="utf-8"))


def test_the_index_is_made_from_the_pages():
    """If it is not: LIMITKIT_WRITE_SNAPSHOTS=1 make test ARGS=tests/unit/test_problem_codes.py."""
    if "LIMITKIT_WRITE_SNAPSHOTS" in os.environ and index() != INDEX.read_text(encoding="utf-8"):
        INDEX.write_text(index(), encoding="utf-8")
    assert INDEX.read_text(encoding="utf-8") == index()
    assert re.findall(r"^- \[(LK[0-9]{3})\]", index(), re.MULTILINE) == [page.stem for page in PAGES]


def test_a_page_is_found_by_its_code():
    assert find.codes() == [page.stem for page in PAGES]
    assert find.find("LK012").title == "a rate is not written as a rate"
    assert find.find("LK000") is None
    assert find.find("../LK012") is None


@pytest.mark.parametrize("word", ["LK012", "lk012", "12", "012", "Lk12"])
def test_a_code_may_be_written_short(word):
    assert find.code_of(word) == "LK012"


@pytest.mark.parametrize("word", ["", "LK", "1234", "rate", "LK012.md", "١٢"])
def test_what_is_no_code_stays_as_it_is(word):
    assert find.code_of(word) == word


def test_links_lead_somewhere_from_anywhere():
    told = parse(
        "# LK054: an option\n\nError.\n\nSee [the store](../store.md#tls) and [LK019](LK019.md).\n\n"
        "## What to do\n\nAs [there](https://redis.io/x).\n\n```toml\nversion = 1\n```\n"
    )
    docs = "https://github.com/celery-limitkit/limitkit/blob/main/docs"
    assert told.meaning == f"See [the store]({docs}/store.md#tls) and [LK019]({docs}/problems/LK019.md)."
    assert told.meaning in told.text
    assert told.remedy == "As [there](https://redis.io/x)."
    assert told.address == f"{docs}/problems/LK054.md"


def test_each_code_of_a_config_has_a_bad_config():
    said = set(CODE.findall("".join(file.read_text() for file in (ROOT / "tests/bad_configs").glob("*.txt"))))
    of_configs = {code for code in find.codes() if not "LK040" <= code < "LK060" and code < "LK090"}
    # No file, no way to it, one too large, a bad environment, and what has no words: other tests say them.
    assert of_configs - said == {
        *("LK001", "LK006", "LK007", "LK008", "LK009", "LK029"),
        *("LK065", "LK083", "LK084", "LK087"),  # no zone data, and what only the app shows
    }


def test_each_code_of_a_test_file_has_a_bad_test():
    said = set(CODE.findall("".join(file.read_text() for file in (ROOT / "tests/bad_tests").glob("*.txt"))))
    codes = {code for code in find.codes() if "LK090" <= code < "LK100"}
    assert codes - said == {"LK091", "LK097"}  # what only the config shows: other tests say them
