"""SARIF 2.1.0, which GitHub's code scanning, Azure DevOps and editors read.

The log has no time and no absolute path of the repository, so it is the same each time.
Source: Static Analysis Results Interchange Format (SARIF) Version 2.1.0, OASIS.
"""

from __future__ import annotations

import os
import re
from hashlib import blake2b
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote_from_bytes

from limitkit.cli.output import say_json
from limitkit.cli.problem_formats.relative_path import from_root
from limitkit.cli.problem_formats.report import STANDARD_INPUT
from limitkit.cli.problem_pages import find
from limitkit.config.wording import one_line

if TYPE_CHECKING:
    from limitkit.cli.problem_formats.report import Report
    from limitkit.cli.problem_pages.page import Page
    from limitkit.errors import Problem

SCHEMA: Final = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
HOME: Final = "https://github.com/celery-limitkit/limitkit"
ROOT: Final = "%SRCROOT%"
FINGERPRINT: Final = "limitkitKey/v1"
_LINK: Final = re.compile(r"\[([^]]*)\]\(([^)\s]+)\)")


def show(report: Report) -> None:
    """Write all problems as one run."""
    codes = list(dict.fromkeys(problem.code for problem in report.problems))
    release = version("celery-limitkit")
    driver = {
        "name": "limitkit",
        "version": release,
        "informationUri": HOME,
        "rules": [rule_of(code) for code in codes],
    }
    seen: dict[tuple[str, ...], int] = {}
    run = {
        "tool": {"driver": driver},
        "invocations": [{"executionSuccessful": not report.unreadable, "exitCode": report.status}],
        "originalUriBaseIds": {ROOT: {"description": {"text": "The root of the repository."}}},
        "columnKind": "unicodeCodePoints",
        "results": [_result(problem, codes.index(problem.code), seen) for problem in report.problems],
    }
    say_json({"$schema": SCHEMA, "version": "2.1.0", "runs": [run]})


def rule_of(code: str) -> dict[str, Any]:
    """Describe a code by its page."""
    page = find.find(code)
    if page is None:
        return {"id": code}
    return {
        "id": code,
        "shortDescription": {"text": page.title[:1].upper() + page.title[1:]},
        "fullDescription": {"text": _plain(page.meaning)},
        "help": {"text": _plain(page.remedy), "markdown": _below_the_title(page)},
        "helpUri": page.address,
        "defaultConfiguration": {"level": page.severity},
    }


def _below_the_title(page: Page) -> str:
    """Return what GitHub shows below a rule's title."""
    return page.text.partition("\n\n")[2].rstrip("\n")


def _plain(markdown: str) -> str:
    return _LINK.sub(r"\1 (\2)", markdown).replace("`", "")


def _result(problem: Problem, index: int, seen: dict[tuple[str, ...], int]) -> dict[str, Any]:
    # Where a key stands in its file stays the same when lines move, and when the words of a message change.
    same = (problem.code, from_root(problem.path) or problem.path, problem.message.partition(": ")[0])
    seen[same] = seen.get(same, 0) + 1
    identity = "\0".join([*same, str(seen[same])]).encode("utf-8", "surrogateescape")
    region = {"startLine": problem.line, "startColumn": problem.column}
    return {
        "ruleId": problem.code,
        "ruleIndex": index,
        "level": problem.severity,
        "message": {"text": one_line(problem.message)},
        "locations": [{"physicalLocation": {"artifactLocation": _artifact(problem.path), "region": region}}],
        "partialFingerprints": {FINGERPRINT: blake2b(identity, digest_size=16).hexdigest()},
    }


def _artifact(path: str) -> dict[str, Any]:
    """Say which file it is. Standard input is none: it has no address, and no name that a reader could open."""
    if path == STANDARD_INPUT:
        return {"description": {"text": "Standard input."}}
    relative = from_root(path)
    if relative is None:
        return {"uri": Path(os.path.abspath(path)).as_uri()}  # noqa: PTH100 - a link stays a link
    return {"uri": quote_from_bytes(os.fsencode(relative)), "uriBaseId": ROOT}
