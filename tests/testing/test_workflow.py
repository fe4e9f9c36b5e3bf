"""The workflow for GitHub: its scripts are run in a repository with a pull request that is merged, as GitHub does."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
WORKFLOW = ROOT / "examples/github-actions/limits.yml"
JOBS = yaml.safe_load(WORKFLOW.read_text())["jobs"]
SCRIPTS = {
    step["name"]: step["run"] for job in JOBS.values() for step in job["steps"] if "run" in step and "name" in step
}
LIMITS = 'version = 1\n[tasks."shop.charge"]\nstrategy = "token_bucket"\nrate = "{}"\nburst = 1\n'
TEST = """
[[test]]
name = "charges are paced"
send = [{ task = "shop.charge", count = 3 }]
expect = [{ task = "shop.charge", most = { starts = 1, in = "100ms" } }]
"""
GH = """#!/bin/sh
echo "$@" >> "$RUNNER_TEMP/calls"
case "$*" in *--paginate*) cat "$RUNNER_TEMP/ids";; esac
"""


@pytest.fixture
def repository(tmp_path):
    """A clone as checkout leaves it: a merge of a pull request, and before it the branch that it goes to."""
    folder, temp, programs = tmp_path / "repository", tmp_path / "temp", tmp_path / "bin"
    for each in (folder, temp, programs):
        each.mkdir()
    (programs / "limitkit").write_text(f'#!/bin/sh\nexec {sys.executable} -m limitkit "$@"\n')
    (programs / "gh").write_text(GH)
    for program in programs.iterdir():
        program.chmod(0o755)
    env = {
        "PATH": f"{programs}:{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
        "HOME": str(tmp_path),
        "RUNNER_TEMP": str(temp),
        "GITHUB_STEP_SUMMARY": str(temp / "summary.md"),
        "GITHUB_REPOSITORY": "shop/shop",
        "NUMBER": "7",
    }

    def run(script):
        """Run a script as a step of a workflow does."""
        command = ["bash", "--noprofile", "--norc", "-e", "-o", "pipefail", "-c", script]
        return subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, check=False)

    def commit(message, **files):
        for name, text in files.items():
            (folder / f"{name}.toml").write_text(text)
        author = "-c user.name=shop -c user.email=shop@shop.invalid"
        done = run(f"git add -A; git {author} commit -q -m {message}")
        assert done.returncode == 0, done.stderr

    run.folder, run.temp, run.commit = folder, temp, commit
    assert run("git init -q -b main").returncode == 0
    (folder / "README").touch()
    commit("first")
    return run


@pytest.fixture
def merged(repository):
    """The pull request takes charges from 10/s to 5/s, while others have changed something else on main."""
    repository.commit("limits", ratelimits=LIMITS.format("10/s"))
    (repository.folder / "charges.limits.toml").write_text(TEST)
    script = "git -c user.name=shop -c user.email=shop@shop.invalid merge -q --no-ff -m merge pull"
    assert repository("git switch -q -c pull").returncode == 0
    repository.commit("pull", ratelimits=LIMITS.format("5/s"))
    assert repository("git switch -q main").returncode == 0
    (repository.folder / "README").write_text("changed")
    repository.commit("other")
    done = repository(script)
    assert done.returncode == 0, done.stderr
    return repository


def test_the_steps_of_a_good_pull_request(merged):
    for name in ("Check the file", "Write what was found for code scanning", "Play the tests", "Say what changes"):
        done = merged(SCRIPTS[name])
        assert done.returncode == 0, (name, done.stdout, done.stderr)
    assert json.loads((merged.folder / "limits.sarif").read_text())["runs"][0]["results"] == []
    plan = (merged.temp / "plan.md").read_text()
    assert plan.startswith("<!-- limitkit plan -->\n")
    assert "10/s" in plan
    assert "5/s" in plan
    assert (merged.temp / "summary.md").read_text() == plan


def test_the_comment_is_written_once_and_then_again_in_its_place(merged):
    (merged.temp / "ids").write_text("")
    assert merged(SCRIPTS["Comment on the pull request"]).returncode == 0
    (merged.temp / "ids").write_text("41\n42\n")
    assert merged(SCRIPTS["Comment on the pull request"]).returncode == 0
    asked, posted, _, patched = (merged.temp / "calls").read_text().splitlines()
    assert asked.startswith("api --paginate repos/shop/shop/issues/7/comments --jq ")
    body = f"--field body=@{merged.temp}/plan.md"
    assert posted == f"api --silent --method POST repos/shop/shop/issues/7/comments {body}"
    assert patched == f"api --silent --method PATCH repos/shop/shop/issues/comments/41 {body}"


def test_a_file_with_problems(repository):
    repository.commit("wrong", ratelimits=LIMITS.format("10/sec"))
    assert repository(SCRIPTS["Check the file"]).returncode == 1
    assert repository(SCRIPTS["Write what was found for code scanning"]).returncode == 0
    (result,) = json.loads((repository.folder / "limits.sarif").read_text())["runs"][0]["results"]
    assert result["ruleId"] == "LK012"


def test_a_first_file(repository):
    repository.commit("limits", ratelimits=LIMITS.format("10/s"))
    done = repository(SCRIPTS["Say what changes"])
    assert done.returncode == 0, done.stderr
    assert "shop.charge" in (repository.temp / "plan.md").read_text()


def test_it_trusts_nobody():
    workflow = yaml.safe_load(WORKFLOW.read_text())
    assert [*workflow[True]] == ["pull_request"]  # "on" is true in YAML
    assert workflow["permissions"] == {}
    for job in JOBS.values():
        assert {*job["permissions"].items()} <= {
            ("contents", "read"),
            ("security-events", "write"),
            ("pull-requests", "write"),
        }
        for step in job["steps"]:
            assert "${{" not in step.get("run", ""), "what others have written must not stand in a script"
            assert re.fullmatch(r"(actions|github)/[\w/-]+@v\d+", step.get("uses", "actions/none@v1"))
            if "checkout" in step.get("uses", ""):
                assert step["with"]["persist-credentials"] is False
