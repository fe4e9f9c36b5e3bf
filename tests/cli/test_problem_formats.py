"""How ``validate`` prints problems: real files, all formats, and names that try to be more than names."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import jsonschema
import pytest
from support.commands import CLI, Runner, compare

from limitkit.cli.github_log import data, harmless, property_value
from limitkit.cli.problem_formats.sarif_format import rule_of
from limitkit.cli.problem_pages import find

SCHEMA = json.loads((Path(__file__).parents[1] / "support" / "sarif-schema-2.1.0.json").read_text(encoding="utf-8"))
"""As OASIS publishes it, errata 01."""
FILES = ["with_problems.toml", "gone.toml", "with_a_warning.toml"]
GOOD = 'version = 1\n[tasks.a]\nstrategy = "static"\nrate = "1/s"\n'
WRONG = GOOD.replace("1/s", "1/sec")
HOSTILE = "a%0A::set-output name=x::y,file=z\n::set-output name=x::y\r##[add-path]evil\x1b[2J.toml"
ANNOTATION = re.compile(r"::error file=[^:,]+,line=\d,col=\d+,title=LK\d+::[^\r\n]+")
COMMAND = re.compile(r"\s*::[\w-]+[ :]|.*##\[", re.DOTALL)

EXAMPLES = {
    "json": ["--output-format", "json", *FILES],
    "json_fine": ["--output-format", "json"],
    "json_workers": ["--output-format", "json", "--workers", "3"],
    "json_app": ["--output-format", "json", "-A", "shopapp"],
    "github": ["--output-format", "github", *FILES],
    "github_fine": ["--output-format", "github"],
    "sarif": ["--output-format", "sarif", "--strict", "with_a_warning.toml", "with_problems.toml"],
    "sarif_fine": ["--output-format", "sarif"],
}


@pytest.fixture
def run(tmp_path):
    """Run ``validate`` in a folder of its own, which is the repository."""

    def run(*words, **environ):
        return Runner(tmp_path, **environ).run("validate", *words)

    return run


def as_json(done):
    return json.loads(done.stdout)


def sarif(done):
    log = as_json(done)
    jsonschema.Draft4Validator(SCHEMA).validate(log)
    return log["runs"][0]


@pytest.mark.parametrize("name", EXAMPLES)
def test_example(name):
    compare("formats", name, Runner(CLI).transcript("validate", *EXAMPLES[name]), mask=without_release)


def without_release(said):
    return re.sub(r'"version": "[^"]*"(?=,\n +"informationUri")', '"version": "..."', said)


def test_each_problem_has_all_its_keys_and_the_status_is_that_of_all_files(run, tmp_path):
    (tmp_path / "wrong.toml").write_text(WRONG)
    done = run("--output-format", "json", "wrong.toml", "gone.toml")
    assert done.returncode == 2
    said = as_json(done)
    assert said["version"] == 1
    keys = {"path", "line", "column", "code", "severity", "message", "hint"}
    assert [(set(each), each["path"], each["code"]) for each in said["problems"]] == [
        (keys, "wrong.toml", "LK012"),
        (keys, "gone.toml", "LK001"),
    ]
    assert said["problems"][0]["message"].endswith(f"; {said['problems'][0]['hint']}")


@pytest.mark.parametrize("output_format", ["json", "sarif"])
def test_where_there_is_no_file_a_document_says_so(output_format, run):
    done = run("--output-format", output_format)
    assert done.returncode == 2
    assert "LK006" in done.stdout.decode()
    if output_format == "sarif":
        assert sarif(done)["invocations"] == [{"executionSuccessful": False, "exitCode": 2}]


@pytest.mark.parametrize("output_format", ["text", "json", "github", "sarif"])
def test_a_warning_that_counts_is_a_warning_still(output_format):
    for strict, status in ((["--strict"], 1), ([], 0)):
        done = Runner(CLI).run("validate", "--output-format", output_format, *strict, "with_a_warning.toml")
        assert done.returncode == status
        severity = {"json": '"severity": "warning"', "github": "::warning ", "sarif": '"level": "warning"'}
        assert severity.get(output_format, "LK030") in done.stdout.decode()


@pytest.mark.parametrize("output_format", ["json", "sarif"])
def test_what_is_added_up_is_not_between_the_lines_of_a_document(output_format):
    done = Runner(CLI).run("validate", "--output-format", output_format, "--workers", "3")
    assert as_json(done)
    assert "in 3 workers" in done.stderr.decode()


# GitHub Actions


def test_on_github_annotations_are_the_default_and_that_is_said(run, tmp_path):
    (tmp_path / "ratelimits.toml").write_text(WRONG)
    done = run(GITHUB_ACTIONS="true")
    assert done.stdout.startswith(b"::error file=ratelimits.toml,line=4,col=8,title=LK012::")
    assert done.stderr.decode().splitlines() == [
        "limitkit: problems are GitHub's annotations here (GITHUB_ACTIONS=true); for text alone: --output-format text",
        "ratelimits.toml: 1 error",
        "limitkit rule LK012 says more",
    ]
    for words, environ in (((), {}), ((), {"GITHUB_ACTIONS": "no"}), (("--output-format", "text"), {})):
        assert run(*words, **environ).stdout.startswith(b"ratelimits.toml:4:8: LK012 ")
    asked = run("--output-format", "text", GITHUB_ACTIONS="true")
    assert asked.stdout.startswith(b"ratelimits.toml:4:8: LK012 ")
    assert b"annotations" not in asked.stderr


def test_all_problems_are_in_the_log_as_text(run, tmp_path):
    (tmp_path / "wrong.toml").write_text("version = 1\n" + "".join(f"{letter} = 1\n" for letter in "abcdefghijklm"))
    lines = run("wrong.toml", "--output-format", "github").stdout.decode().splitlines()
    group = lines.index("::group::limitkit validate: all problems with their places")
    assert [line[:8] for line in lines[:group]] == ["::error "] * 13
    text = run("wrong.toml").stdout.decode().splitlines()
    assert lines[group + 1 :] == [*text, "::endgroup::"]


@pytest.mark.parametrize(
    ("workspace", "folder", "given", "shown"),
    [
        (".", "apps/shop", "x.toml", "apps/shop/x.toml"),
        (".", "apps/shop", "../x.toml", "apps/x.toml"),
        ("elsewhere", "apps/shop", "x.toml", "x.toml"),
        ("apps/shop", "apps", "x.toml", "x.toml"),
        (None, "apps", "shop/x.toml", "shop/x.toml"),
        (None, "apps/shop", "../x.toml", "../x.toml"),
    ],
)
def test_paths_are_from_the_root_of_the_repository(workspace, folder, given, shown, tmp_path):
    (tmp_path / "apps/shop").mkdir(parents=True)
    environ = {"GITHUB_WORKSPACE": str(tmp_path / workspace)} if workspace else {}
    runner = Runner(tmp_path / folder, **environ)
    done = runner.run("validate", "--output-format", "github", given)
    assert done.stdout.decode().startswith(f"::error file={shown},line=1,")
    (result,) = sarif(runner.run("validate", "--output-format", "sarif", given))["results"]
    artifact = result["locations"][0]["physicalLocation"]["artifactLocation"]
    if shown.startswith("../"):
        assert artifact == {"uri": (tmp_path / "apps" / "x.toml").as_uri()}
    else:
        assert artifact == {"uri": shown, "uriBaseId": "%SRCROOT%"}


def test_a_link_is_where_it_stands_and_a_workspace_may_be_one(tmp_path):
    (tmp_path / "repository" / "apps").mkdir(parents=True)
    (tmp_path / "workspace").symlink_to(tmp_path / "repository")
    environ = {"GITHUB_WORKSPACE": str(tmp_path / "workspace")}
    done = Runner(tmp_path / "repository/apps", **environ).run("validate", "--output-format", "github", "x.toml")
    assert done.stdout.startswith(b"::error file=apps/x.toml,")


def commands(said):
    return [line for line in said.decode().splitlines() if COMMAND.match(line)]


@pytest.mark.parametrize("output_format", [None, "text", "github", "json", "sarif"])
@pytest.mark.parametrize("name", [HOSTILE, "::add-mask::x.toml", "  ::add-mask::x.toml", "##[add-path]x.toml"])
def test_no_name_of_a_file_or_in_it_is_a_command(output_format, name, run, tmp_path):
    (tmp_path / name).write_text(f"{GOOD}[tasks.{json.dumps(HOSTILE)}]\nstrategy = 1\nrate = '::stop-commands::x'\n")
    words = ["--output-format", output_format] if output_format else []
    done = run(*words, "--workers", "2", "--", name, "::debug::gone", GITHUB_ACTIONS="true")
    assert done.returncode == 2
    told = commands(done.stdout)
    if output_format in (None, "github"):
        assert [line.split(" ")[0] for line in told[:4]] == ["::error"] * 3 + ["::group::limitkit"]
        assert told[4:] == ["::endgroup::"]
        assert all(
            re.fullmatch(r"::error file=[^:,]+,line=\d,col=\d+,title=LK\d+::[^\r\n]+", each) for each in told[:3]
        )
        assert "\x1b" not in done.stdout.decode()
    else:
        assert told == []
    assert commands(done.stderr) == []


@pytest.mark.parametrize(
    "words", [("test",), ("plan", "old.toml", "::warning::x.toml"), ("plan", "old.toml", "new.toml"), ("adopt", ".")]
)
def test_other_commands_print_no_command_of_a_stranger_either(words, tmp_path):
    evil = "##[warning]evil"
    good = f'version = 1\n[tasks."{evil}"]\nstrategy = "static"\nrate = "1/s"\n'
    (tmp_path / "::warning::x.toml").write_text('version = 1\n[limits."##[warning]evil"]\nrate = "1"\n')
    (tmp_path / "::warning::evil.limits.toml").write_text(f'[[test]]\nname = "{evil}"\n')
    (tmp_path / "::warning::evil.py").write_text(f'@app.task(name="{evil}", rate_limit="1/s")\ndef x(): ...\n')
    (tmp_path / "old.toml").write_text(good.replace(evil, "good"))
    (tmp_path / "ratelimits.toml").write_text(good)
    (tmp_path / "new.toml").write_text(good)
    done = Runner(tmp_path, GITHUB_ACTIONS="true", FORCE_COLOR="1").run(*words)
    assert b"evil" in done.stdout + done.stderr
    assert not [line for line in (done.stdout + done.stderr).decode().splitlines() if COMMAND.match(line)]


def test_a_table_in_the_log_is_no_command(run, tmp_path):
    (tmp_path / "ratelimits.toml").write_text(GOOD.replace("tasks.a", 'tasks."##[add-path]evil"'))
    for words in ((), ("--output-format", "text")):
        done = run(*words, "--workers", "2", GITHUB_ACTIONS="true")
        assert b"add-path" in done.stdout + done.stderr
        assert commands(done.stdout) + commands(done.stderr) == []


def test_how_text_is_written_in_the_log():
    assert data("50% of\na:b,c") == "50%25 of\\na:b,c"
    assert property_value("50%,a:b\r\nc\x1b") == "50%25%2Ca%3Ab%0D%0Ac\\u001B"
    assert harmless("a::b ##x") == "a::b ##x"
    assert harmless("\u2003::debug::a") == "\u2003\\u003A:debug::a"


def test_standard_input_is_no_file(monkeypatch, tmp_path):
    fifo = tmp_path / "in"
    for output_format in ("github", "sarif"):
        fifo.write_text(WRONG)
        with fifo.open() as stream:
            monkeypatch.setattr("sys.stdin", stream)
            done = Runner(tmp_path).run("validate", "--output-format", output_format, "-")
        if output_format == "github":
            first = "::error title=LK012::standard input, line 4, column 8: tasks.a.rate: "
            assert done.stdout.decode().startswith(first)
        else:
            place = sarif(done)["results"][0]["locations"][0]["physicalLocation"]
            assert place["artifactLocation"] == {"description": {"text": "Standard input."}}


# SARIF


def test_many_problems_make_a_valid_log():
    """Those of many files at once: the log is one, and each rule stands in it once."""
    folder = Path(__file__).parents[1] / "bad_configs"
    files = sorted(file.name for file in folder.glob("[c-m]*.toml"))
    run = sarif(Runner(folder).run("validate", "--output-format", "sarif", *files))
    rules = run["tool"]["driver"]["rules"]
    assert len({rule["id"] for rule in rules}) == len(rules) > 20
    for result in run["results"]:
        assert rules[result["ruleIndex"]]["id"] == result["ruleId"]
    prints = [tuple(result["partialFingerprints"].values()) for result in run["results"]]
    assert len({*prints}) == len(prints) > 80


def test_each_page_makes_a_rule():
    for code in find.codes():
        rule = rule_of(code)
        assert {"shortDescription", "fullDescription", "help", "helpUri", "defaultConfiguration"} <= set(rule)
        assert not rule["help"]["text"].endswith("Wrong:"), code
        assert not re.search(r"\]\(|`", rule["fullDescription"]["text"] + rule["help"]["text"])


def prints(done):
    return [result["partialFingerprints"]["limitkitKey/v1"] for result in sarif(done)["results"]]


def test_a_problem_stays_the_same_when_lines_move_or_its_value_changes(run, tmp_path):
    file = tmp_path / "ratelimits.toml"
    found = []
    for text in (WRONG, f"# more\n\n{WRONG}", WRONG.replace("1/sec", "2/sec"), WRONG.replace("tasks.a", "tasks.b")):
        file.write_text(text)
        found += prints(run("--output-format", "sarif"))
    assert found[0] == found[1] == found[2] != found[3]
    (tmp_path / "other.toml").write_text(WRONG)
    assert prints(run("--output-format", "sarif", "other.toml")) != found[:1]
    assert prints(run("--output-format", "sarif", GITHUB_WORKSPACE=str(tmp_path.parent))) != found[:1]


def test_a_path_is_written_as_an_address(run, tmp_path):
    name = "my limits #1?:50%é.toml"
    (tmp_path / name).write_text(WRONG)
    (result,) = sarif(run("--output-format", "sarif", name))["results"]
    place = result["locations"][0]["physicalLocation"]
    assert place["artifactLocation"]["uri"] == "my%20limits%20%231%3F%3A50%25%C3%A9.toml"
    assert os.fsdecode(b"\xff") not in json.dumps(sarif(run("--output-format", "sarif", os.fsdecode(b"\xff.toml"))))


def test_columns_count_characters(run, tmp_path):
    (tmp_path / "ratelimits.toml").write_text('version = 1\n[tasks]\n"🐇é" = { strategy = "static", rate = "1" }\n')
    run = sarif(run("--output-format", "sarif"))
    assert run["columnKind"] == "unicodeCodePoints"
    assert run["results"][0]["locations"][0]["physicalLocation"]["region"] == {"startLine": 3, "startColumn": 38}
