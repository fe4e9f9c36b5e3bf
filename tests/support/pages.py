"""The pages of the documentation, and their blocks.

A comment before a block, which no reader sees, says how it is special:

- ``<!-- block: file NAME -->``: it is that file, for the commands and the code that follow on the page;
- ``<!-- block: before`` and Python code ``-->``: code that runs before the page's next Python block;
- ``<!-- block: run by tests/… -->``: that test runs it, and names the page;
- ``<!-- block: not run, REASON -->``.

``<!-- blocks: run by tests/… -->`` holds for all blocks of the page that have no comment of their own, but TOML is
judged all the same. Code that stands in a file of ``examples/`` as it is has a test there. Each page's code has an
``app``.
"""

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from markdown_it import MarkdownIt

from support.workers import ROOT

DOCS = ROOT / "docs"
README = ROOT / "README.md"
ARCHITECTURE = DOCS / "architecture.md"
DECISIONS = sorted((DOCS / "decisions").glob("*.md"))
PROBLEMS = sorted((DOCS / "problems").glob("*.md"))
PAGES = [
    README,
    ROOT / "CONTRIBUTING.md",
    ROOT / "SECURITY.md",
    *sorted({*DOCS.rglob("*.md")} - {*DECISIONS, *PROBLEMS}),
    ROOT / "examples/monitoring/README.md",
]
"""All pages whose blocks are run; problems have a form of their own, and decisions have no blocks."""
_MARK = re.compile(r"<!-- (blocks?): (.*?)\s*-->", re.DOTALL)


@dataclass(frozen=True)
class Block:
    """A fenced block: where it stands, its kind, its text, and what the comment before it says."""

    page: Path
    line: int
    kind: str
    text: str
    mark: str

    @property
    def place(self):
        """Return where the block is, as an editor opens it."""
        return f"{name_of(self.page)}:{self.line}"

    def marked(self, word):
        """Return what the comment says after a word, or None."""
        return self.mark.removeprefix(word).strip(" ,\n") if self.mark.startswith(word) else None


@dataclass(frozen=True)
class Before:
    """Code in a comment, which runs before the next Python block: where it stands, and its text."""

    line: int
    text: str


def name_of(page):
    """Return the name of a page in the repository."""
    return page.relative_to(ROOT).as_posix()


@cache
def parts(page):
    """Return the blocks of a page, and the code that runs before them, in the order of the page."""
    found, mark, of_page = [], "", ""
    for token in MarkdownIt("commonmark").parse(page.read_text(encoding="utf-8")):
        if token.type == "fence":
            found.append(Block(page, token.map[0] + 1, token.info.strip(), token.content, mark or of_page))
        said = _MARK.fullmatch(token.content.strip()) if token.type == "html_block" else None
        mark = said[2] if said and said[1] == "block" else ""
        if said and said[1] == "blocks":
            of_page = said[2]
        if mark.startswith("before\n"):
            found.append(Before(token.map[0] + 1, mark.removeprefix("before\n") + "\n"))
            mark = ""
    return tuple(found)


def blocks(page, *kinds):
    """Return the blocks of a page, or those of some kinds."""
    return [part for part in parts(page) if isinstance(part, Block) and (not kinds or part.kind in kinds)]
