"""What ``[lint]`` and comments do to problems; and what they can't do."""

from __future__ import annotations

import time

import pytest

from limitkit.cli.problem_pages import find
from limitkit.config.load import judge
from limitkit.config.severity import codes
from limitkit.config.source.toml import parse
from limitkit.errors import ConfigError

UNUSED = '[limits.a]{}\nstrategy = "token_bucket"\nrate = "10/s"\n'


def config(text):
    return judge(parse(f"version = 1\n{text}", "r.toml"))


def settled(text, *, with_app=False):
    found = config(text)
    return [
        f"{each.line}:{each.column} {each.severity} {each.code}"
        for each in found.document.in_order(found.severities.settled(found.found, with_app=with_app))
    ]


def errors(text):
    with pytest.raises(ConfigError) as error:
        config(text)
    return [str(problem) for problem in error.value.problems]


def test_a_warning_is_an_error_for_validate_and_none_for_a_worker():
    text = UNUSED.format("") + '[lint]\nLK030 = "error"\n'
    assert settled(text) == ["2:1 error LK030"]
    assert [each.severity for each in config(text).warnings] == ["warning"]


def test_what_is_off_is_heard_by_nobody():
    text = UNUSED.format("") + '[lint]\nLK030 = "off"\n'
    assert settled(text) == []
    assert config(text).warnings == ()


@pytest.mark.parametrize("code", ["LK012", "LK043", "LK056", "LK100", "LK999", "030", "unused"])
def test_no_other_code_can_be_set(code):
    (line,) = errors(f'[lint]\n{code} = "off"\n')
    assert line.startswith(f"r.toml:3:1: LK102 lint.{code}: ")


def test_a_severity_is_one_of_three():
    (line,) = errors('[lint]\nLK030 = "warn"\n')
    assert line == 'r.toml:3:9: LK014 lint.LK030: "warn" is not a value of LK030; write "error", "warning" or "off"'


@pytest.mark.parametrize(
    "text",
    [
        UNUSED.format("  # limitkit: ignore[LK030]"),
        UNUSED.format("  # later # limitkit:ignore [ lk030 , LK077 ] for now").replace(", LK077", ""),
        "# limitkit: ignore[LK030]\n" + UNUSED.format(""),
        "# limitkit: ignore[LK030]\n# why\n\n" + UNUSED.format(""),
    ],
)
def test_a_comment_ignores_on_its_line_or_on_the_next(text):
    assert settled(text) == []
    assert config(text).warnings == ()


def test_a_comment_after_something_is_not_about_the_next_line():
    text = 'mode = "enforce"  # limitkit: ignore[LK030]\n' + UNUSED.format("")
    assert settled(text) == ["2:38 warning LK104", "3:1 warning LK030"]


def test_what_is_no_comment_ignores_nothing():
    text = UNUSED.format("") + 'key = "# limitkit: ignore[LK030]"\n'
    assert "LK030" in "".join(errors(text))


def test_a_comment_that_is_not_needed_is_told_where_the_code_stands():
    text = UNUSED.format("") + '[tasks.b]\nlimits = ["a"] # ü limitkit: ignore[LK077, LK030]\n'
    assert settled(text) == ["6:37 warning LK104", "6:44 warning LK104"]


def test_what_only_an_app_or_a_worker_shows_is_judged_only_there():
    text = '[tasks.a] # limitkit: ignore[LK040, LK053]\nstrategy = "static"\nrate = "1/s"\n'
    assert settled(text) == []
    assert settled(text, with_app=True) == ["2:30 warning LK104"]


@pytest.mark.parametrize("comment", ["ignore", "ignore[]", "ignore[ ]", "ignore[LK012]", "ignore[LK999]", "ignore[x]"])
def test_a_comment_that_ignores_nothing_is_told(comment):
    assert settled(UNUSED.format(f" # limitkit: {comment}")) == [
        "2:1 warning LK030",
        f"2:{14 if comment.endswith(('e', '[]', '[ ]')) else 31} warning LK105",
    ]


@pytest.mark.parametrize("comment", ["see limitkit: ignored things", "limitkit is great", "limitkit: ignores"])
def test_prose_is_prose(comment):
    assert settled(UNUSED.format(f" # {comment}")) == ["2:1 warning LK030"]


def test_no_comment_hides_an_error():
    (line, other) = errors('[tasks.a]\nstrategy = "static"\nrate = "1/q" # limitkit: ignore[LK012]\n')
    assert line.startswith("r.toml:4:8: LK012")
    assert other.startswith("r.toml:4:33: LK105")


def test_warnings_about_comments_can_be_set_too():
    text = 'mode = "enforce"  # limitkit: ignore[LK030]\n[lint]\nLK104 = "{}"\n'
    assert settled(text.format("error")) == ["2:38 error LK104"]
    assert settled(text.format("off")) == []


def test_a_comment_counts_in_its_own_file_alone(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "base.toml").write_text("version = 1\n" + UNUSED.format("  # limitkit: ignore[LK030]"))
    text = 'extends = "base.toml"\n' + UNUSED.format("").replace("limits.a", "limits.b")
    assert settled(text) == ["3:1 warning LK030"]


def test_each_code_is_one_that_can_be_changed_or_one_that_cannot():
    reserved = codes.BY_LINTS | codes.BY_DOCTOR
    assert set(find.codes()) - codes.CHANGEABLE == codes.FIXED
    assert not codes.CHANGEABLE & codes.FIXED
    assert codes.CHANGEABLE - reserved <= set(find.codes())


def test_each_warning_can_be_changed_and_no_error_of_a_worker():
    for code in find.codes():
        level = find.find(code).level
        named = code in {"LK040", "LK041", "LK042"} or code in codes.BY_DOCTOR
        if code != "LK056" and not named:
            assert level.startswith("Warning") == (code in codes.CHANGEABLE), (code, level)


def test_thousands_of_comments_are_looked_up():
    """A generated file may have one for each task: each problem against each comment took minutes."""
    tasks = "".join(
        f'[tasks.t{number}]\nstrategy = "static"\nrate = "1/s" # limitkit: ignore[LK111]\n' for number in range(3000)
    )
    found = config(tasks)
    began = time.process_time()
    assert len(found.severities.settled(found.found, with_app=False)) == 3000
    assert time.process_time() - began < 1
