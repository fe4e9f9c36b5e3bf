"""Each example of a page in docs/problems is run: a wrong file gives what the page shows, and a right one is fine.

A ``toml`` block is a whole file. A ``text`` block after it is all that ``limitkit validate`` prints of it; without one
the file is fine, with ``--strict`` too. The first line of the text names the file; one named ``*.limits.toml`` is for
``limitkit test``. A ``toml`` block that begins with a comment, ``# NAME.toml``, is a file of that name, on which the
others may rest. A ``python`` block before them is the module ``shop``, with the app, for ``--app``. An ``sh`` block
with ``export NAME=VALUE`` sets a variable for what follows it.
"""

from __future__ import annotations

import re
import sys
from itertools import zip_longest
from pathlib import Path

import celery._state
import pytest
from support.commands import Runner

ROOT = Path(__file__).parents[2]
PAGES = sorted((ROOT / "docs/problems").glob("*.md"))
NAMED = re.compile(r"# ([\w.-]+\.toml)\n")
CONFIG = 'version = 1\n[tasks."shop.charge"]\nstrategy = "token_bucket"\nrate = "10/s"\n'
"""What tests of limits are about, where a page shows none."""
EXPORT = re.compile(r"export (\w+)=(\S*)\n")


def blocks(page):
    return re.findall(r"^```(\w+)\n(.*?)^```$", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


def is_test(toml):
    return "[[test]]" in toml


def forget_the_app():
    """Forget the module, and the tasks that it gives to each later app, too."""
    sys.modules.pop("shop", None)
    celery._state._on_app_finalizers.clear()


class Examples:
    """The examples of one page, in their order."""

    def __init__(self, page, folder):
        self.folder = folder
        self.runner, self.app = Runner(folder), []
        shown = blocks(page)
        self.judged = list(zip_longest(shown, shown[1:], fillvalue=("", "")))

    def play(self):
        for (kind, block), (next_kind, after) in self.judged:
            if kind == "python":
                self._have_app(block)
            elif kind == "sh" and (export := EXPORT.fullmatch(block)):
                self.runner.environ[export[1]] = export[2]
            elif kind == "toml" and (named := NAMED.match(block)):
                (self.folder / named[1]).write_text(block, encoding="utf-8")
            elif kind == "toml":
                self._judge(block, after if next_kind == "text" else "")

    def _have_app(self, module):
        (self.folder / "shop.py").write_text(module, encoding="utf-8")
        self.app = ["-A", "shop"]

    def _judge(self, toml, said):
        name = said.partition(":")[0] or ("shop.limits.toml" if is_test(toml) else "ratelimits.toml")
        (self.folder / name).write_text(toml, encoding="utf-8")
        if is_test(toml) and not (self.folder / "ratelimits.toml").exists():
            (self.folder / "ratelimits.toml").write_text(CONFIG)
        command = ["test"] if is_test(toml) else ["validate", "--strict", *self.app]
        forget_the_app()
        done = self.runner.run(*command, name)
        printed = done.stdout.decode()
        if is_test(toml):
            printed = "".join(line for line in printed.splitlines(keepends=True) if line.startswith(f"{name}:"))
        assert printed == said
        assert bool(done.returncode) == bool(said), done.stderr.decode()


@pytest.fixture
def celery_as_before(monkeypatch):
    """Let the apps that examples make be forgotten."""
    monkeypatch.setattr(celery._state, "_on_app_finalizers", set())
    before = celery._state._tls.current_app
    yield
    celery._state._set_current_app(before)
    forget_the_app()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_its_examples_are_true(page, tmp_path, monkeypatch, celery_as_before):
    monkeypatch.syspath_prepend(tmp_path)
    Examples(page, tmp_path).play()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_what_it_shows_is_of_this_problem(page):
    for kind, text in blocks(page):
        if kind == "text":
            assert page.stem in text


def test_an_example_that_is_not_true_is_found(tmp_path, celery_as_before):
    page = tmp_path / "LK012.md"
    wrong = 'version = 1\n[tasks.a]\nstrategy = "static"\nrate = "1/sec"\n'
    for text in (
        f"```toml\n{wrong}```\n",
        f"```toml\n{wrong}```\n\n```text\nratelimits.toml:4:8: LK012 something else\n```\n",
        "```toml\nversion = 1\n```\n\n```text\nratelimits.toml:4:8: LK012 it\n```\n",
    ):
        page.write_text(text)
        with pytest.raises(AssertionError):
            Examples(page, tmp_path).play()
