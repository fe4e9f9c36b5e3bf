"""Whom "did you mean" names, and that it looks at few words however many there are."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from limitkit.config.spelling import Nearest
from limitkit.config.wording import suggest

KEYS = ["strategy", "rate", "burst", "key", "limits", "on_limit", "max_wait", "on_error", "feedback", "mode"]
TASKS = ["shop.charge_customer", "emails.reciept", "push.send", "shop.tasks.refund", "celery_stuff"]


@pytest.mark.parametrize(
    ("word", "known", "meant"),
    [
        ("brust", KEYS, "burst"),
        ("stratgey", KEYS, "strategy"),
        ("ratee", KEYS, "rate"),
        ("rates", KEYS, "rate"),
        ("moed", KEYS, "mode"),
        ("maxwait", KEYS, "max_wait"),
        ("max-wait", KEYS, "max_wait"),
        ("MaxWait", KEYS, "max_wait"),
        ("rate_limit", KEYS, "rate"),
        ("max_burst", KEYS, "burst"),
        ("error", KEYS, "on_error"),
        ("queue", KEYS, None),
        ("send_mail", ["mail", "tasks.send_mail"], "tasks.send_mail"),
        ("send_mail", ["mail", "tasks.send_mail", "shop.send_mail"], "mail"),
        ("user", KEYS, None),
        ("per", KEYS, None),
        ("capacity", KEYS, None),
        ("c", ["a", "b"], None),
        ("оплта", ["почта", "оплата"], "оплата"),
        ("emails.receipt", TASKS, "emails.reciept"),
        ("refund", TASKS, "shop.tasks.refund"),
        ("myproject.push.send", TASKS, "push.send"),
        ("a_task_of_another_app.that_has_nothing_to_do_with_these", TASKS, None),
        ("rate\n", KEYS, None),
        ("k" * 1_000_000, KEYS, None),
        (None, KEYS, None),
        (42, KEYS, None),
        ("", KEYS, None),
    ],
)
def test_who_is_meant(word, known, meant):
    assert Nearest(known).find(word) == meant
    assert suggest(word, known) == (f'did you mean "{meant}"?' if meant else "")


words = st.text("abc", min_size=5, max_size=10)


@given(words, st.data())
def test_one_slip_is_found_among_few_and_among_many(word, data):
    at = data.draw(st.integers(0, len(word) - 1))
    letter = data.draw(st.sampled_from("abxy"))
    slip = data.draw(
        st.sampled_from(
            [
                word[:at] + word[at + 1 :],
                word[:at] + letter + word[at:],
                word[:at] + letter + word[at + 1 :],
                word[:at] + word[at : at + 2][::-1] + word[at + 2 :],
            ]
        )
    )
    far = [f"{number}{number}{number}" for number in range(200)]
    for others in ([], far):
        assert Nearest([*others, word]).find(slip) == word


@pytest.mark.parametrize(
    ("known", "asked"),
    [
        ("limit_{}", "limt_{}x"),
        ("limit_{}", "wrong_{}"),
        ("a rather long name of somebody's limit, number {}", "a rather long name of somebody's limt, number {}"),
        ("{}a", "{}b"),
    ],
)
def test_thousands_among_thousands_are_looked_up_and_not_compared(known, asked):
    nearest = Nearest([known.format(number) for number in range(4_000)])
    for number in range(4_000):
        nearest.find(asked.format(number))
    assert nearest.looked_at <= 40_000  # not the sixteen million pairs


def test_words_that_differ_in_one_sign_are_not_all_compared():
    nearest = Nearest(["word" + chr(0x4E00 + number) for number in range(4_000)])
    nearest.find("wordy")
    assert 0 < nearest.looked_at <= 32


def test_of_many_the_right_one_is_named():
    nearest = Nearest([f"limit_{number}" for number in range(4_000)])
    assert [nearest.find(f"limt_{number}") for number in range(0, 4_000, 399)] == [
        f"limit_{number}" for number in range(0, 4_000, 399)
    ]
