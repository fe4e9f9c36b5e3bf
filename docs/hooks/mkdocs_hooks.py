"""What the site needs beyond mkdocs: folders in the navigation, and links out of docs/ that lead to the repository.

The pages stay plain Markdown that reads well in the repository itself.
"""

from __future__ import annotations

import logging
import os.path
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mkdocs.structure.files import File

sys.path.insert(0, str(Path(__file__).parent))

import draw_diagrams

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files
    from mkdocs.structure.pages import Page

_LOG = logging.getLogger("mkdocs.hooks.limitkit")
_REPOSITORY = Path(__file__).parents[2]
_LINK = re.compile(r"(?<=\]\()(?![a-z]+:|#)([^)#\s]*)(#[^)\s]*)?(?=\))")
_FENCED = re.compile(r"(^ *```.*?^ *```$)", re.MULTILINE | re.DOTALL)
_LOADED = re.compile(
    r"""<(?:script|img|iframe|source|link(?! rel="(?:canonical|prev|next|edit)"))\b[^>]*"""
    r"""\b(?:src|href)=["']?(?:https?:)?//[^>]*>"""
    r"""|(?:url\(|@import )\s*["']?(?:https?:)?//[^)"']*"""
)
"""What a reader would load from elsewhere."""
_DECISIONS = """\
# Decisions

What was hard to decide: the context, the choice, what it costs, and what was measured. Each is one short page.

"""


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add a page that lists the decisions, and write out the folders of the navigation."""
    decisions = [file for file in files.documentation_pages() if file.src_uri.startswith("decisions/")]
    lines = [f"- [{_title(file)}]({Path(file.src_uri).name})\n" for file in decisions]
    files.append(File.generated(config, "decisions/index.md", content=_DECISIONS + "".join(lines)))
    if config.nav is not None:
        config.nav = _written_out(
            config.nav, [file.src_uri for file in files.documentation_pages()], _named(config.nav)
        )
    return files


def _title(file: File) -> str:
    return file.content_string.partition("\n")[0].removeprefix("# ")


def _named(nav: Any) -> set[str]:
    """Return all pages that a navigation names."""
    if isinstance(nav, str):
        return {nav}
    parts = nav.values() if isinstance(nav, dict) else nav
    return set().union(*map(_named, parts))


def _written_out(nav: list[Any], pages: list[str], named: set[str]) -> list[Any]:
    """Put the pages of a folder in the place of ``folder/*``; an index comes first."""
    made: list[Any] = []
    for entry in nav:
        if isinstance(entry, dict):
            deep = {
                key: _written_out(each, pages, named) if isinstance(each, list) else each for key, each in entry.items()
            }
            made.append(deep)
        elif entry.endswith("/*"):
            found = [page for page in pages if page.startswith(entry[:-1]) and page not in named]
            made += sorted(found, key=lambda page: (not page.endswith("/index.md"), page))
        else:
            made.append(entry)
    return made


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Let links to files beside docs/ lead to the repository, and links to a folder to its index.

    The first page has no list of pages at its side.
    """
    if page.is_homepage:
        page.meta["hide"] = ["navigation"]
    folder = _REPOSITORY / "docs" / Path(page.file.src_uri).parent

    def led(link: re.Match[str]) -> str:
        path, anchor = link[1], link[2] or ""
        target = Path(os.path.normpath(folder / path))
        if not path or not target.exists():
            return link[0]  # mkdocs reports what leads nowhere
        inside = target.relative_to(_REPOSITORY / "docs") if target.is_relative_to(_REPOSITORY / "docs") else None
        if target.is_dir() and inside is not None and files.get_file_from_path(f"{inside.as_posix()}/index.md"):
            return f"{path.rstrip('/')}/index.md{anchor}"
        if inside is not None and target.is_file() and files.get_file_from_path(inside.as_posix()):
            return link[0]
        kind = "tree" if target.is_dir() else "blob"
        return f"{config.repo_url}/{kind}/main/{target.relative_to(_REPOSITORY).as_posix()}{anchor}"

    parts = _FENCED.split(markdown)
    return "".join(_diagram(part) if part.lstrip().startswith("```") else _LINK.sub(led, part) for part in parts)


def _diagram(block: str) -> str:
    """Put the name of its drawing in the place of a Mermaid diagram, if there is one."""
    found = draw_diagrams.FENCE.fullmatch(block)
    drawn = draw_diagrams.drawing(found[1]) if found else None
    return f'<div class="diagram">{drawn.name}</div>' if drawn and drawn.exists() else block


def on_page_content(html: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Put drawings in the place of their names."""
    return re.sub(
        r'(?<=<div class="diagram">)[0-9a-f]+\.svg(?=</div>)',
        lambda name: (draw_diagrams.FOLDER / name[0]).read_text(encoding="utf-8"),
        html,
    )


def on_post_build(config: MkDocsConfig) -> None:
    """Report what a page would load from elsewhere: the site can be read without the internet, and tells nobody."""
    for file in sorted(Path(config.site_dir).rglob("*")):
        if file.suffix in {".html", ".css"}:
            for found in _LOADED.findall(file.read_text(encoding="utf-8")):
                _LOG.warning("%s loads from elsewhere: %s", file.relative_to(config.site_dir), found)
