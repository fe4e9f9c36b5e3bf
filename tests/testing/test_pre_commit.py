"""The hooks, as pre-commit installs and runs them from a repository of limitkit."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml
from support.needed import needed_of_python

ROOT = Path(__file__).parents[2]
BUILT = ["limitkit", "schemas", "docs/problems", "pyproject.toml", "README.md", "LICENSE", ".pre-commit-hooks.yaml"]
"""All that a hook's environment is made of."""
LIMITS = 'version = 1\n[tasks."shop.charge"]\nstrategy = "token_bucket"\nrate = "10/s"\nburst = {}\n'
TEST = """
[[test]]
name = "charges are paced"
send = [{ task = "shop.charge", count = 3 }]
expect = [{ task = "shop.charge", most = { starts = 1, in = "90ms" } }]
"""
APP = 'from celery import Celery\n\napp = Celery("shop")\n'
TASK = '\n\n@app.task(rate_limit="10/s")\ndef refund(): ...\n'
OURS = ("limitkit", "celery_limitkit", "__editable__", "_editable", "__pycache__")


def git(folder, *words):
    who = ["-c", "user.name=shop", "-c", "user.email=shop@shop.invalid"]
    return subprocess.check_output(["git", *who, *words], cwd=folder, text=True).strip()


def committed(folder):
    """Make a repository of what is in a folder; returns its commit."""
    git(folder, "init", "-q")
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "-m", "all")
    return git(folder, "rev-parse", "HEAD")


@pytest.fixture
def hooks(tmp_path):
    """Run all hooks in a repository with these files; returns the exit status, and what is said of each."""
    pre_commit = needed_of_python("pre-commit")
    source, project, present = tmp_path / "limitkit", tmp_path / "project", tmp_path / "present"
    for each in (source, project, present):
        each.mkdir()
    for name in BUILT:
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        (source / name).parent.mkdir(exist_ok=True)
        copy(ROOT / name, source / name)
    # What limitkit needs is here already: hooks find it, and only limitkit itself is built and installed for them.
    for package in Path(pytest.__file__).parents[1].iterdir():
        if not package.name.startswith(OURS) and package.suffix != ".pth":
            (present / package.name).symlink_to(package)
    ids = [hook["id"] for hook in yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text())]
    repository = {"repo": str(source), "rev": committed(source), "hooks": [{"id": each} for each in ids]}
    (project / ".pre-commit-config.yaml").write_text(yaml.safe_dump({"repos": [repository]}))
    env = {
        **{name: value for name, value in os.environ.items() if not name.startswith(("GITHUB_", "LIMITKIT_"))},
        "PRE_COMMIT_HOME": str(tmp_path / "home"),
        "PYTHONPATH": str(present),
        "PIP_NO_COMPILE": "1",
    }

    def run(**files):
        for name, text in files.items():
            (project / name.replace("__", ".")).write_text(text)
        committed(project)
        command = [pre_commit, "run", "--all-files", "--color", "never"]
        done = subprocess.run(command, cwd=project, env=env, capture_output=True, text=True, check=False)
        assert done.returncode in {0, 1}, done.stdout + done.stderr
        return done.returncode, done.stdout

    return run


def test_good_files_pass_and_bad_ones_do_not(hooks):
    status, said = hooks(ratelimits__toml=LIMITS.format(1), shop__limits__toml=TEST, shop__py=APP)
    assert status == 0, said
    assert [line.split(".")[0] for line in said.splitlines() if line.endswith(".Passed")] == [
        "limitkit validate",
        "limitkit test",
        "limitkit adopt --check",
    ]
    status, said = hooks(
        ratelimits__toml=LIMITS.format(2), staging__ratelimits__toml=LIMITS.format(0), shop__py=APP + TASK
    )
    assert status == 1
    assert said.count("Failed\n") == 3, said
    assert "staging.ratelimits.toml:5:9: LK" in said
    assert "ratelimits.toml: fine" in said
    assert "FAIL charges are paced" in said
    assert "-@app.task(rate_limit=" in said
