"""What a file's rules say of a task's name."""

from __future__ import annotations

import pickle
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from limitkit.config.declared import Feedback, Patience, WaitingSettings
from limitkit.config.load import judge
from limitkit.config.rules import _CACHED, _matches, matches
from limitkit.config.source.toml import parse


def rules(*entries, head=""):
    text = f"version = 1\n{head}\n" + "\n".join(entries)
    return judge(parse(text, "f.toml")).rules


def own(pattern, rate="10/s", more=""):
    return f'[tasks."{pattern}"]\nstrategy = "token_bucket"\nrate = "{rate}"\n{more}'


def test_an_exact_entry_replaces_a_pattern_s_whole():
    found = rules(own("shop.*", more="burst = 5"), own("shop.charge", "1/s"))
    assert [(limit.rate.text, limit.burst) for limit in found.for_task("shop.charge").limits] == [("1/s", 1)]
    assert found.for_task("shop.push").pattern == "shop.*"
    assert found.for_task("other") is None


def test_an_empty_list_is_an_entry_without_limits():
    found = rules(own("*"), '[tasks."emails.receipt"]\nlimits = []')
    assert found.for_task("emails.receipt").limits == ()


def test_the_pattern_with_most_literal_characters_holds_and_of_equal_ones_the_first():
    found = rules(own("*"), own("a.*.x"), own("a.b*"), own("*.b.x*"), own("a.bcd.*"))
    assert found.for_task("a.q.x").pattern == "a.*.x"
    assert found.for_task("a.b.x").pattern == "a.*.x"
    assert found.ambiguous("a.b.x") == ("a.*.x", "*.b.x*")
    assert found.for_task("a.bcd.e").pattern == "a.bcd.*"
    assert found.ambiguous("a.bcd.e") is None
    assert found.for_task("z").pattern == "*"


def test_an_exact_entry_is_never_ambiguous():
    assert rules(own("a*"), own("*a"), own("a")).ambiguous("a") is None


def test_patterns_leave_celery_s_own_tasks_alone():
    found = rules(own("*"), own("celery.*"), own("celery.chord"))
    assert found.for_task("celery.backend_cleanup") is None
    assert found.for_task("celery.chord").pattern == "celery.chord"
    assert found.for_task("celeryx.task").pattern == "*"


def test_each_task_of_a_pattern_has_a_limit_of_its_own_name():
    found = rules(own("emails.*"))
    assert [found.for_task(name).limits[0].name for name in ("emails.a", "emails.b")] == ["emails.a", "emails.b"]
    assert found.for_task("emails.a").limits[0].own


def test_feedback_is_named_after_the_task_and_its_rates_are_tokens_a_second():
    more = 'feedback = { on = ["a.B:429"], recover = { step = "6/m", ceiling = "5/s" }, resend = false }\n'
    (limit,) = rules(own("emails.*", more=more)).for_task("emails.receipt").limits
    assert limit.feedback == Feedback(
        "emails.receipt", ("a.B:429",), "slow", factor=0.9, step=0.1, floor=None, ceiling=5.0, resend=0
    )


@pytest.mark.parametrize(
    ("written", "times"), [("", 100), ("resend = true", 100), ("resend = 3", 3), ("resend = 1", 1)]
)
def test_how_often_a_refused_task_waits_again_and_how_long_at_most(written, times):
    more = f'[tasks.paid.feedback]\non = ["a.B:429"]\n{written}\n'
    (limit,) = rules(own("paid", more=more)).for_task("paid").limits
    assert limit.feedback == Feedback("paid", ("a.B:429",), unless=(), resend=times, max_pause=3600.0)
    (limit,) = rules(own("paid", more=f'{more}unless = ["a.C"]\nmax_pause = "31d"\n')).for_task("paid").limits
    assert (limit.feedback.unless, limit.feedback.max_pause) == (("a.C",), 31 * 86_400.0)


def test_a_limit_says_all_that_the_file_does():
    head = '[limits.tenant]\nstrategy = "per_user"\nrate = "10/15m"\nburst = 3\nkey = "customer.tenant"'
    found = rules('[tasks."shop.charge"]\nlimits = ["tenant"]', head=head)
    rule = found.for_task("shop.charge")
    (limit,) = rule.limits
    assert (limit.name, limit.own, limit.strategy, limit.burst) == ("tenant", False, "per_user", 3)
    assert (str(limit.key), limit.path, limit.line, rule.line) == ("customer.tenant", "f.toml", 2, 7)
    assert (limit.rate.tokens, limit.rate.period) == (10, 900)


@pytest.mark.parametrize("where", ["top", "limit", "task", "own"])
def test_off_anywhere_wins(where):
    off = 'mode = "off"\n'
    in_limit = off if where == "limit" else ""
    head = f'{off if where == "top" else ""}[limits.a]\nstrategy = "static"\nrate = "1/s"\n{in_limit}'
    found = rules(
        f'[tasks.t]\nlimits = ["a"]\n{off if where == "task" else ""}',
        own("o", more=off if where == "own" else ""),
        own("free"),
        '[tasks.u]\nlimits = ["a"]',
        head=head,
    )
    modes = {name: found.for_task(name).limits[0].mode for name in ("t", "o", "free", "u")}
    assert {name for name, mode in modes.items() if mode == "off"} == {
        "top": {"t", "o", "free", "u"},
        "limit": {"t", "u"},
        "task": {"t"},
        "own": {"o"},
    }[where]


def test_the_environment_wins_over_the_file_s_mode(monkeypatch):
    monkeypatch.setenv("LIMITKIT_MODE", "off")
    assert rules(own("a"), head='mode = "enforce"').for_task("a").limits[0].mode == "off"
    monkeypatch.setenv("LIMITKIT_MODE", "enforce")
    assert rules(own("a"), head='mode = "off"').for_task("a").limits[0].mode == "enforce"


def test_the_store_s_settings_have_defaults_and_an_expanded_url(monkeypatch):
    store = rules(own("a")).store
    assert (store.url, store.prefix, store.timeout, store.on_error) == (None, "limitkit", 0.25, "allow")
    monkeypatch.setenv("SHOP_REDIS", "cache:6380")
    monkeypatch.delenv("SHOP_DB", raising=False)
    head = '[store]\nurl = "redis://${SHOP_REDIS}/${SHOP_DB:-3}"\nprefix = "${X}"'.replace('"${X}"', '"a.b"')
    assert rules(own("a"), head=head).store.url == "redis://cache:6380/3"


TWO = """
[limits.a]
strategy = "token_bucket"
rate = "1/s"
{a}

[limits.b]
strategy = "token_bucket"
rate = "1/s"
{b}
"""
DROP_IN_10 = 'on_limit = "drop"\nmax_wait = "10s"'
FAIL_IN_60 = 'on_limit = "fail"\nmax_wait = "1m"'


@pytest.mark.parametrize(
    ("a", "b", "task", "patience"),
    [
        ("", "", "", None),
        ('on_limit = "wait"', "", "", None),
        ('on_limit = "drop"', "", "", Patience("drop", 0.0)),
        (DROP_IN_10, "", "", Patience("drop", 10.0)),
        (DROP_IN_10, FAIL_IN_60, "", Patience("fail", 10.0)),
        (DROP_IN_10, 'on_limit = "fail"', "", Patience("fail", 0.0)),
        (DROP_IN_10, FAIL_IN_60, 'max_wait = "90s"', Patience("fail", 90.0)),
        (DROP_IN_10, FAIL_IN_60, 'on_limit = "drop"', Patience("drop", 0.0)),
        (DROP_IN_10, "", 'on_limit = "fail"\nmax_wait = "250ms"', Patience("fail", 0.25)),
        (DROP_IN_10, FAIL_IN_60, 'on_limit = "wait"', None),
        (f'{DROP_IN_10}\nmode = "off"', "", "", None),
        (f'{FAIL_IN_60}\nmode = "off"', DROP_IN_10, "", Patience("drop", 10.0)),
    ],
)
def test_patience_is_one_answer_of_a_task_and_its_limits(a, b, task, patience):
    found = rules(f'[tasks.t]\nlimits = ["a", "b"]\n{task}', head=TWO.format(a=a, b=b))
    assert found.for_task("t").patience == patience


def test_patience_of_a_limit_of_the_task_s_own():
    found = rules(own("a", more='on_limit = "fail"\nmax_wait = "2m"'), own("b.*", more='on_limit = "drop"'))
    assert found.for_task("a").patience == Patience("fail", 120.0)
    assert found.for_task("b.c").patience == Patience("drop", 0.0)
    off = rules(own("a", more='on_limit = "fail"\nmode = "off"'))
    assert off.for_task("a").patience is None


def test_on_error_is_the_task_s_else_the_limit_s_else_the_store_s():
    found = rules(
        '[tasks.t]\nlimits = ["a", "b"]',
        '[tasks.u]\nlimits = ["a", "b"]\non_error = "allow"',
        own("v"),
        own("w", more='on_error = "hold"'),
        head='[store]\non_error = "divide"\n' + TWO.format(a='on_error = "hold"', b=""),
    )
    said = {task: [limit.on_error for limit in found.for_task(task).limits] for task in "tuvw"}
    assert said == {"t": ["hold", "divide"], "u": ["allow", "allow"], "v": ["divide"], "w": ["hold"]}


def test_what_a_worker_holds_has_defaults():
    assert rules(own("a")).waiting == WaitingSettings(hold=2.0, per_limit=None, per_worker=None)
    head = '[waiting]\nhold = "500ms"\nper_limit = 20\nper_worker = 300'
    found = rules(own("a"), head=head)
    assert found.waiting == WaitingSettings(hold=0.5, per_limit=20, per_worker=300)
    assert pickle.loads(pickle.dumps(found)).waiting == found.waiting


def test_rules_survive_pickle_and_never_change():
    found = rules(own("a*"))
    found.for_task("ab")
    again = pickle.loads(pickle.dumps(found))
    assert again.for_task("ab") == found.for_task("ab")
    with pytest.raises(AttributeError):
        found.mode = "off"


def test_names_that_come_in_with_messages_do_not_fill_the_memory():
    found = rules(own("a*"))
    for number in range(_CACHED + 5):
        found.for_task(f"a{number}")
    assert len(found._found) <= _CACHED
    assert found.for_task("a0").limits[0].name == "a0"


@given(st.text("ab.*", max_size=8), st.text("ab.\n", max_size=10))
def test_a_pattern_matches_as_a_regular_expression_would(pattern, name):
    if "*" in pattern:
        expected = re.fullmatch(".*".join(map(re.escape, pattern.split("*"))), name, flags=re.DOTALL)
        assert _matches(tuple(pattern.split("*")), name) == bool(expected)


def test_a_pattern_matches_as_in_the_file():
    names = ["mail.send", "mail.", "mai", "celery.mail"]
    assert [name for name in names if matches("mail.*", name)] == ["mail.send", "mail."]
    assert [name for name in names if matches("*mail*", name)] == ["mail.send", "mail."]
    assert matches("celery.mail", "celery.mail")
    assert not matches("celery.*", "celery.mail")
