"""What counts as a change, and whose it is."""

import json
from fractions import Fraction

import pytest

from limitkit.trial.plan.changes import Worst
from limitkit.trial.plan.ratio_words import grown

BUCKET = '[limits.a]\nstrategy = "token_bucket"\nrate = "60/m"\nburst = 5\n'
USED = '[tasks.t]\nlimits = ["a"]\n'
PATTERN = '[tasks."mail.*"]\nstrategy = "token_bucket"\nrate = "60/m"\n'
RESETS = '[limits.a]\nstrategy = "window"\nrate = "10/d"\nresets = "00:00 UTC"\n[tasks.t]\nlimits = ["a"]\n'
SAME = {
    "comments and order": (BUCKET + USED, f"# new\n{USED}{BUCKET}"),
    "units": (BUCKET + USED, BUCKET.replace("60/m", "1/s") + USED),
    "units of a partition": tuple(
        f'[limits.a]\nstrategy = "per_user"\nrate = "1/s"\nkey = "u"\n'
        f'[limits.a.partitions]\nx = {{ rate = "{rate}" }}\n{USED}'
        for rate in ("120/m", "2/s")
    ),
    "defaults written out": (BUCKET + USED, f'mode = "enforce"\n{BUCKET}mode = "enforce"\non_limit = "wait"\n{USED}'),
    "a key as a list of one": tuple(
        f'[limits.a]\nstrategy = "per_user"\nrate = "1/s"\nkey = {key}\n{USED}' for key in ('"u"', '["u"]')
    ),
    "a task that a pattern has anyway": (
        f'{PATTERN}[tasks."mail.x"]\nstrategy = "token_bucket"\nrate = "1/s"\n',
        PATTERN,
    ),
    "an entry without limits, or none": ("[tasks.t]\nlimits = []\n", ""),
    "limits in another order": tuple(
        f"{BUCKET}{BUCKET.replace('limits.a', 'limits.b')}[tasks.t]\nlimits = {limits}\n"
        for limits in ('["a", "b"]', '["b", "a"]')
    ),
    "a window's unit": (RESETS, RESETS.replace("10/d", "10/1d")),
}
LIMITLESS = "[tasks.t]\nlimits = []\n"


@pytest.mark.parametrize("name", SAME)
def test_what_means_the_same_is_no_change(plan_of, name):
    plan = plan_of(*SAME[name])
    assert (plan.changes, plan.worst, plan.notes) == ((), (), ())


def test_the_same_pace_is_not_the_same_window(plan_of):
    old = '[limits.a]\nstrategy = "window"\nrate = "60/m"\n' + USED
    (change,) = plan_of(old, old.replace("60/m", "1/s")).changes
    assert (change.field, change.effect) == ("rate", "stricter")
    assert change.message == "the window is of another length, and holds 1 instead of 60"


def test_what_lets_more_through_comes_first(plan_of):
    old = f'{BUCKET}{USED}[waiting]\nhold = "1s"\n'
    new = BUCKET.replace("5", "2").replace("60/m", "90/m") + USED
    effects = [each.effect for each in plan_of(old, new).changes]
    assert effects == ["looser", "stricter", "other"]


def test_rate_and_burst_say_the_worst_window_once(plan_of):
    old = BUCKET.replace("60/m", "150/m").replace("= 5", "= 50") + USED
    plan = plan_of(old, old.replace("150/m", "75/m").replace("= 50", "= 1"))
    assert [each.message for each in plan.changes] == [
        "the rate is halved; worst window 9,050 to 4,501 an hour",
        "the burst is cut to a fiftieth; tokens that are saved up beyond 1 are lost",
    ]
    assert plan.worst == (Worst("a", (52, 200, 9050, 216_050, None), (2, 76, 4501, 108_001, None)),)


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        (10, 20, "doubled"),
        (10, 5, "halved"),
        (10, 1, "cut to a tenth"),
        (10, 30, "3 times as high"),
        (10, 25, "2.5 times as high"),
        (10, 12, "20 % higher"),
        (10, 8, "20 % lower"),
        (10, 3, "cut to 30 % of what it was"),
        (3, 1, "cut to a third"),
        (Fraction(1, 3), Fraction(1, 3), "the same"),
        (3, 4, "33.3 % higher"),
        (1, 1_000_000, "1,000,000 times as high"),
        (1_000_000, 1, "cut to 0.0001 % of what it was"),
    ],
)
def test_how_much_more_or_less(before, after, words):
    assert grown(before, after) == words


@pytest.mark.parametrize(
    ("tasks", "names"),
    [((), ()), (("mail.b", "mail.a", "other", "celery.ping"), ("mail.a", "mail.b"))],
    ids=["file", "app"],
)
def test_the_app_names_the_tasks_that_a_pattern_is_for(plan_of, tasks, names):
    (change,) = plan_of("", PATTERN, tasks).changes
    assert (change.action, change.subject, change.field, change.names) == ("add", 'tasks."mail.*"', "limits", names)
    assert (change.message, change.effect, change.old) == ("newly limited", "stricter", None)


def test_a_task_that_another_pattern_has_now(plan_of):
    """The heavier pattern takes some tasks from the other one."""
    new = f'{PATTERN}[tasks."mail.big.*"]\nstrategy = "token_bucket"\nrate = "10/m"\n'
    (change,) = plan_of(PATTERN, new, ["mail.big.one", "mail.small"]).changes
    assert (change.subject, change.names, change.before, change.after) == (
        'tasks."mail.big.*"',
        ("mail.big.one",),
        "60/m",
        "10/m",
    )
    assert (str(change.old), str(change.new)) == ("old.toml:4", "new.toml:7")


def test_an_exception_to_a_pattern_is_not_limited_any_more(plan_of):
    (change,) = plan_of(PATTERN, f'{PATTERN}[tasks."mail.now"]\nlimits = []\n').changes
    assert (change.action, change.subject, change.effect) == ("remove", 'tasks."mail.now"', "looser")
    assert change.message == "not limited any more"


def test_tasks_with_the_same_change_are_told_together(plan_of):
    old = "".join(f'[tasks.{name}]\nstrategy = "token_bucket"\nrate = "10/s"\n' for name in "abc")
    (change,) = plan_of(old, old.replace("10/s", "5/s")).changes
    assert (change.subject, change.names) == ("3 tasks", ("a", "b", "c"))
    (change,) = plan_of("", old).changes
    assert (change.subject, change.names, change.message) == ("3 tasks", ("a", "b", "c"), "newly limited")


def test_a_change_of_a_named_limit_is_not_told_of_each_task(plan_of):
    old = f'{BUCKET}on_limit = "drop"\nmax_wait = "9s"\n{USED}[tasks.u]\nlimits = ["a"]\n'
    new = old.replace("60/m", "30/m").replace("9s", "5s") + '[store]\non_error = "hold"\n'
    assert [(each.kind, each.field) for each in plan_of(old, new).changes] == [
        ("store", "on_error"),
        ("limit", "rate"),
        ("limit", "max_wait"),
    ]


def test_a_mode_of_the_whole_file_is_told_once(plan_of):
    (change,) = plan_of(BUCKET + USED, f'mode = "off"\n{BUCKET}{USED}').changes
    assert (change.kind, change.subject, change.effect) == ("file", "mode", "looser")


def test_a_limit_that_is_gone(plan_of):
    plan = plan_of(BUCKET + USED, LIMITLESS)
    assert [(each.action, each.subject, each.effect) for each in plan.changes] == [
        ("remove", "limits.a", "looser"),
        ("remove", "tasks.t", "looser"),
    ]
    assert plan.worst == (Worst("a", (6, 65, 3605, 86_405, None), (None,) * 5),)


def test_a_limit_that_nobody_names_lets_nothing_more_through(plan_of):
    (change,) = plan_of(BUCKET, BUCKET.replace("60/m", "90/m")).changes
    assert (change.effect, change.message[-len("no task and no queue names it") :]) == (
        "other",
        "no task and no queue names it",
    )
    assert plan_of(BUCKET, "").changes[0].effect == plan_of("", BUCKET).changes[0].effect == "other"


def test_a_limit_that_is_not_in_force_lets_nothing_more_through(plan_of):
    old = f'{BUCKET}mode = "shadow"\n{USED}'
    (change,) = plan_of(old, old.replace("60/m", "90/m")).changes
    assert change.effect == "other"
    mode, rate = plan_of(old, BUCKET.replace("60/m", "90/m") + USED).changes
    assert (mode.field, mode.effect, rate.field, rate.effect) == ("mode", "stricter", "rate", "other")
    assert "until now (shadow)" in rate.message


@pytest.mark.parametrize(
    ("before", "after", "effect"),
    [
        ('["a"]', '["a", "b"]', "stricter"),
        ('["a", "b"]', '["a"]', "looser"),
        ('["a"]', '["b"]', "stricter"),
        ('["b"]', '["a"]', "looser"),
        ('["b"]', '["user"]', "looser"),
        ('["slots"]', '["b"]', "looser"),
    ],
)
def test_other_limits_in_place_of_those_before(plan_of, before, after, effect):
    """Of b there is less than of a; user's limit is as low, but each user has his own."""
    limits = BUCKET + BUCKET.replace("limits.a", "limits.b").replace("60/m", "30/m")
    limits += '[limits.user]\nstrategy = "per_user"\nrate = "30/m"\nburst = 5\nkey = "u"\n'
    limits += '[limits.slots]\nstrategy = "concurrency"\nmax_running = 3\n'
    (change,) = plan_of(*(f"{limits}[tasks.t]\nlimits = {each}\n" for each in (before, after))).changes
    assert (change.field, change.effect) == ("limits", effect)


def test_a_renamed_limit_that_has_changed_too(plan_of):
    old, new = (
        BUCKET + USED,
        BUCKET.replace("limits.a", "limits.b").replace("60/m", "30/m") + USED.replace('"a"', '"b"'),
    )
    assert [(each.action, each.field) for each in plan_of(old, new).changes] == [("change", "rate"), ("rename", "name")]


def test_of_several_limits_that_are_alike_the_one_of_the_same_tasks_is_renamed(plan_of):
    one, other = ('[tasks.t]\nlimits = ["{}"]\n', '[tasks.u]\nlimits = ["{}"]\n')
    old = BUCKET + BUCKET.replace("limits.a", "limits.b") + one.format("a") + other.format("b")
    new = (
        BUCKET.replace("limits.a", "limits.y")
        + BUCKET.replace("limits.a", "limits.z")
        + one.format("z")
        + other.format("y")
    )
    assert [(each.before, each.after) for each in plan_of(old, new).changes] == [("b", "y"), ("a", "z")]


def test_a_renamed_limit_is_known_by_its_terms_however_they_are_written(plan_of):
    new = BUCKET.replace("limits.a", "limits.b").replace("60/m", "1/s") + USED.replace('"a"', '"b"').replace(
        ".t]", ".u]"
    )
    assert [each.action for each in plan_of(BUCKET + USED, new).changes if each.kind == "limit"] == ["rename"]


@pytest.mark.parametrize("turned", [False, True])
def test_what_one_kind_limits_the_other_does_not(plan_of, turned):
    both = [BUCKET + USED, f'[limits.a]\nstrategy = "concurrency"\nmax_running = 1\n{USED}']
    (change,) = plan_of(*(both[::-1] if turned else both)).changes
    assert (change.field, change.effect) == ("strategy", "looser")


def test_a_limit_that_is_off_limits_nothing(plan_of):
    (worst,) = plan_of(BUCKET + USED, f'{BUCKET}mode = "off"\n{USED}').worst
    assert worst.after == (None,) * 5


def test_a_longer_window_that_resets_is_one_change(plan_of):
    assert [each.field for each in plan_of(RESETS, RESETS.replace("10/d", "30/2d")).changes] == ["rate"]


def test_what_a_task_with_a_limit_of_its_own_does_when_it_has_to_wait_is_told_once(plan_of):
    own = '[tasks.t]\nstrategy = "token_bucket"\nrate = "1/s"\n'
    (change,) = plan_of(own, f'{own}on_limit = "drop"\n').changes
    assert (change.field, change.before, change.after, change.effect) == (
        "on_limit",
        "wait",
        "drop at once",
        "stricter",
    )


def test_tasks_that_start_without_the_store_are_more(plan_of):
    assert plan_of('[store]\non_error = "hold"\n', "").changes[0].effect == "looser"
    assert plan_of("", '[store]\non_error = "hold"\n').changes[0].effect == "stricter"


def test_a_limit_of_which_a_task_has_it_otherwise(plan_of):
    old = f'{BUCKET}[tasks.t]\nlimits = [{{ limit = "a", cost = 2 }}]\n[tasks.u]\nlimits = ["a"]\n'
    (change,) = plan_of(old, old.replace("cost = 2", "cost = 4")).changes
    assert (change.subject, change.field, change.effect, str(change.new)) == (
        "tasks.t",
        "limits.a.cost",
        "stricter",
        "new.toml:7",
    )


def test_the_store_of_the_app_and_passwords(plan_of):
    (change,) = plan_of("", '[store]\nurl = "redis://me:secret@host/0"\n').changes
    assert (change.before, change.after, change.old) == ("the app's own Redis", "redis://**@host/0", None)
    (change,) = plan_of("", '[store]\nurl = "redis://me:secret@${HOST:-a}/0"\n').changes
    assert change.after == "redis://**@${HOST:-a}/0"


def test_what_variables_hold_is_shown_by_their_names(plan_of, monkeypatch):
    monkeypatch.setenv("RATE", "30/m")
    monkeypatch.setenv("BURST", "7")
    new = BUCKET.replace('"60/m"', '"${RATE}"').replace("= 5", '= "${BURST}"') + USED
    plan = plan_of(BUCKET + USED, new)
    assert [(each.field, each.before, each.after) for each in plan.changes] == [
        ("burst", "5", "${BURST}"),
        ("rate", "60/m", "${RATE}"),
    ]
    assert plan.changes[0].message == "the burst is 40 % higher; 7 may start at once after a quiet time"
    assert plan.notes[-1] == '"limits.a": numbers from variables are as set here; a worker uses its own.'


def test_a_file_that_needs_a_store_for_the_first_time(plan_of):
    static = BUCKET.replace("token_bucket", "static") + USED
    assert "needs a store" in " ".join(plan_of(static, BUCKET + USED).notes)
    assert "needs a store" not in " ".join(plan_of(BUCKET + USED, static).notes)
    assert "needs a store" not in " ".join(plan_of(BUCKET + USED, BUCKET.replace("60/m", "90/m") + USED).notes)


def test_only_store_and_metrics_need_a_restart(plan_of):
    restart = "restart the workers"
    assert restart in " ".join(plan_of("", "[metrics]\n").notes)
    assert restart in " ".join(plan_of("", '[store]\nprefix = "p"\n').notes)
    assert restart not in " ".join(plan_of("", '[store]\non_error = "hold"\n').notes)
    assert restart not in " ".join(plan_of("", '[waiting]\nhold = "5s"\n').notes)


def test_names_of_any_length_and_with_any_sign_are_whole(plan_of):
    names = [f"{'x' * 70}{end}" for end in ("a", "b", '"q"')]
    tables = "".join(f'[tasks.{json.dumps(name)}]\nstrategy = "static"\nrate = "1/s"\n' for name in names)
    (change,) = plan_of("", tables).changes
    assert (change.subject, change.names) == ("3 tasks", tuple(names))
    patterns = tables.replace('x"]', 'x*"]').replace('xa"', 'x*a"').replace('xb"', 'x*b"').replace('x\\"q', 'x*\\"q')
    assert len(plan_of("", patterns).changes) == 3
