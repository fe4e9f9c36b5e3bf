"""The report for CI: JUnit's XML, with the elements and attributes that Jenkins, GitLab and GitHub's actions read.

All times are of the virtual clock, so that the report is the same each time.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final
from xml.etree import ElementTree as ET

from limitkit.cli.output import Drawn, say
from limitkit.cli.test_reports.failure_lines import lines_of
from limitkit.config.wording import one_line

if TYPE_CHECKING:
    from limitkit.cli.test_reports.report import FileReport, Report

_NOT_IN_XML: Final = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters that no XML 1.0 may have, not even escaped."""


def show(report: Report) -> None:
    """Write the whole report."""
    root = ET.Element("testsuites", _sums([*report.files]))
    for file in report.files:
        _suite(root, file)
    ET.indent(root)
    text = ET.tostring(root, encoding="unicode")
    # A stream of another encoding gets references: the declaration names none, so readers take it for UTF-8.
    ascii_text = text.encode("ascii", "xmlcharrefreplace").decode()
    say(Drawn(f'<?xml version="1.0" encoding="UTF-8"?>\n{ascii_text}'))


def _suite(root: ET.Element, file: FileReport) -> None:
    suite = ET.SubElement(root, "testsuite", {"name": _text(file.path), **_sums([file])})
    for result in file.results:
        attributes = {"classname": _text(file.path), "name": _text(result.case.name), "time": f"{result.seconds:.3f}"}
        case = ET.SubElement(suite, "testcase", attributes)
        if result.held:
            continue
        message = "; ".join(str(failure) for _, failure in result.failures)
        failure = ET.SubElement(case, "failure", {"type": "expectation", "message": _text(message)})
        failure.text = "\n".join(map(_text, lines_of(result)))
    if file.problems:
        case = ET.SubElement(suite, "testcase", {"classname": _text(file.path), "name": "the file", "time": "0.000"})
        lines = [_text(str(problem)) for problem in file.problems]
        ET.SubElement(case, "error", {"type": "problem", "message": lines[0]}).text = "\n".join(lines)


def _sums(files: list[FileReport]) -> dict[str, str]:
    results = [each for file in files for each in file.results]
    unusable = sum(bool(file.problems) for file in files)
    return {
        "tests": str(len(results) + unusable),
        "failures": str(sum(not each.held for each in results)),
        "errors": str(unusable),
        "time": f"{sum(each.seconds for each in results):.3f}",
    }


def _text(text: str) -> str:
    return _NOT_IN_XML.sub("\ufffd", one_line(text))
