"""Changing values in a file: only those change, and nothing that could not be used is written."""

import pytest

from limitkit.config.edit import EditError, edited, write
from limitkit.config.load import judge, load_as
from limitkit.config.source.toml import parse
from limitkit.errors import ConfigError

HEAD = "# ours\nversion = 1\n\n"
USED = '\n[tasks."shop.charge"]\nlimits = ["stripe_api"]\n'
NAMED = ("limits", "stripe_api")
OWN = ("tasks", "shop.charge")

FORMS = {
    "a table": (
        NAMED,
        HEAD + '[limits.stripe_api]  # shared\nrate   = "25/s"   # a quota\nstrategy = "token_bucket"\n' + USED,
        HEAD
        + '[limits.stripe_api]  # shared\nrate   = "10/s"   # a quota\nburst = 5\nstrategy = "token_bucket"\n'
        + USED,
    ),
    "with a burst": (
        NAMED,
        HEAD + '[limits.stripe_api]\nburst = 100 # many\nstrategy = "token_bucket"\nrate = "25/s"\n' + USED,
        HEAD + '[limits.stripe_api]\nburst = 5 # many\nstrategy = "token_bucket"\nrate = "10/s"\n' + USED,
    ),
    "indented, in single quotes, with a comment after it": (
        NAMED,
        HEAD + "  [limits.stripe_api]\n  strategy = 'token_bucket'\n  rate = '25/s'\n  # of tasks\n" + USED,
        HEAD
        + "  [limits.stripe_api]\n  strategy = 'token_bucket'\n  rate = \"10/s\"\n  burst = 5\n  # of tasks\n"
        + USED,
    ),
    "inline": (
        OWN,
        HEAD
        + '[tasks]\n"shop.charge" = { strategy = "static", rate = "25/s" }  # each worker\nother = { limits = [] }\n',
        HEAD
        + '[tasks]\n"shop.charge" = { strategy = "static", rate = "10/s", burst = 5 }  # each worker\n'
        + "other = { limits = [] }\n",
    ),
    "dotted": (
        NAMED,
        HEAD + 'limits.stripe_api.strategy = "token_bucket"\nlimits.stripe_api.rate = "25/s"  # a quota\n' + USED,
        HEAD
        + 'limits.stripe_api.strategy = "token_bucket"\nlimits.stripe_api.burst = 5\n'
        + 'limits.stripe_api.rate = "10/s"  # a quota\n'
        + USED,
    ),
    "a pattern at the end, with no newline": (
        ("tasks", "emails.*"),
        HEAD + '[tasks."emails.*"]\nstrategy = "static"\nrate = "25/s"',
        HEAD + '[tasks."emails.*"]\nstrategy = "static"\nrate = "10/s"\nburst = 5\n',
    ),
}


def config(text):
    return judge(parse(text, "ratelimits.toml"))


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_only_the_values_change(form, newline):
    table, before, after = (each if isinstance(each, tuple) else each.replace("\n", newline) for each in FORMS[form])
    assert edited(config(before), table, {"rate": "10/s", "burst": 5}) == after


@pytest.mark.parametrize("key", ["rate", "burst"])
def test_a_variable_is_not_written_over(key, monkeypatch):
    monkeypatch.setenv("GIVEN", {"rate": "25/s", "burst": "31337"}[key])
    said = {"rate": '"25/s"', "burst": "5", key: '"${GIVEN}"'}
    text = f'{HEAD}[limits.api]\nstrategy = "token_bucket"\nrate = {said["rate"]}\nburst = {said["burst"]}\n'
    with pytest.raises(EditError) as caught:
        edited(config(text), ("limits", "api"), {"rate": "10/s", "burst": 6})
    value = {"rate": "10/s", "burst": 6}[key]
    assert str(caught.value) == (
        f'ratelimits.toml: limits.api.{key} is "${{GIVEN}}", so the file stays as it is; '
        f'set the variable so that it comes to "{value}", and restart the workers'
    )


def test_what_could_not_be_used_is_not_written():
    with pytest.raises(ConfigError, match=r"ratelimits\.toml:5:9: LK015 "):
        edited(config(FORMS["with a burst"][1]), NAMED, {"burst": 0})


def test_a_file_that_can_t_be_edited_so_is_left_alone(monkeypatch):
    monkeypatch.setattr("limitkit.config.edit._put", lambda table, _: table.update({"rate": "11/s"}))
    with pytest.raises(EditError, match=r'without harm; write rate = "10/s" there by hand$'):
        edited(config(FORMS["a table"][1]), NAMED, {"rate": "10/s"})


def test_a_folder_that_may_not_be_written_leaves_the_file_as_it_was(tmp_path, monkeypatch):
    file = tmp_path / "ratelimits.toml"
    file.write_text(HEAD)
    monkeypatch.setattr("os.fsync", _full)
    with pytest.raises(OSError, match="full"):
        write(str(file), "version = 1\n")
    assert file.read_text() == HEAD
    assert [*tmp_path.iterdir()] == [file]


def _full(_handle):
    raise OSError("the disk is full")


EXTENDED = HEAD + '[limits.stripe_api]\nstrategy = "token_bucket"\nrate = "25/s"\n' + USED


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ('extends = "base.toml"\n', 'extends = "base.toml"\n\n[limits.stripe_api]\nrate = "10/s"\nburst = 5\n'),
        (
            'extends = "base.toml"\nlimits.stripe_api.rate = "1/s" # dev\n',
            'extends = "base.toml"\nlimits.stripe_api.rate = "10/s" # dev\nlimits.stripe_api.burst = 5\n',
        ),
        (
            'extends = "base.toml"\n[limits.b]\nstrategy = "static"\nrate = "1/s"\n',
            (
                'extends = "base.toml"\n[limits.b]\nstrategy = "static"\nrate = "1/s"\n\n'
                '[limits.stripe_api]\nrate = "10/s"\nburst = 5\n'
            ),
        ),
    ],
    ids=["only the base has it", "both have it", "beside others"],
)
def test_a_file_is_changed_and_not_what_it_extends(before, after, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "base.toml").write_text(EXTENDED)
    text = edited(config(before), NAMED, {"rate": "10/s", "burst": 5})
    assert text == after
    assert (tmp_path / "base.toml").read_text() == EXTENDED


def test_a_file_is_changed_from_another_working_folder_too(tmp_path, monkeypatch):
    (tmp_path / "base.toml").write_text(EXTENDED)
    (tmp_path / "dev.toml").write_text('extends = "base.toml"\n')
    monkeypatch.chdir("/")
    used = load_as(tmp_path / "dev.toml", "dev.toml")
    assert edited(used, NAMED, {"burst": 5}).endswith("[limits.stripe_api]\nburst = 5\n")
