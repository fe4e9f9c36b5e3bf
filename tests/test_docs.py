"""The README and the pages are true: their TOML is judged, their commands are run, and their links lead somewhere."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import click
import pytest
import tomli

from limitkit.cli import limitkit
from limitkit.config.source.toml import parse
from limitkit.config.test_file.load import judge_tests

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
DOCS = ROOT / "docs"
ARCHITECTURE = DOCS / "architecture.md"
SHOWN = [
    README,
    ROOT / "CONTRIBUTING.md",
    ROOT / "SECURITY.md",
    *sorted(DOCS.glob("*.md")),
    ROOT / "examples/monitoring/README.md",
]
PROBLEMS = sorted((DOCS / "problems").glob("*.md"))
LINKING = [*SHOWN, ROOT / "CHANGELOG.md", *sorted((DOCS / "decisions").glob("*.md")), *PROBLEMS]


def blocks(page):
    """Return the fenced blocks of a page, each as its kind and its text."""
    return re.findall(r"^```(\w+)\n(.*?)^```$", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


def transcripts(page):
    """Return each transcript of a page with the last file before it, which is what it is about.

    A scenario is what a simulation is about, too: it is the last file of its own kind.
    """
    shown = blocks(page)
    return [
        (next(toml for kind, toml in reversed(shown[:number]) if kind == "toml" and not is_scenario(toml)), text)
        for number, (kind, text) in enumerate(shown)
        if kind == "console"
    ]


def is_scenario(toml):
    return "[[send]]" in toml


def scenario_of(page):
    """Return the scenario that a page shows, if it does."""
    return next((toml for kind, toml in blocks(page) if kind == "toml" and is_scenario(toml)), None)


TRANSCRIPTS = [(page, *each) for page in SHOWN for each in transcripts(page)]
WRONG = {toml for _, toml, transcript in TRANSCRIPTS if " error" in transcript}
"""Files that are shown with their problems."""


def whole(toml):
    """Make a whole file of what is shown, which may be some keys of a feedback table, or a table alone."""
    if "version = 1" in toml:
        return toml
    if toml.startswith("["):
        return f"version = 1\n{toml}"
    keys = toml if toml.startswith("on =") else f'on = ["stripe.RateLimitError"]\n{toml}'
    limit = 'strategy = "token_bucket"\nrate = "100/s"'
    return f'version = 1\n[tasks.charge]\nlimits = ["api"]\n[limits.api]\n{limit}\n[limits.api.feedback]\n{keys}'


def run(line, folder):
    """Run ``limitkit …`` as a reader would, in a folder; returns the finished process, with all that it printed."""
    program, *words = line.split()
    assert program == "limitkit"
    env = {name: value for name, value in os.environ.items() if not name.startswith(("LIMITKIT_", "REDIS_URL"))}
    return subprocess.run(
        [sys.executable, "-m", "limitkit", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd=folder,
        env={**env, "PYTHONPATH": str(ROOT)},
        check=False,
    )


def anchors(page):
    """Return what a link can name in a page: its headings, as GitHub writes them."""
    text = re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    headings = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize(
    ("page", "toml", "transcript"),
    TRANSCRIPTS,
    ids=[f"{page.name}: {transcript.splitlines()[0]}" for page, _, transcript in TRANSCRIPTS],
)
def test_a_transcript_shows_what_the_command_prints(page, toml, transcript, tmp_path):
    (tmp_path / "ratelimits.toml").write_text(toml, encoding="utf-8")
    if scenario := scenario_of(page):
        (tmp_path / "campaign.toml").write_text(scenario, encoding="utf-8")
    command, _, shown = transcript.partition("\n")
    assert run(command.removeprefix("$ "), tmp_path).stdout == shown


def test_each_file_is_fine_but_the_one_that_is_shown_with_its_problems(tmp_path):
    assert len(WRONG) == 1
    names = []
    for page in SHOWN:
        for number, (kind, toml) in enumerate(blocks(page)):
            if kind == "toml" and toml not in WRONG and "[[test]]" not in toml and not is_scenario(toml):
                names.append(f"{page.stem}-{number}.toml")
                (tmp_path / names[-1]).write_text(whole(toml), encoding="utf-8")
    assert len(names) > 10
    said = run(f"limitkit validate --strict {' '.join(names)}", tmp_path)
    assert said.stdout.splitlines() == [f"{name}: fine" for name in names]
    assert said.returncode == 0


def test_each_test_file_is_fine():
    shown = [toml for page in SHOWN for kind, toml in blocks(page) if kind == "toml" and "[[test]]" in toml]
    assert shown
    for toml in shown:
        judge_tests(parse(toml, "shown.limits.toml"))


def test_each_command_that_a_reader_is_told_to_run_takes_what_it_is_given():
    lines = [line for page in SHOWN for kind, text in blocks(page) if kind == "sh" for line in text.splitlines()]
    told = [shlex.split(line.rstrip("& "), comments=True)[1:] for line in lines if line.startswith("limitkit ")]
    assert len(told) > 10
    for name, *words in told:
        command = limitkit.get_command(click.Context(limitkit), name)
        assert command, name
        command.make_parser(click.Context(command)).parse_args(words)  # raises for an option that it does not have


def test_the_first_screen_has_ten_lines_of_toml_one_of_python_and_two_commands():
    (first, toml), (second, python), (third, _), (fourth, shell) = blocks(README)[:4]
    assert [first, second, third, fourth] == ["toml", "python", "console", "sh"]
    assert len([line for line in toml.splitlines() if line]) <= 10
    assert python == "limitkit.install(app)\n"
    assert shell.split("\n")[:2] == ["make demo", "make test"]


def test_the_readme_is_short():
    assert len(README.read_text(encoding="utf-8").splitlines()) <= 150


@pytest.mark.parametrize("page", LINKING, ids=lambda page: str(page.relative_to(ROOT)))
def test_each_block_is_closed_before_the_next_one_opens(page):
    fences = re.findall(r"^ *```(\w*)", page.read_text(encoding="utf-8"), re.MULTILINE)
    assert all(fences[::2])
    assert not any(fences[1::2])
    assert len(fences) % 2 == 0


@pytest.mark.parametrize("page", LINKING, ids=lambda page: str(page.relative_to(ROOT)))
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
    for page in DOCS.glob("*.md"):
        assert page.name == "README.md" or f"]({page.name})" in index, page.name


def named_files(page):
    """Return the paths that a page names as code, and in its pictures; those of the package may leave its name out."""
    text = page.read_text(encoding="utf-8")
    pictures = " ".join(picture for kind, picture in blocks(page) if kind == "mermaid")
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
    picture = next(block for kind, block in blocks(ARCHITECTURE) if kind == "mermaid")
    drawn = [name.removesuffix(".py").rstrip("/") for name in re.findall(r"<b>([\w/.]+)</b>", picture)]
    listed = re.findall(r"^\| `(\w+)(?:/|\.py)` \|", text, re.MULTILINE)
    assert [name for name in drawn if name in order] == listed == order
    folders = [file.parent.relative_to(ROOT / "limitkit") for file in (ROOT / "limitkit").rglob("__init__.py")]
    for folder in folders:
        assert folder == Path() or f"`{folder.as_posix()}/`" in text, folder
