"""What the commands print, and their exit status; each example is kept as a plain file in snapshots/."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from importlib.metadata import EntryPoint

import click
import pytest
import tomli
from support.commands import CLI, compare, run, transcript
from support.workers import ROOT

from limitkit.cli import COMMANDS, limitkit
from limitkit.config.checks import json_schema

APP = "-A shopapp"
KINDS = ["--config", "more_kinds.toml"]

EXAMPLES = {
    "validate_fine": ["validate"],
    "validate_problems": ["validate", "with_problems.toml"],
    "validate_warning": ["validate", "with_a_warning.toml"],
    "validate_strict": ["validate", "--strict", "with_a_warning.toml"],
    "validate_several": ["validate", "ratelimits.toml", "gone.toml", "with_problems.toml"],
    "validate_more_said": ["validate", "with_more_said.toml", "with_vain_keys.toml"],
    "validate_workers": ["validate", "--workers", "3"],
    "validate_workers_none": ["validate", "--workers", "3", "with_a_warning.toml"],
    "validate_workers_kinds": ["validate", "--workers", "3", *KINDS],
    "validate_workers_range": ["validate", "--workers", "2-20"],
    "validate_workers_same": ["validate", "--workers", "3-3"],
    "validate_workers_backwards": ["validate", "--workers", "20-2"],
    "validate_workers_none_at_all": ["validate", "--workers", "0"],
    "validate_workers_no_number": ["validate", "--workers", "2-many"],
    "validate_both_ways": ["validate", "--config", "a.toml", "b.toml"],
    "validate_app": ["validate", *APP.split()],
    "validate_app_not_there": ["validate", "-A", "nosuchapp"],
    "validate_app_broken": ["validate", "-A", "brokenapp"],
    "validate_app_is_none": ["validate", "-A", "json:dumps"],
    "explain_two_limits": ["explain", "shop.charge_customer"],
    "explain_kwargs": ["explain", "shop.charge_customer", "--kwargs", '{"tenant_id": 42}'],
    "explain_kwargs_app": ["explain", "shop.charge_customer", "--kwargs", '{"tenant_id": "42"}', *APP.split()],
    "explain_args_without_app": ["explain", "shop.charge_customer", "--args", "[42]"],
    "explain_pattern": ["explain", "emails.welcome", "--args", "[]"],
    "explain_no_limit": ["explain", "emails.receipt"],
    "explain_no_entry": ["explain", "shop.other"],
    "explain_off": ["explain", "reports.[draft]"],
    "explain_unknown_task": ["explain", "emails.receipt", *APP.split()],
    "explain_drop": ["explain", "shop.send_push", "--config", "with_more_said.toml"],
    "explain_fail": ["explain", "shop.fetch_feed", "--config", "with_more_said.toml"],
    "explain_feedback": ["explain", "shop.refund", "--config", "with_more_said.toml"],
    "explain_kinds": ["explain", "llm.ask", "--kwargs", '{"tenant": 42, "prompt": "12345"}', *KINDS],
    "explain_kinds_of_queue": ["explain", "llm.embed", "--queue", "emails", *KINDS],
    "explain_kinds_limit": ["explain", "quarter", *KINDS],
    "explain_bad_config": ["explain", "a", "--config", "with_problems.toml"],
    "explain_bad_json": ["explain", "a", "--kwargs", "[]"],
}


@pytest.mark.parametrize("name", EXAMPLES)
def test_example(name):
    compare("", name, transcript(EXAMPLES[name], run(EXAMPLES[name])), mask=str)


def test_each_snapshot_has_its_example():
    assert {file.stem for file in (CLI / "snapshots").glob("*.txt")} == set(EXAMPLES)


def test_explain_says_what_a_window_allows_each_value_and_in_tokens_where_costs_are_settled(tmp_path):
    file = tmp_path / "ratelimits.toml"
    file.write_text(
        'version = 1\n[limits.day]\nstrategy = "window"\nrate = "100/d"\nkey = "tenant"\nfair_by = "model"\n'
        "weights = { big = 1e9 }\n"
        '[tasks.ask]\nlimits = [{ limit = "day", cost = 5, settle = "usage" }]\n'
        '[tasks.tell]\nlimits = [{ limit = "day", cost = 5 }]\n'
    )
    said = run(["explain", "ask", "--config", str(file)]).stdout.decode()
    assert "day: at most 100 tokens for each value of tenant in any day, all of them in one second" in said
    assert "those take turns, by weight: big 1000000000; others 1." in said
    assert said.splitlines()[3].split()[5:8] == ["100", "100", "100"]
    said = run(["explain", "tell", "--config", str(file)]).stdout.decode()
    assert said.splitlines()[3].split()[5:8] == ["20", "20", "20"]


def test_validate_reads_standard_input():
    done = run(["validate", "-"], (CLI / "with_problems.toml").read_bytes())
    assert done.stdout.decode().splitlines()[-1].startswith("-:9:8: LK012 ")
    assert done.returncode == 1
    assert run(["validate", "-"], b"version = 1\n").returncode == 0


def test_the_environment_s_file_is_the_one_that_validate_finds():
    done = run(["validate"], LIMITKIT_CONFIG="with_problems.toml")
    assert done.returncode == 1
    assert run(["validate", "--config", "ratelimits.toml"], LIMITKIT_CONFIG="with_problems.toml").returncode == 0


def test_a_path_that_utf8_does_not_know_and_a_narrow_terminal_s_encoding():
    done = run(["validate", b"\xff.toml"])
    assert (done.returncode, done.stderr) == (2, b"\\udcff.toml: 1 error\nlimitkit rule LK001 says more\n")
    done = run(["validate", "-"], 'version = 1\n"é🐇" = 1'.encode(), PYTHONIOENCODING="ascii")
    assert done.stdout.startswith(b'-:2:1: LK010 "\\xe9\\U0001f407": unknown key')
    assert done.returncode == 1


def test_the_same_commands_under_celery():
    """Celery finds its app by itself, in front of the command."""
    code = (
        "from celery.bin.celery import celery; from limitkit.cli import limitkit\n"
        "celery.commands.get('limitkit') or celery.add_command(limitkit)\n"
        "celery(prog_name='celery', auto_envvar_prefix='CELERY')"
    )

    def under_celery(*arguments):
        environ = {**os.environ, "PYTHONPATH": str(ROOT)}
        command = [sys.executable, "-c", code, *arguments]
        return subprocess.run(command, capture_output=True, check=False, cwd=CLI, env=environ)

    ours, theirs = run(["validate", "-A", "shopapp"]), under_celery("-A", "shopapp", "limitkit", "validate")
    assert (theirs.stdout, theirs.returncode) == (ours.stdout, ours.returncode)
    assert b"LK043" in theirs.stdout
    without = under_celery("limitkit", "validate")
    assert (without.stdout, without.returncode) == (b"", 0)


def test_the_entry_points_lead_to_the_commands():
    project = tomli.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert EntryPoint("limitkit", project["scripts"]["limitkit"], "console_scripts").load().__name__ == "main"
    under_celery = project["entry-points"]["celery.commands"]["limitkit"]
    assert EntryPoint("limitkit", under_celery, "celery.commands").load() is limitkit


def test_help_lists_every_command_and_an_unknown_one_is_wrong_usage():
    listed = run(["--help"])
    assert listed.returncode == 0
    assert all(f"\n  {name}  " in listed.stdout.decode() for name in COMMANDS)
    assert run(["validat"]).returncode == 2


@pytest.mark.parametrize("columns", [40, 80, 200])
def test_no_help_is_cut_off_or_wider_than_the_terminal(columns):
    said = run(["--help"], COLUMNS=str(columns)).stdout.decode()
    assert not re.search(r"…|\.\.\.$", said.replace("[ARGS]...", ""), re.MULTILINE)
    listed = said.partition("Commands:\n")[2].partition("\n\n")[0]
    assert max(map(len, listed.splitlines())) <= min(columns, 80)
    last = limitkit.get_command(click.Context(limitkit), COMMANDS[-1])
    assert " ".join(listed.split()).endswith(f"{COMMANDS[-1]} {last.short_help}")


@pytest.mark.parametrize("name", COMMANDS)
def test_the_examples_of_a_command_s_help_are_right(name):
    """Each parses as a call of this command; what it does, other tests try."""
    command = limitkit.get_command(None, name)
    lines = command.epilog.split("Examples:\n")[1].splitlines()
    examples = [shlex.split(line.rpartition("| ")[2]) for line in lines]
    assert all(words[:2] == ["limitkit", name] for words in examples)
    for words in examples:
        command.make_context(name, words[2:])
    assert max(map(len, lines)) < 80
    assert command.short_help.endswith(".")


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (["-A", "shop", "status"], "-A belongs after the command; write: limitkit status -A shop"),
        (["-Ashop", "status"], "-Ashop belongs after the command; write: limitkit status -Ashop"),
        (["--app=shop", "why", "x y"], "--app belongs after the command; write: limitkit why 'x y' --app=shop"),
        (
            ["--config", "f", "-A", "s", "top"],
            "--config belongs after the command; write: limitkit top --config f -A s",
        ),
        (["-A", "shop"], "-A belongs after the command; write: limitkit COMMAND -A shop"),
        (["statsu"], 'there is no command "statsu"; did you mean "status"?'),
        (["zzz"], 'there is no command "zzz"; limitkit --help lists them all'),
        (["status\x1b[31m"], 'there is no command "status\\u001B[31m"; limitkit --help lists them all'),
        (["status", "a", "b\x1b\n"], "Got unexpected extra argument (b\\u001B\\n)"),
    ],
)
def test_what_is_said_of_a_call_that_is_wrong(words, hint):
    done = run(words)
    assert (done.returncode, done.stdout) == (2, b"")
    assert done.stderr.decode().splitlines()[-1] == f"Error: {hint}"


def test_under_celery_a_wrong_call_is_reported_as_celery_s():
    for words, hint in (
        (["-A", "shopapp", "status"], "write: celery limitkit status -A shopapp"),
        (["statsu"], 'did you mean "status"?'),
    ):
        with pytest.raises(click.UsageError) as caught:
            limitkit.main(words, "celery limitkit", standalone_mode=False)
        assert hint in caught.value.format_message()


def test_the_package_runs_as_the_command():
    command = [sys.executable, "-m", "limitkit", "validate"]
    done = subprocess.run(
        command, capture_output=True, check=False, cwd=CLI, env={**os.environ, "PYTHONPATH": str(ROOT)}
    )
    assert (done.returncode, done.stdout) == (0, b"")
    assert done.stderr.endswith(b"ratelimits.toml: fine\n")


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_takes_config_and_app_but_those_that_need_neither(name):
    options = {option for each in limitkit.get_command(None, name).params for option in each.opts}
    common = {"--config", "-A", "--app"}
    needless = {"schema": {"--config"}, "demo": common, "rule": common}
    assert common & options == common - needless.get(name, set())


def test_schema_is_printed_written_and_checked(tmp_path):
    file = tmp_path / "s.json"
    assert json.loads(run(["schema"]).stdout) == json_schema.make()
    assert run(["schema", "-o", str(file)]).stdout == b""
    assert file.read_text(encoding="utf-8") == json_schema.text()
    assert run(["schema", "--check", str(file)]).returncode == 0
    file.write_text(json_schema.text().replace("Named limits", "Limits"))
    stale = run(["schema", "--check", str(file)])
    assert (stale.returncode, stale.stdout) == (1, b"")
    assert stale.stderr.decode() == f"{file}: stale; write it again: limitkit schema -o {file}\n"
    assert run(["schema", "--check", str(tmp_path / "gone")]).returncode == 2
    assert run(["schema", "-o", str(tmp_path)]).returncode == 2


@pytest.mark.parametrize("no_color", ["", "1"])
def test_color_is_for_terminals_that_want_it(no_color):
    """A pipe never gets colors; a terminal does unless NO_COLOR is set."""
    import pty

    leader, follower = pty.openpty()
    environ = {**os.environ, "PYTHONPATH": str(ROOT), "TERM": "xterm", "NO_COLOR": no_color}
    command = [sys.executable, "-c", "from limitkit.cli import main; main()", "validate", "with_problems.toml"]
    subprocess.run(command, stdout=follower, stderr=subprocess.DEVNULL, check=False, cwd=CLI, env=environ)
    os.close(follower)
    said = os.read(leader, 100_000)
    os.close(leader)
    assert (b"\x1b[" in said) == (no_color == "")
    assert b"LK012" in said
