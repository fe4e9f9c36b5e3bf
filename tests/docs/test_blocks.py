"""Every block of the pages is true: files are judged, commands print what is shown, and code runs.

The blocks of a page run in its order, in one folder: what is true on line 200 may need the file of line 20.
``support/pages.py`` has the comments by which a block says that it is special.
"""

import json
import os
import re
import shlex
import subprocess
import sys

import click
import pytest
from support.commands import Runner, run
from support.pages import PAGES, Block, blocks, name_of, parts
from support.servers import RedisServer
from support.workers import ROOT

from limitkit.cli import limitkit
from limitkit.config.load import judge
from limitkit.config.source.toml import parse
from limitkit.config.test_file.load import judge_scenario, judge_tests
from limitkit.errors import ConfigError

MOST_NOT_RUN = 5
"""How many blocks may say that nothing runs them. Raise it only if no test can run the new one."""
COMMAND = re.compile(r"^\$ (.*(?:\\\n.*)*)\n?", re.MULTILINE)
KNOWN = {"console", "diff", "ini", "json", "mermaid", "promql", "python", "sh", "text", "toml", "yaml"}
EXAMPLES = [
    file.read_text(encoding="utf-8")
    for file in (ROOT / "examples").rglob("*.*")
    if file.suffix in {".py", ".yml", ".yaml", ".toml"}
]
SETTING = (
    'import os\n\nfrom celery import Celery, shared_task\n\napp = Celery("shop", broker=os.environ["REDIS_URL"])\n'
)
"""What each page's code may use: everybody has an app."""


def whole(toml):
    """Make a whole file of what is shown, which may be some tables, or some keys of a feedback table."""
    if re.search(r"^(version = |\[\[(test|send)\]\])", toml, re.MULTILINE):
        return toml
    if re.search(r"^(\[|extends = )", toml, re.MULTILINE):
        return f"version = 1\n{toml}"
    keys = toml if toml.startswith("on =") else f'on = ["stripe.RateLimitError"]\n{toml}'
    limit = 'strategy = "token_bucket"\nrate = "100/s"'
    return f'version = 1\n[tasks.charge]\nlimits = ["api"]\n[limits.api]\n{limit}\n[limits.api.feedback]\n{keys}'


def file_name(block):
    """Return the name of the file that a TOML block is."""
    if "[[test]]" in block.text:
        return block.marked("file ") or "shown.limits.toml"
    return block.marked("file ") or ("campaign.toml" if "[[send]]" in block.text else "ratelimits.toml")


def problems(text, name):
    """Return all that is wrong with a file of one of the three kinds, as lines."""
    judged = judge_tests if "[[test]]" in text else judge_scenario if "[[send]]" in text else judge
    try:
        found = judged(parse(text, name))
    except ConfigError as error:
        return [str(problem) for problem in error.problems]
    return [str(problem) for problem in getattr(found, "warnings", ())]


def shown_problems(block, after):
    """Return the problems of a file that the block after it shows."""
    if not isinstance(after, Block) or after.kind not in {"text", "console"}:
        return []
    return re.findall(rf"^{re.escape(file_name(block))}:\d+:\d+: (?:warning: )?LK\d+ .*$", after.text, re.MULTILINE)


def is_elsewhere(block):
    """Whether another test runs a block, or it stands in an example as it is, which has a test of its own."""
    return block.marked("run by") is not None or any(block.text in example for example in EXAMPLES)


def normal(text):
    """Mask times of the day, dates, ids, and how long something took."""
    text = re.sub(r"\b(\d{4}-\d\d-\d\d )?\d\d:\d\d:\d\d\b", "12:00:00", text)
    text = re.sub(r"\b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b", "ID", text)
    text = re.sub(r"\n?played .* of virtual time in .*", "", text)
    return re.sub(r"\b[0-9a-f]{16}\b", "DIGEST", text)


def transcript(text):
    """Return the commands of a transcript, each with what is shown of its output."""
    first, *rest = COMMAND.split(text)
    assert not first.strip(), f"a transcript begins with a command: $ limitkit …, not with {first.splitlines()[0]}"
    return list(zip(rest[::2], rest[1::2], strict=True))


def printed(command, folder):
    """Run a command in the page's folder; returns all that it writes."""
    program, *words = shlex.split(command.replace("\\\n", ""))
    assert program == "limitkit", f"only limitkit is run here; mark the block as run by another test: {command}"
    if {"-A", "--app"}.isdisjoint(words):
        return Runner(folder).output(*words)
    # An app stays in the process that imports it.
    said = run(words, cwd=folder, PYTHONPATH=f"{ROOT}{os.pathsep}{folder}")
    return (said.stdout + said.stderr).decode()


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_each_file_and_transcript_of_a_page_is_right(page, tmp_path):
    for number, block in enumerate(parts(page)):
        if not isinstance(block, Block) or block.marked("not run") is not None:
            continue
        after = parts(page)[number + 1] if number + 1 < len(parts(page)) else None
        if block.kind == "toml":
            text = whole(block.text)
            said, shown = problems(text, file_name(block)), shown_problems(block, after)
            assert said == shown, f"{block.place} is a file with problems"
            (tmp_path / file_name(block)).write_text(text, encoding="utf-8")
        elif (name := block.marked("file ")) is not None:
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_text(block.text, encoding="utf-8")
        elif block.kind == "json":
            for line in block.text.splitlines() if block.text.startswith('{"') else [block.text]:
                json.loads(line)
        elif block.kind == "console" and not is_elsewhere(block):
            for command, shown in transcript(block.text):
                assert normal(printed(command, tmp_path)).strip() == normal(shown).strip(), block.place


def code_of(page):
    """Make one program of a page's Python, in which each line has the number that it has on the page."""
    lines = []
    for part in parts(page):
        if isinstance(part, Block) and (
            part.kind != "python" or part.mark.startswith(("not run", "file ")) or is_elsewhere(part)
        ):
            continue
        lines += [""] * (part.line - len(lines)) + part.text.splitlines()
    return "\n".join(lines)


CODED = [page for page in PAGES if code_of(page)]


@pytest.fixture(scope="module")
def redis(tmp_path_factory):
    with RedisServer(tmp_path_factory.mktemp("redis")) as server:
        yield server


@pytest.mark.parametrize("page", CODED, ids=name_of)
def test_the_code_of_a_page_runs(page, redis, tmp_path):
    code = f"exec({SETTING!r}); exec(compile({code_of(page)!r}, {name_of(page)!r}, 'exec'))"
    said = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "REDIS_URL": redis.url},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (said.returncode, said.stderr) == (0, "")


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_all_python_of_a_page_compiles(page):
    for block in blocks(page, "python"):
        compile(block.text, block.place, "exec", dont_inherit=True)


def told(page):
    """Return the words after ``limitkit`` of all command lines that a reader is told to run."""
    lines = [line for block in blocks(page, "sh") for line in block.text.replace("\\\n", " ").splitlines()]
    calls = [call for line in lines for call in re.split(r"[|;] |&& | &$|\$\(", line)]
    begins = re.compile(r"^(?:\w+=\S+ )*(?:celery -A \S+ |python -m )?limitkit ")
    return [shlex.split(begins.sub("", call.strip()), comments=True) for call in calls if begins.match(call.strip())]


def test_each_command_that_a_reader_is_told_to_run_takes_what_it_is_given():
    found = [words for page in PAGES for words in told(page)]
    assert len(found) > 10
    for name, *words in found:
        command = limitkit.get_command(click.Context(limitkit), name)
        assert command, name
        if not {"-h", "--help"}.intersection(words):
            # Raises for an option that it does not have.
            command.make_parser(click.Context(command)).parse_args(
                [word for word in words if not re.match("2?[<>]", word)]
            )


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_each_mark_means_something_and_each_other_test_knows_the_page(page):
    for block in blocks(page):
        assert block.kind in KNOWN, f"{block.place}: a block of a kind that nothing runs"
        assert not block.mark or block.mark.startswith(("file ", "run by ", "not run, ")), block.place
        if test := block.marked("run by"):
            assert page.name in (ROOT / test).read_text(encoding="utf-8"), f"{block.place}: {test} does not name it"
        if block.kind == "text" and block.text.startswith("$ "):
            assert block.marked("run by"), f"{block.place}: write console, or name the test that runs it"


def test_few_blocks_are_not_run():
    not_run = [
        f"{block.place}: {reason}" for page in PAGES for block in blocks(page) if (reason := block.marked("not run"))
    ]
    print("\n".join(not_run))  # noqa: T201 (shown if it fails)
    assert len(not_run) <= MOST_NOT_RUN
