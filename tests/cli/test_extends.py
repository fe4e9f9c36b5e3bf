"""Commands on a file that extends another: each says in which file something is."""

from click.testing import CliRunner

from limitkit.cli import limitkit

BASE = """version = 1

[limits.api]
strategy = "token_bucket"
rate = "25/s"
burst = 100

[limits.spare]
strategy = "static"
rate = "1/s"

[tasks."shop.charge"]
limits = ["api"]
"""


def said(*words):
    result = CliRunner().invoke(limitkit, words)
    return result.exit_code, result.stdout, result.stderr


def write(folder, **texts):
    for name, text in texts.items():
        (folder / f"{name}.toml").write_text(text)


def test_validate_checks_both_as_one(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write(tmp_path, base=BASE, dev='extends = "base.toml"\nlimits.api.rate = "20/s"\n[lint]\nLK030 = "error"\n')
    code, out, err = said("validate", "dev.toml")
    assert code == 1
    assert out.startswith("base.toml:8:1: LK030 limits.spare: no task names this limit")
    assert "dev.toml: 1 error" in err
    assert said("validate", "base.toml")[0] == 0


def test_validate_tells_of_comments_that_are_not_needed(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write(tmp_path, base=BASE.replace("[limits.spare]", "[limits.spare] # limitkit: ignore[LK030]"))
    assert said("validate", "--strict", "base.toml")[:2] == (0, "")
    write(tmp_path, base=BASE.replace("[limits.api]", "[limits.api] # limitkit: ignore[LK030]"))
    code, out, _ = said("validate", "--strict", "base.toml")
    assert code == 1
    assert "base.toml:3:33: LK104 LK030 is not reported on line 3" in out


def test_explain_shows_the_file_of_each_line(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write(tmp_path, base=BASE, dev='extends = "base.toml"\n\n[limits.api]\nrate = "1/s"\n')
    code, out, _ = said("explain", "shop.charge", "--config", "dev.toml")
    assert code == 0
    assert 'tasks."shop.charge", base.toml:12' in out
    assert "dev.toml:3" in out
    assert "1/s" in out


def test_plan_compares_what_a_file_is_with_its_base(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write(tmp_path, base=BASE, dev='extends = "base.toml"\n\n[limits.api]\nrate = "1/s"\n')
    code, out, _ = said("plan", "base.toml", "dev.toml", "--detailed-exitcode")
    assert code == 2
    assert "dev.toml:4" in out
    assert "spare" not in out


def test_plan_names_the_file_that_a_value_is_from(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write(
        tmp_path,
        base=BASE,
        other=BASE.replace("25/s", "26/s"),
        dev='extends = "base.toml"\n',
        new='extends = "other.toml"\n',
    )
    code, out, _ = said("plan", "dev.toml", "new.toml")
    assert code == 0
    assert "other.toml:5" in out
