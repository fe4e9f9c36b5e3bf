"""Test files are found in folders, in the same order each time, and not where others keep theirs."""

from __future__ import annotations

from limitkit.trial.test_file.find_files import find


def test_all_below_a_folder_but_not_those_of_others(tmp_path, monkeypatch):
    names = ["b.limits.toml", "a.limits.toml", "deep/er/c.limits.toml", ".git/d.limits.toml", "ratelimits.toml"]
    names += ["node_modules/x/e.limits.toml", "env/lib/f.limits.toml", "env/pyvenv.cfg", "z.limits.toml.bak"]
    names += ["__pycache__/g.limits.toml", "empty/nothing.txt"]
    for name in names:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("")
    (tmp_path / "deep" / "loop").symlink_to(tmp_path)
    monkeypatch.chdir(tmp_path)
    wanted = ["a.limits.toml", "b.limits.toml", "deep/er/c.limits.toml"]
    assert find(["."]) == (wanted, [])
    assert find([str(tmp_path)]) == ([str(tmp_path / name) for name in wanted], [])
    assert find(["empty", "deep"]) == (["deep/er/c.limits.toml"], ["empty"])
    assert find([".git"]) == ([".git/d.limits.toml"], []), "it was named"


def test_each_file_once_and_a_named_one_whatever_it_is(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.limits.toml").write_text("")
    assert find(["a.limits.toml", "./a.limits.toml", ".", "gone", "x.toml"]) == (
        ["a.limits.toml", "gone", "x.toml"],
        [],
    )
