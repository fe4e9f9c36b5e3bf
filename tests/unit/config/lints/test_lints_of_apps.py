"""The lints that look at an app's tasks: their signatures, their code, their names."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any, Literal, NewType, Optional, Union

import pytest
from celery import Celery, chain, chord, group

from limitkit.config.lints.findings import findings
from limitkit.config.load import judge
from limitkit.config.source.toml import parse

app = Celery("lints", broker="memory://", set_as_current=False)
task = partial(app.task, shared=False)


class Size(enum.Enum):
    SMALL = 1
    LARGE = 2


class Rights(enum.Flag):
    READ = 1
    WRITE = 2


Plan = NewType("Plan", Literal["free", "paid"])  # type: ignore[valid-newtype]


@dataclass
class Order:
    express: bool
    user_id: int
    parent: Optional[Order] = None  # noqa: UP045 (as in older code)


@task(name="unreadable")
def unreadable(express: bool, unknown: missing): ...  # noqa: F821, FBT001


@task(name="known", bind=True)
def known(  # noqa: PLR0917
    self,
    user_id: int,
    express: bool,  # noqa: FBT001
    maybe: bool | None,  # noqa: FBT001
    size: Size,
    rights: Rights,
    plan: Plan,
    words: Literal["a", "b"],
    many: Literal["a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k"],
    either: Union[Literal["x"], bool],  # noqa: UP007, FBT001
    noted: Annotated[bool, "note"],
    order: Order,
    maybe_order: Order | None,
    plain=True,  # noqa: FBT002
    *flags: bool,
): ...


def said(text, tasks=None):
    config = judge(parse(f"version = 1\n{text}", "f.toml"))
    assert config.warnings == ()
    return [str(problem) for problem in findings(config, app.tasks if tasks is None else tasks)]


def keyed(key, strategy="per_user", more=""):
    rate = "max_running = 2" if strategy == "concurrency" else 'rate = "1/s"'
    return f'[tasks.known]\nstrategy = "{strategy}"\n{rate}\nkey = {key}\n{more}'


@pytest.mark.parametrize(
    ("key", "values"),
    [
        ('"express"', 2),
        ('"maybe"', 3),
        ('"size"', 2),
        ('"plan"', 2),
        ('"words"', 2),
        ('"either"', 3),
        ('"noted"', 2),
        ('"order.express"', 2),
        ('"maybe_order.express"', 2),
        ('"maybe_order.parent.express"', 2),
        ('["express"]', 2),
        ('"many"', 0),
        ('"user_id"', 0),
        ('"rights"', 0),
        ('"order.user_id"', 0),
        ('"order"', 0),
        ('"plain"', 0),
        ('"headers:express"', 0),
        ('["express", "user_id"]', 0),
        ('["express", "words"]', 4),
    ],
)
def test_a_key_with_few_values(key, values):
    expected = (
        f"f.toml:5:7: LK112 tasks.known.key: known takes it as one of {values} values, so all its messages share "
        f"{values} buckets; name an argument that tells users apart, such as an id"
    )
    assert said(keyed(key)) == ([expected] if values else [])


@pytest.mark.parametrize("strategy", ["window", "concurrency"])
def test_words_of_other_strategies_may_be_meant_and_yes_or_no_is_not(strategy):
    assert said(keyed('"words"', strategy)) == []
    assert len(said(keyed('"express"', strategy))) == 1


def test_values_with_terms_of_their_own_are_meant():
    assert said(keyed('"words"', more='partitions = { a = { rate = "2/s" } }')) == []
    assert said(keyed('"express"', more='mode = "off"')) == []


def test_annotations_that_cannot_be_read_say_nothing():
    assert said(keyed('"express"').replace("known", "unreadable")) == []


def test_a_limit_is_told_of_once_where_its_key_stands():
    shared = '[limits.user]\nstrategy = "per_user"\nrate = "1/s"\nkey = "express"\n'
    assert [line.split(" ")[0] for line in said(f'{shared}[tasks.known]\nlimits = ["user"]')] == ["f.toml:5:7:"]
    given = said(f'{shared.replace("express", "user_id")}[tasks.known]\nlimits = [{{ limit = "user", key = "size" }}]')
    assert [line.split(" ")[0] for line in given] == ["f.toml:7:35:"]


# Chords.


@task(name="page")
def page(number=0): ...


@task(name="other")
def other(): ...


@task(name="body")
def body(found=()): ...


@task(name="by_call")
def by_call():
    chord(page.s(number) for number in range(3))(body.s())


@task(name="by_variable")
def by_variable():
    header = [other.si()]
    header.append(page.si(1))
    return chord(header, body.s()).delay()


@task(name="by_bar")
def by_bar():
    return (group(page.s(1), other.s()) | body.s()).delay()


@task(name="by_chain")
def by_chain():
    return chain(group([page.s(1)]), body.s()).delay()


@task(name="by_name")
def by_name():
    chord(header=[app.signature("page", (1,))], body=body.s()).delay()


@task(name="no_chord")
def no_chord(group=None):
    group([page.s(1)]) | body.s()
    page.delay()
    return chain(page.s(1), body.s()).delay()


@task(name="only_a_group")
def only_a_group():
    return group(page.s(1)).delay(), chain(other.s(), group(page.s(1))).delay(), chord([other.s()])(page.s())


def beside():
    return chord([page.signature()])(body.s())


GIVES_UP = '[tasks.page]\nstrategy = "static"\nrate = "1/s"\non_limit = "{}"\n'


def in_chords(text, *names):
    tasks = {name: app.tasks[name] for name in ("page", "other", "body", *names)}
    return [line for line in said(text, tasks) if "LK116" in line]


@pytest.mark.parametrize("name", ["by_call", "by_variable", "by_bar", "by_chain", "by_name"])
def test_a_task_that_is_dropped_in_the_header_of_a_chord(name):
    assert in_chords(GIVES_UP.format("drop"), name) == [
        (
            f"f.toml:2:1: LK116 tasks.page: page is in the header of a chord in {name}, and one that can't start at "
            f'once is dropped: then the chord fails, and its body never runs; write on_limit = "wait" for this task, '
            f"or let the chord do without it"
        )
    ]


def test_functions_beside_the_tasks_are_read_too():
    found = in_chords(GIVES_UP.format("fail") + 'max_wait = "90s"\n')
    assert found == [
        (
            f"f.toml:2:1: LK116 tasks.page: page is in the header of a chord in {__name__}.beside, and one that has to "
            f'wait too long (90s) fails: then the chord fails, and its body never runs; write on_limit = "wait" for '
            f"this task, or let the chord do without it"
        )
    ]


def test_what_is_no_header_or_may_wait(monkeypatch):
    monkeypatch.delitem(globals(), "beside")
    assert in_chords(GIVES_UP.format("drop"), "no_chord", "only_a_group") == []
    assert in_chords(GIVES_UP.format("wait"), "by_call", "by_bar") == []
    assert in_chords(GIVES_UP.format("drop") + 'mode = "shadow"\n', "by_call", "by_bar") == []


# Names.


def of_names(text, *names):
    return [line for line in said(text, dict.fromkeys(names, page)) if "LK113" in line]


def entries(*patterns):
    return "".join(f'[tasks."{pattern}"]\nstrategy = "static"\nrate = "1/s"\n' for pattern in patterns)


def test_a_pattern_that_no_task_of_the_app_is_left_for():
    names = ("mail.send_one", "mail.send_two", "mail.read")
    assert of_names(entries("mail.*", "*.send_*", "mail.read"), *names[:1], *names[2:]) == [
        (
            'f.toml:2:1: LK113 tasks."mail.*": of the app\'s tasks it matches 2 tasks, and other entries hold for '
            'all of them, such as "*.send_*", which has no fewer literal characters; put it first, make it longer, '
            "or take it out"
        )
    ]
    assert of_names(entries("mail.*", "*.send_*"), *names) == []  # it has mail.read
    assert of_names(entries("mail.*", *names), *names) == []  # each is named: what comes later is meant
    assert of_names(entries("*", "mail.*"), *names) == []  # so here


# Tasks that expire.


@pytest.mark.parametrize(("expires", "warned"), [(10, True), (59.5, True), (60, False), (None, False), (True, False)])
def test_a_task_that_expires_before_a_token_comes(expires, warned):
    @task(name="expiring", expires=expires)
    def expiring(): ...

    tasks: dict[str, Any] = {"expiring": app.tasks["expiring"]}
    text = '[limits.slow]\nstrategy = "token_bucket"\nrate = "1/m"\n[tasks."exp*"]\nlimits = ["slow"]'
    found = said(text, tasks)
    del app.tasks["expiring"]
    assert [line.split(" ")[:2] for line in found] == ([["f.toml:5:1:", "LK117"]] if warned else [])
    if expires == 10:
        assert found == [
            (
                'f.toml:5:1: LK117 tasks."exp*": expiring expires 10s after it is sent, and for limits.slow one token '
                "comes in 1m, so at most one of those that wait can start before they expire; let it expire later, or "
                "write a higher rate"
            )
        ]
