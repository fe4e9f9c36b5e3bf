"""``limitkit test``: what it prints of tests that hold, that do not, and of files that can't be used."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from xml.etree import ElementTree as ET

import pytest
from support.commands import Runner
from support.workers import ROOT

from limitkit.cli.commands import test as test_command
from limitkit.cli.test_reports import junit_report
from limitkit.cli.test_reports.report import FileReport, Report
from limitkit.errors import Problem

CONFIG = """
version = 1
[limits.api]
strategy = "token_bucket"
rate = "2/s"
burst = 2
[tasks."mail.send"]
limits = ["api"]
"""
HOLDS = """
[[test]]
name = "five start in time"
[[test.send]]
task = "mail.send"
count = 5
[[test.expect]]
task = "mail.send"
started_within = "2s"
most = { starts = 5, in = "1s" }
lost = 0
"""
FAILS = """
[[test]]
name = "all start at once"
seed = 4
[[test.send]]
task = "mail.send"
count = 5
[[test.expect]]
limit = "api"
started_within = "1200ms"
"""
FAILURE = "expected each message of the limit api to start within 1200ms, but 1 of 5 did not"
JUNIT = {
    "testsuites": ({"tests", "failures", "errors", "time"}, {"testsuite"}),
    "testsuite": ({"name", "tests", "failures", "errors", "time"}, {"testcase"}),
    "testcase": ({"classname", "name", "time"}, {"failure", "error"}),
    "failure": ({"type", "message"}, set()),
    "error": ({"type", "message"}, set()),
}
"""What Jenkins' schema of JUnit's format (junit-10.xsd) lets stand where, as far as it is used."""


@pytest.fixture
def run(tmp_path):
    def run(*arguments, **files):
        (tmp_path / "ratelimits.toml").write_text(CONFIG)
        for name, text in files.items():
            (tmp_path / f"{name}.limits.toml").write_text(text)
        return Runner(tmp_path).run("test", *arguments)

    return run


def test_a_line_for_each_test_and_the_failures_in_full(run):
    done = run(a=HOLDS + FAILS, b=HOLDS)
    assert done.returncode == 1
    lines = done.stdout.decode().splitlines()
    assert lines[:7] == [
        "ok   a.limits.toml: five start in time",
        "FAIL a.limits.toml: all start at once",
        "ok   b.limits.toml: five start in time",
        "",
        "FAIL all start at once",
        f"a.limits.toml:21:1: {FAILURE}: message 4, sent at 0.000s, started after 1.502s",
        "  starts around 1.200s:",
    ]
    assert lines[7].split() == ["started", "task", "message", "worker", "waited"]
    assert [line.split()[1:4] for line in lines[8:13]] == [["mail.send", str(n), "worker-1"] for n in range(5)]
    assert lines[13:] == ["", "3 tests: 2 held, 1 failed"]
    assert done.stderr.decode().startswith("played ")
    assert run().stdout == done.stdout, "it is the same each time"


def test_of_a_window_with_too_many_its_first_and_last_starts_are_shown(run):
    burst = (
        HOLDS.replace("count = 5", "count = 40").replace("starts = 5", "starts = 0").replace('in = "1s"', 'in = "30s"')
    )
    done = run("--output-format", "text", a=burst.replace('started_within = "2s"\n', ""))
    lines = done.stdout.decode().splitlines()
    begin = next(number for number, line in enumerate(lines) if line.startswith("  starts from 0.00"))
    assert lines[begin + 7] == "  ... 30 more ..."
    assert len(lines[begin + 2 : begin + 7]) == len(lines[begin + 8 : begin + 13]) == 5
    assert all(" mail.send " in line for line in [*lines[begin + 2 : begin + 7], *lines[begin + 8 : begin + 13]])


def test_exit_status_0_when_all_hold(run):
    done = run(a=HOLDS)
    assert (done.returncode, done.stdout.decode()) == (0, "ok   a.limits.toml: five start in time\n\n1 test: 1 held\n")


def test_only_those_whose_names_are_wanted(run):
    done = run("--run", "start in", a=HOLDS + FAILS)
    assert (done.returncode, done.stdout.decode().splitlines()[-1]) == (0, "1 test: 1 held")
    done = run("--run", "nosuch")
    assert (done.returncode, done.stdout.decode()) == (1, "\n0 tests: nothing was played\n")
    assert 'no test has a name in which "nosuch" is found; nothing was played' in done.stderr.decode()
    done = run("--run", "(")
    assert done.returncode == 2
    assert '"(" is not a regular expression: missing )' in done.stderr.decode()


def test_a_file_that_can_t_be_used_keeps_no_other_from_being_played(run):
    done = run(a=HOLDS.replace("lost", "lots"), b=HOLDS, c=HOLDS.replace("[[", 'config = "gone.toml"\n[[', 1))
    assert done.returncode == 2
    assert done.stdout.decode().splitlines() == [
        'a.limits.toml:11:1: LK010 test[0].expect[0].lots: unknown key; did you mean "lost"?',
        "ok   b.limits.toml: five start in time",
        'c.limits.toml:2:10: LK001 config: the file "gone.toml" does not exist; name an existing file',
        "",
        "1 test: 1 held, 2 files could not be used",
    ]


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (["gone.limits.toml"], 2, "gone.limits.toml:1:1: LK001 the file does not exist"),
        (["--config", "gone.toml", "a.limits.toml"], 2, "gone.toml:1:1: LK001 the file does not exist"),
        (["-A", "nosuchapp"], 2, ""),
        (["empty"], 2, ""),
        (["--seed", "-1"], 2, ""),
    ],
)
def test_what_can_t_be_used_at_all(run, tmp_path, arguments, status, said):
    (tmp_path / "empty").mkdir()
    done = run(*arguments, a=HOLDS)
    assert done.returncode == status
    assert done.stdout.decode().startswith(said)
    assert "Traceback" not in done.stderr.decode()


def test_a_problem_of_a_config_of_several_files_is_told_once_to_programs(run, tmp_path):
    run(a=HOLDS, b=HOLDS)
    (tmp_path / "bad.toml").write_text("version = 2\n")
    done = run("--config", "bad.toml", "--output-format", "json")
    assert done.returncode == 2
    (problem,) = json.loads(done.stdout)["problems"]
    assert (problem["path"], problem["code"], problem["line"]) == ("bad.toml", "LK017", 1)


def test_json_has_all_of_it(run):
    done = run("--output-format", "json", a=HOLDS + FAILS)
    assert done.returncode == 1
    said = json.loads(done.stdout)
    assert (said["version"], said["held"], said["failed"], said["problems"]) == (1, 1, 1, [])
    first, second = said["tests"]
    assert (first["path"], first["line"], first["name"], first["held"]) == (
        "a.limits.toml",
        2,
        "five start in time",
        True,
    )
    assert (second["seed"], second["messages"], second["starts"], second["config"]) == (4, 5, 5, "ratelimits.toml")
    (failure,) = second["failures"]
    assert (failure["line"], failure["expectation"], failure["limit"], failure["task"]) == (
        21,
        "started_within",
        "api",
        None,
    )
    assert failure["at"] == 1.2
    assert failure["starts"][0].keys() == {"at", "task", "message", "worker", "waited"}
    assert json.loads(run("--output-format", "json", "--seed", "9").stdout)["tests"][1]["seed"] == 9


def test_junit_is_what_ci_reads(run):
    done = run("--output-format", "junit", a=HOLDS + FAILS, b="x = 1\n")
    assert done.returncode == 2
    root = ET.fromstring(done.stdout)
    for element in root.iter():
        attributes, children = JUNIT[element.tag]
        assert {*element.attrib} == attributes, element.tag
        assert {child.tag for child in element} <= children
    assert (root.get("tests"), root.get("failures"), root.get("errors")) == ("3", "1", "1")
    first, second = root.findall("testsuite")
    assert (first.get("name"), first.get("tests"), first.get("failures"), first.get("errors")) == (
        "a.limits.toml",
        "2",
        "1",
        "0",
    )
    held, failed = first.findall("testcase")
    assert len(held) == 0
    assert failed.get("name") == "all start at once"
    (failure,) = failed
    assert failure.get("message").startswith(
        "expected each message of the limit api to start within 1200ms, but 1 of 5"
    )
    assert "mail.send" in failure.text
    assert float(failed.get("time")) < 5
    assert second.find("testcase/error").get("message").startswith("b.limits.toml:1:1: LK011")


def test_what_xml_forbids_is_replaced(capsys):
    odd = "a\0b\x1b[31m <&\"'> \ufffe \ud800 é\nc"
    problem = Problem(odd, 1, 1, "LK001", odd, "")
    junit_report.show(Report([FileReport(odd, problems=(problem,))]))
    said = capsys.readouterr().out
    assert said.startswith('<?xml version="1.0" encoding="UTF-8"?>\n<testsuites ')
    suite = ET.fromstring(said.encode("ascii"))[0]
    assert suite.get("name") == "a\\u0000b\\u001B[31m <&\"'> \ufffd \\ud800 é\\nc"


def test_names_with_control_characters_break_no_line(run):
    done = run(a=HOLDS.replace("five start", "five\\u001b[31m\\nstart"))
    assert done.stdout.decode().splitlines()[0] == "ok   a.limits.toml: five\\u001B[31m\\nstart in time"


def test_a_folder_and_files_below_it_are_searched(run, tmp_path):
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "d.limits.toml").write_text(HOLDS)
    for arguments in ((), (".",), ("deep", "a.limits.toml")):
        done = run(*arguments, a=HOLDS)
        shown = [line.split()[1] for line in done.stdout.decode().splitlines() if line.startswith("ok")]
        assert sorted(shown) == ["a.limits.toml:", "deep/d.limits.toml:"]


def test_arguments_have_the_names_that_the_app_gives_them(run, tmp_path, monkeypatch):
    """Without the app, an argument that is sent by its place is no key."""
    (tmp_path / "ownapp.py").write_text(
        "import celery\napp = celery.Celery(broker='memory://')\n"
        "@app.task(name='mail.send')\ndef send(user, text=''):\n    raise SystemExit('it is run')\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    done = run()
    (tmp_path / "ratelimits.toml").write_text(
        'version = 1\n[tasks."mail.send"]\nstrategy = "per_user"\nrate = "1/m"\nkey = "user"\n'
    )
    (tmp_path / "a.limits.toml").write_text(
        '[[test]]\nname = "a"\n[[test.send]]\ntask = "mail.send"\ncount = 3\nargs = ["u{n}"]\n'
        '[[test.expect]]\ntask = "mail.send"\nstarted_within = "1s"\n'
    )
    runner = Runner(tmp_path)
    assert runner.run("test").returncode == 1
    done = runner.run("test", "-A", "ownapp")
    assert (done.returncode, done.stdout.decode().splitlines()[-1]) == (0, "1 test: 1 held")
    sys.modules.pop("ownapp", None)


def test_ctrl_c_stops_it_without_a_traceback(tmp_path):
    (tmp_path / "ratelimits.toml").write_text(CONFIG)
    long = HOLDS.replace("count = 5", "count = 2000000").replace("five", "many")
    (tmp_path / "a.limits.toml").write_text(HOLDS + long)
    command = [sys.executable, "-m", "limitkit", "test"]
    environ = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(
        command, cwd=tmp_path, env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout.readline() == "ok   a.limits.toml: five start in time\n"
        time.sleep(0.2)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (130, "")
    assert err == "limitkit: stopped after 1 test; the others were not played\n"


def test_the_engine_is_imported_only_where_something_is_played(run, monkeypatch):
    monkeypatch.setattr(test_command, "_engine", lambda: pytest.fail("it was"))
    assert run(a="x = 1\n").returncode == 2


def test_the_repository_s_own_limits_are_tested():
    done = Runner(ROOT).run("test")
    held = [line for line in done.stdout.decode().splitlines() if line.startswith("ok   ratelimits.limits.toml: ")]
    assert (done.returncode, len(held)) == (0, 4)


def test_the_page_shows_what_is_printed(tmp_path):
    page = (ROOT / "docs" / "testing.md").read_text(encoding="utf-8")
    config, tests, shown = re.findall(r"^```(?:toml|console)\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)[:3]
    (tmp_path / "ratelimits.toml").write_text(config)
    (tmp_path / "emails.limits.toml").write_text(tests)
    assert "$ limitkit test\n" + Runner(tmp_path).run("test").stdout.decode() == shown
    start, _, _ = config.rpartition('limits = ["smtp"]')
    (tmp_path / "ratelimits.toml").write_text(start + 'strategy = "token_bucket"\nrate = "10/s"\n')
    assert Runner(tmp_path).run("test").returncode == 0
