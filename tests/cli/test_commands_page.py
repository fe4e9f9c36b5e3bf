"""The page of the commands names each of them; its examples, and those of waiting.md, are what the snapshots say."""

import re
from pathlib import Path

import pytest
from support.commands import CLI, masked

from limitkit.cli import COMMANDS

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "commands.md").read_text(encoding="utf-8")
SECTIONS = re.sub(r"^```.*?^```$", lambda block: block[0].replace("\n## ", "\n"), PAGE, flags=re.MULTILINE | re.DOTALL)
"""The page, with no headings in what commands print."""
ELSEWHERE = {
    "validate",
    "test",
    "explain",
    "plan",
    "simulate",
    "schema",
    "demo",
    "waiting",
    "purge",
    "exporter",
    "record",
    "adopt",
}
"""Commands that other pages are about."""
EXAMPLES = [
    example
    for block in re.findall(
        r"^```text\n(\$ .*?)^```$", PAGE + (DOCS / "waiting.md").read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL
    )
    for example in re.split(r"\n(?=\$ )", block)
]


def test_each_command_has_a_section_and_an_example():
    wanted = [*{*COMMANDS} - ELSEWHERE]
    assert sorted(re.findall(r"^## (.*)$", SECTIONS, re.MULTILINE)) == sorted(wanted)
    for name in wanted:
        section = SECTIONS.split(f"\n## {name}\n")[1].split("\n## ")[0]
        assert f"$ limitkit {name}" in section, name
        assert "Exit status: " in section, name
        assert f"(#{name})" in PAGE


@pytest.mark.parametrize("example", EXAMPLES, ids=[example.splitlines()[0] for example in EXAMPLES])
def test_an_example_is_what_a_snapshot_says(example):
    assert masked(example).strip() in {_shown(file) for file in (CLI / "snapshots").glob("[ikprs]*/*.txt")}


def _shown(file):
    text = (
        file.read_text(encoding="utf-8")
        .replace("-A runningapp", "-A shop")
        .replace("-A waitapp", "-A shop")
        .replace("-A initapp", "-A shop")
        .replace("-A doctorapp", "-A shop")
        .replace("-A shownapp", "-A ads")
    )
    lines = [line.removeprefix("stderr: ") for line in text.splitlines() if not line.startswith("exit status ")]
    return masked("\n".join(lines)).strip()
