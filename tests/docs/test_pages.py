"""The README and the pages hold together: their links lead somewhere, and the index names each page."""

import re
from pathlib import Path

import pytest
import tomli
from support.pages import ARCHITECTURE, DECISIONS, DOCS, PAGES, PROBLEMS, README, blocks, name_of
from support.workers import ROOT

LINKING = [*PAGES, ROOT / "CHANGELOG.md", *DECISIONS, *PROBLEMS]


def anchors(page):
    """Return what a link can name in a page: its headings, as GitHub writes them."""
    text = re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    headings = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_the_first_screen_has_ten_lines_of_toml_one_of_python_and_two_commands():
    toml, python, console, shell = blocks(README)[:4]
    assert [toml.kind, python.kind, console.kind, shell.kind] == ["toml", "python", "console", "sh"]
    assert len([line for line in toml.text.splitlines() if line]) <= 10
    assert python.text == "limitkit.install(app)\n"
    assert shell.text.split("\n")[:2] == ["make demo", "make test"]


def test_the_readme_is_short():
    assert len(README.read_text(encoding="utf-8").splitlines()) <= 150


@pytest.mark.parametrize("page", LINKING, ids=name_of)
def test_each_block_is_closed_before_the_next_one_opens(page):
    fences = re.findall(r"^ *```(\w*)", page.read_text(encoding="utf-8"), re.MULTILINE)
    assert all(fences[::2])
    assert not any(fences[1::2])
    assert len(fences) % 2 == 0


@pytest.mark.parametrize("page", LINKING, ids=name_of)
def test_each_link_leads_somewhere(page):
    for link in re.findall(r"\]\(([^)]+)\)", page.read_text(encoding="utf-8")):
        if link.startswith("https://"):
            continue
        path, _, anchor = link.partition("#")
        target = page.parent / path if path else page
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


def test_the_index_names_each_page():
    index = (DOCS / "README.md").read_text(encoding="utf-8")
    for page in PAGES:
        if page.is_relative_to(DOCS) and page.name != "README.md":
            assert f"]({page.relative_to(DOCS).as_posix()})" in index, page


def named_files(page):
    """Return the paths that a page names as code, and in its pictures; those of the package may leave its name out."""
    text = page.read_text(encoding="utf-8")
    pictures = " ".join(block.text for block in blocks(page, "mermaid"))
    code = re.findall(r"`([^`\n]+)`", re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL))
    found = [each for each in code if re.fullmatch(r"[\w.*-]+(/[\w.*-]*)+|[\w*-]+\.(py|lua|toml|txt|md)", each)]
    return sorted({*found, *re.findall(r"[\w/]+\.(?:py|lua)\b", pictures)})


def test_each_file_that_the_architecture_names_is_there():
    named = named_files(ARCHITECTURE)
    assert len(named) > 100
    folders = (ROOT, ROOT / "limitkit")
    assert [path for path in named if not any(any(folder.glob(path.rstrip("/"))) for folder in folders)] == []


def test_the_architecture_shows_all_rooms_in_the_order_in_which_they_may_be_used():
    text = ARCHITECTURE.read_text(encoding="utf-8")
    contracts = tomli.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"]["contracts"]
    layers = next(each["layers"] for each in contracts if each["id"] == "rooms")
    order = [layer.split(" : ")[0] for layer in layers if layer != "__main__"]
    picture = blocks(ARCHITECTURE, "mermaid")[0].text
    drawn = [name.removesuffix(".py").rstrip("/") for name in re.findall(r"<b>([\w/.]+)</b>", picture)]
    listed = re.findall(r"^\| `(\w+)(?:/|\.py)` \|", text, re.MULTILINE)
    assert [name for name in drawn if name in order] == listed == order
    folders = [file.parent.relative_to(ROOT / "limitkit") for file in (ROOT / "limitkit").rglob("__init__.py")]
    for folder in folders:
        assert folder == Path() or f"`{folder.as_posix()}/`" in text, folder


def test_contributing_says_what_each_folder_of_tests_is_for():
    listed = re.findall(r"^\| `tests/(\w+)/", (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8"), re.MULTILINE)
    folders = {file.parent.name for file in (ROOT / "tests").glob("*/*") if file.is_file()} - {"__pycache__"}
    assert {each for each in folders if not each.startswith(".")} - {*listed} == set()
