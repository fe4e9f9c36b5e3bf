"""A page about one problem code: title, severity, what it means, and what to do."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from limitkit.errors import Severity

REPOSITORY: Final = "https://github.com/celery-limitkit/limitkit/blob/main/docs"
"""Where the pages are shown, and what their links lead to."""
_FORM: Final = re.compile(
    r"# (?P<code>LK[0-9]{3}): (?P<title>[^\n]+)\n\n"
    r"(?P<level>(?P<severity>Error|Warning)\.[^\n]*)\n\n"
    r"(?P<meaning>.+?)\n\n"
    r"## What to do\n\n"
    r"(?P<remedy>.+)\n",
    re.DOTALL,
)
_LINK: Final = re.compile(r"(?<!!)\]\((?!https?:|#)(?P<path>[^)\s]+)\)")
_FENCE: Final = re.compile(r"\n(?:\nWrong:\n\n)?```\w+\n")


class PageFormError(ValueError):
    """A page has not the form that all pages have."""


@dataclass(frozen=True, slots=True)
class Page:
    """A page: ``text`` is all of it, in Markdown, with links that lead somewhere from anywhere."""

    code: str
    title: str
    level: str
    """One line: error or warning, and who reports it."""
    severity: Severity
    meaning: str
    remedy: str
    """What to do, without its examples."""
    text: str

    @property
    def address(self) -> str:
        """Where the page is shown in the repository."""
        return f"{REPOSITORY}/problems/{self.code}.md"


def parse(text: str) -> Page:
    """Take a page apart. Raises PageFormError when it has another form."""
    whole = _FORM.fullmatch(text)
    if whole is None:
        raise PageFormError(
            "a page is: # LKnnn: TITLE, a line with Error. or Warning., what it means, ## What to do, and the remedy"
        )
    text = _LINK.sub(_absolute, text)
    parts = {name: _LINK.sub(_absolute, part.strip()) for name, part in whole.groupdict().items()}
    return Page(
        code=parts["code"],
        title=parts["title"],
        level=parts["level"],
        severity="error" if parts["severity"] == "Error" else "warning",
        meaning=parts["meaning"],
        remedy=_FENCE.split(f"\n{parts['remedy']}", maxsplit=1)[0].strip(),
        text=text,
    )


def _absolute(link: re.Match[str]) -> str:
    """Write a link from page to page as one that leads there from anywhere."""
    path = link["path"]
    return f"]({REPOSITORY}/{path[3:] if path.startswith('../') else f'problems/{path}'})"
