"""An editor's session with a real language server, Tombi's: what it completes, shows and marks in a ratelimits.toml."""

import pytest
from support.commands import Runner
from support.language_server import LanguageServer
from support.needed import needed_of_python

from limitkit.config.checks import json_schema

FILE = """\
#:schema ratelimits.schema.json
version = 1
mode = "shadow"

[limits.stripe]
strategy = "token_bucket"
rate = "25/s"

[tasks."shop.charge"]
limits = ["stripe"]
"""


def served(folder):
    return LanguageServer([needed_of_python("tombi"), "lsp", "--offline"], folder)


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    folder = tmp_path_factory.mktemp("plain")
    (folder / "ratelimits.schema.json").write_text(json_schema.text(), encoding="utf-8")
    with served(folder) as found:
        yield found


@pytest.fixture(scope="module")
def of_app(tmp_path_factory):
    """A server in a folder in which init was run with an app."""
    folder = tmp_path_factory.mktemp("of_app")
    assert Runner(folder).run("init", "-A", "initapp").returncode == 0
    with served(folder) as found:
        yield found


def marked(problems):
    """Return where errors are: line and column from 1, as limitkit counts."""
    return {(each["range"]["start"]["line"] + 1, each["range"]["start"]["character"] + 1) for each in problems}


def test_a_good_file_has_no_problem(server):
    assert server.open(FILE) == []


@pytest.mark.parametrize(
    ("right", "wrong", "place"),
    [
        ('mode = "shadow"', 'mode = "shadows"', (3, 8)),
        ('"25/s"', '"25/sec"', (7, 8)),
        ('"25/s"', "25", (7, 8)),
        ('rate = "25/s"', 'rate = "25/s"\nbrust = 5', (8, 1)),
        ('["stripe"]', '["stripe", "stripe"]', (10, 21)),
    ],
)
def test_a_fault_is_marked_where_it_is(right, wrong, place, server):
    assert place in marked(server.open(FILE.replace(right, wrong)))


def test_keys_of_a_table_are_completed(server):
    assert {"limits", "tasks", "store"} <= {*server.completed("#:schema ratelimits.schema.json\nversion = 1\n|")}
    offered = server.completed(FILE.replace('rate = "25/s"', 'rate = "25/s"\n|'))
    assert {"burst", "key", "feedback"} <= {*offered}
    assert "rate" not in offered  # it is there already
    assert "limits" not in offered  # a key of tasks


def test_words_are_completed(server):
    text = FILE.replace('"token_bucket"', '"|"')
    words = {"static", "token_bucket", "per_user", "window", "concurrency"}
    assert {*server.completed(text)} == {f'"{word}"' for word in words}


def test_what_the_mouse_shows(server):
    said = server.hovered(FILE.replace("rate =", "ra|te ="))
    assert "How fast tasks may start" in said
    assert 'Example: "25/s"' in said
    assert "https://celery-limitkit.github.io/limitkit/limits/#strategies" in said
    said = server.hovered(FILE.replace("mode =", "mo|de ="))
    assert 'Default: "enforce".' in said


def test_what_init_has_written_is_fine(of_app):
    file = of_app.folder / "ratelimits.toml"
    assert of_app.open(file.read_text(encoding="utf-8")) == []


def test_names_of_the_app_are_completed(of_app):
    head = "#:schema ratelimits.schema.json\nversion = 1\n"
    tasks = of_app.completed(f'{head}[tasks."|"]\n')
    assert {"shop.charge", "emails.receipt"} <= {*tasks}
    assert tasks["shop.charge"] == '"shop.charge"'
    assert "celery" in of_app.completed(f"{head}[queues.|]\n")
    charge = f'{head}[tasks."shop.charge"]\nstrategy = "per_user"\nrate = "1/s"\n'
    for key in ("key", "fair_by", "cost"):
        offered = {*of_app.completed(f'{charge}{key} = "|"\n')}
        assert {'"customer_id"', '"amount"', '"note"'} <= offered
    assert "charge(customer_id, amount=..., *, note=...)" in of_app.hovered(charge.replace("charge", "cha|rge"))


def test_other_names_than_the_app_s_stay_allowed(of_app):
    text = FILE.replace("shop.charge", "other.task") + '[queues.mine]\nlimits = ["stripe"]\n'
    text += '[tasks."shop.charge"]\nstrategy = "per_user"\nrate = "1/s"\nkey = "customer_id.tenant"\n'
    assert [each for each in of_app.open(text) if each["severity"] == 1] == []
    wrong = text.replace('"customer_id.tenant"', '"customer_id..tenant"')
    assert len([each for each in of_app.open(wrong) if each["severity"] == 1]) >= 1
