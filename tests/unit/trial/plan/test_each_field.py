"""Whatever can be changed in a file is a change of its plan: each key of the model, each field of what is compiled."""

import dataclasses

import pytest
from pydantic import BaseModel

from limitkit.config import declared
from limitkit.config.model.feedback_tables import FeedbackTable, RecoverTable
from limitkit.config.model.limit_tables import LimitTable, QueueTable, TaskTable
from limitkit.config.model.share_tables import CostTable, EntryTable, PartitionTable, ScheduleTable
from limitkit.config.model.tables import MetricsTable, RateLimits, StoreTable, WaitingTable
from limitkit.trial.plan import feedback_fields, limit_fields, settings

BUCKET = '[limits.a]\nstrategy = "token_bucket"\nrate = "10/s"\nburst = 5\n'
USER = '[limits.a]\nstrategy = "per_user"\nrate = "10/s"\nburst = 5\nkey = "user"\n'
SLOTS = '[limits.a]\nstrategy = "concurrency"\nmax_running = 4\n'
WINDOW = '[limits.a]\nstrategy = "window"\nrate = "100/d"\n'
USED = '[tasks.t]\nlimits = ["a"]\n'
BACKS_OFF = BUCKET + 'feedback = { on = ["x.Y"] }\n'
OWN = '[tasks.t]\nstrategy = "token_bucket"\nrate = "10/s"\nburst = 5\n'
ASK = '[tasks.t]\nlimits = [{ limit = "a" }]\n'
QUEUED = BUCKET + '[queues.q]\nlimits = ["a"]\n'
NIGHT = '[[limits.a.schedule]]\nfrom = "22:00"\nto = "06:00"\nrate = "20/s"\n'
ACME = '[limits.a.partitions]\nacme = { rate = "50/s" }\n'
NOTHING = ""


def feedback(said):
    return BACKS_OFF.replace('on = ["x.Y"]', said) + USED


EXAMPLES = {
    # model, key: old, new, field, effect
    (RateLimits, "mode"): (BUCKET + USED, f'mode = "shadow"\n{BUCKET}{USED}', "mode", "looser"),
    (RateLimits, "store"): (NOTHING, '[store]\nprefix = "other"\n', "prefix", "looser"),
    (RateLimits, "waiting"): (NOTHING, '[waiting]\nhold = "5s"\n', "hold", "other"),
    (RateLimits, "metrics"): (NOTHING, "[metrics]\n", "", "other"),
    (RateLimits, "limits"): (
        BUCKET + USED,
        BUCKET.replace("limits.a", "limits.b") + USED.replace('"a"', '"b"'),
        "name",
        "other",
    ),
    (RateLimits, "tasks"): (BUCKET, BUCKET + USED, "limits", "stricter"),
    (RateLimits, "queues"): (BUCKET, QUEUED, "limits", "stricter"),
    (StoreTable, "url"): (NOTHING, '[store]\nurl = "redis://other/0"\n', "url", "looser"),
    (StoreTable, "prefix"): ('[store]\nprefix = "a"\n', '[store]\nprefix = "b"\n', "prefix", "looser"),
    (StoreTable, "timeout"): (NOTHING, '[store]\ntimeout = "1s"\n', "timeout", "other"),
    (StoreTable, "on_error"): (BUCKET + USED, f'[store]\non_error = "hold"\n{BUCKET}{USED}', "on_error", "stricter"),
    (WaitingTable, "hold"): ('[waiting]\nhold = "1s"\n', '[waiting]\nhold = "3s"\n', "hold", "other"),
    (WaitingTable, "per_limit"): (NOTHING, "[waiting]\nper_limit = 10\n", "per_limit", "other"),
    (WaitingTable, "per_worker"): (NOTHING, "[waiting]\nper_worker = 10\n", "per_worker", "other"),
    (WaitingTable, "rescue"): (NOTHING, "[waiting]\nrescue = false\n", "rescue", "other"),
    (MetricsTable, "host"): ("[metrics]\n", '[metrics]\nhost = "0.0.0.0"\n', "host", "other"),
    (MetricsTable, "port"): ("[metrics]\nport = 9545\n", '[metrics]\nport = "9545-9547"\n', "port", "other"),
    (LimitTable, "strategy"): (BUCKET + USED, WINDOW + USED, "strategy", "looser"),
    (LimitTable, "rate"): (BUCKET + USED, BUCKET.replace("10/s", "5/s") + USED, "rate", "stricter"),
    (LimitTable, "burst"): (BUCKET + USED, BUCKET.replace("= 5", "= 6") + USED, "burst", "looser"),
    (LimitTable, "key"): (WINDOW + USED, f'{WINDOW}key = "user"\n{USED}', "key", "looser"),
    (LimitTable, "resets"): (WINDOW + USED, f'{WINDOW}resets = "00:00 UTC"\n{USED}', "resets", "looser"),
    (LimitTable, "max_running"): (SLOTS + USED, SLOTS.replace("4", "3") + USED, "max_running", "stricter"),
    (LimitTable, "lease"): (SLOTS + USED, f'{SLOTS}lease = "30s"\n{USED}', "lease", "other"),
    (LimitTable, "scope"): (SLOTS + USED, f'{SLOTS}scope = "worker"\n{USED}', "scope", "looser"),
    (LimitTable, "partitions"): (USER + USED, USER + ACME + USED, "partitions", "looser"),
    (LimitTable, "show_key"): (USER + USED, f"{USER}show_key = true\n{USED}", "show_key", "other"),
    (LimitTable, "fair_by"): (BUCKET + USED, f'{BUCKET}fair_by = "user"\n{USED}', "fair_by", "other"),
    (LimitTable, "weights"): (
        f'{BUCKET}fair_by = "user"\n{USED}',
        f'{BUCKET}fair_by = "user"\nweights = {{ acme = 2 }}\n{USED}',
        "weights",
        "other",
    ),
    (LimitTable, "schedule"): (BUCKET + USED, BUCKET + NIGHT + USED, "schedule", "looser"),
    (LimitTable, "on_limit"): (BUCKET + USED, f'{BUCKET}on_limit = "drop"\n{USED}', "on_limit", "stricter"),
    (LimitTable, "max_wait"): (
        f'{BUCKET}on_limit = "drop"\nmax_wait = "9s"\n{USED}',
        f'{BUCKET}on_limit = "drop"\nmax_wait = "5s"\n{USED}',
        "max_wait",
        "stricter",
    ),
    (LimitTable, "on_error"): (
        f'{BUCKET}on_error = "hold"\n{USED}',
        f'{BUCKET}on_error = "divide"\n{USED}',
        "on_error",
        "looser",
    ),
    (LimitTable, "feedback"): (BUCKET + USED, BACKS_OFF + USED, "feedback", "stricter"),
    (LimitTable, "mode"): (BUCKET + USED, f'{BUCKET}mode = "off"\n{USED}', "mode", "looser"),
    (TaskTable, "strategy"): (OWN, OWN.replace("token_bucket", "static"), "strategy", "looser"),
    (TaskTable, "rate"): (OWN, OWN.replace("10/s", "20/s"), "rate", "looser"),
    (TaskTable, "burst"): (OWN, OWN.replace("= 5", "= 4"), "burst", "stricter"),
    (TaskTable, "key"): (
        '[tasks.t]\nstrategy = "per_user"\nrate = "1/s"\nkey = "user"\n',
        '[tasks.t]\nstrategy = "per_user"\nrate = "1/s"\nkey = "tenant"\n',
        "key",
        "other",
    ),
    (TaskTable, "limits"): (BUCKET + OWN, BUCKET + USED, "limits", "other"),
    (TaskTable, "cost"): (OWN, f"{OWN}cost = 5\n", "cost", "stricter"),
    (TaskTable, "settle"): (OWN, f'{OWN}settle = "usage"\n', "settle", "other"),
    (TaskTable, "mode"): (BUCKET + USED, f'{BUCKET}{USED}mode = "shadow"\n', "limits.a.mode", "looser"),
    (TaskTable, "on_error"): (BUCKET + USED, f'{BUCKET}{USED}on_error = "hold"\n', "limits.a.on_error", "stricter"),
    (TaskTable, "on_limit"): (BUCKET + USED, f'{BUCKET}{USED}on_limit = "fail"\n', "on_limit", "stricter"),
    (TaskTable, "max_wait"): (
        f'{BUCKET}on_limit = "fail"\n{USED}',
        f'{BUCKET}on_limit = "fail"\n{USED}max_wait = "5s"\n',
        "max_wait",
        "other",
    ),
    (QueueTable, "limits"): (QUEUED, QUEUED.replace('["a"]', "[]"), "limits", "looser"),
    (QueueTable, "mode"): (QUEUED, f'{QUEUED}mode = "off"\n', "limits.a.mode", "looser"),
    (EntryTable, "limit"): (BUCKET + USED, BUCKET + USED.replace('"a"', ""), "limits", "looser"),
    (EntryTable, "key"): (USER + ASK, USER + ASK.replace('"a"', '"a", key = "tenant"'), "limits.a.key", "other"),
    (EntryTable, "cost"): (BUCKET + ASK, BUCKET + ASK.replace('"a"', '"a", cost = 2'), "limits.a.cost", "stricter"),
    (EntryTable, "settle"): (
        BUCKET + ASK,
        BUCKET + ASK.replace('"a"', '"a", settle = "n"'),
        "limits.a.settle",
        "other",
    ),
    (PartitionTable, "rate"): (
        USER + ACME + USED,
        USER + ACME.replace("50/s", "40/s") + USED,
        "partitions",
        "stricter",
    ),
    (PartitionTable, "burst"): (
        USER + ACME + USED,
        USER + ACME.replace("50/s", '50/s", burst = "9')[:-4].replace('"9', "9") + "}\n" + USED,
        "partitions",
        "looser",
    ),
    (PartitionTable, "max_running"): (
        f'{SLOTS}key = "user"\npartitions = {{ acme = {{ max_running = 9 }} }}\n{USED}',
        f'{SLOTS}key = "user"\npartitions = {{ acme = {{ max_running = 8 }} }}\n{USED}',
        "partitions",
        "stricter",
    ),
    (ScheduleTable, "from_"): (BUCKET + NIGHT + USED, BUCKET + NIGHT.replace("22", "21") + USED, "schedule", "looser"),
    (ScheduleTable, "to"): (BUCKET + NIGHT + USED, BUCKET + NIGHT.replace("06", "05") + USED, "schedule", "stricter"),
    (ScheduleTable, "days"): (BUCKET + NIGHT + USED, f'{BUCKET}{NIGHT}days = "mon"\n{USED}', "schedule", "stricter"),
    (ScheduleTable, "timezone"): (
        BUCKET + NIGHT + USED,
        f'{BUCKET}{NIGHT}timezone = "Europe/Berlin"\n{USED}',
        "schedule",
        "looser",
    ),
    (ScheduleTable, "rate"): (
        BUCKET + NIGHT + USED,
        BUCKET + NIGHT.replace("20/s", "15/s") + USED,
        "schedule",
        "stricter",
    ),
    (ScheduleTable, "burst"): (BUCKET + NIGHT + USED, f"{BUCKET}{NIGHT}burst = 50\n{USED}", "schedule", "looser"),
    (ScheduleTable, "max_running"): (
        f"{SLOTS}[[limits.a.schedule]]\nmax_running = 2\n{USED}",
        f"{SLOTS}[[limits.a.schedule]]\nmax_running = 1\n{USED}",
        "schedule",
        "stricter",
    ),
    (CostTable, "of"): (f"{OWN}cost = 2\n", f'{OWN}cost = "size"\n', "cost", "other"),
    (CostTable, "times"): (f'{OWN}cost = "size"\n', f'{OWN}cost = {{ of = "size", times = 2 }}\n', "cost", "stricter"),
    (CostTable, "plus"): (f'{OWN}cost = {{ of = "size", plus = 2 }}\n', f'{OWN}cost = "size"\n', "cost", "looser"),
    (CostTable, "default"): (f"{OWN}cost = 2\n", f"{OWN}cost = 1\n", "cost", "looser"),
    (FeedbackTable, "on"): (feedback('on = ["x.Y"]'), feedback('on = ["x.Z"]'), "feedback.on", "looser"),
    (FeedbackTable, "unless"): (
        feedback('on = ["x.Y"]'),
        feedback('on = ["x.Y"], unless = ["x.Z"]'),
        "feedback.unless",
        "looser",
    ),
    (FeedbackTable, "action"): (
        feedback('on = ["x.Y"]'),
        feedback('on = ["x.Y"], action = "pause"'),
        "feedback.action",
        "other",
    ),
    (FeedbackTable, "recover"): (
        feedback('on = ["x.Y"]'),
        feedback('on = ["x.Y"], recover = { factor = 0.5 }'),
        "feedback.recover.factor",
        "other",
    ),
    (FeedbackTable, "resend"): (
        feedback('on = ["x.Y"]'),
        feedback('on = ["x.Y"], resend = 3'),
        "feedback.resend",
        "other",
    ),
    (FeedbackTable, "max_pause"): (
        feedback('on = ["x.Y"]'),
        feedback('on = ["x.Y"], max_pause = "2h"'),
        "feedback.max_pause",
        "other",
    ),
    (RecoverTable, "factor"): (
        feedback('on = ["x.Y"]'),
        feedback('on = ["x.Y"], recover = { factor = 0.8 }'),
        "feedback.recover.factor",
        "other",
    ),
    (RecoverTable, "step"): (
        feedback('on = ["x.Y"]'),
        feedback('on = ["x.Y"], recover = { step = "1/s" }'),
        "feedback.recover.step",
        "other",
    ),
    (RecoverTable, "floor"): (
        feedback('on = ["x.Y"]'),
        feedback('on = ["x.Y"], recover = { floor = "1/s" }'),
        "feedback.recover.floor",
        "other",
    ),
    (RecoverTable, "ceiling"): (
        feedback('on = ["x.Y"]'),
        feedback('on = ["x.Y"], recover = { ceiling = "5/s" }'),
        "feedback.recover.ceiling",
        "other",
    ),
}
SHARED = {
    "partitions",
    "resets",
    "max_running",
    "lease",
    "scope",
    "show_key",
    "fair_by",
    "weights",
    "schedule",
    "feedback",
}
"""Keys that a task's own limit has as a named one does, and that are compared by the same code."""


OF_THE_FILE = ("version", "extends", "lint")
"""Keys that say nothing of tasks: what a file extends counts as if it stood there."""


def models(model):
    """Find the tables of the file."""
    found = {model}
    for field in model.model_fields.values():
        todo = [field.annotation]
        while todo:
            kind = todo.pop()
            todo += getattr(kind, "__args__", ())
            if isinstance(kind, type) and issubclass(kind, BaseModel) and kind not in found:
                found |= models(kind)
    return found


@pytest.mark.parametrize("key", EXAMPLES, ids=lambda key: f"{key[0].__name__}.{key[1]}")
def test_a_changed_key_is_a_change(plan_of, key):
    old, new, field, effect = EXAMPLES[key]
    plan = plan_of(old, new)
    assert [(each.field, each.effect) for each in plan.changes if each.field == field] == [(field, effect)], (
        plan.changes
    )
    assert all(each.message and each.subject for each in plan.changes)
    assert plan_of(old, old).changes == plan_of(new, new).changes == ()


def test_each_key_of_the_file_has_its_example():
    keys = {(model, key) for model in models(RateLimits) for key in model.model_fields}
    keys -= {(TaskTable, key) for key in SHARED} | {(RateLimits, key) for key in OF_THE_FILE}
    assert keys == {*EXAMPLES}


@pytest.mark.parametrize(
    ("kind", "known"),
    [
        (declared.Limit, {*limit_fields.COMPARED, *limit_fields.NOT_COMPARED}),
        (declared.Feedback, {*feedback_fields.COMPARED, *feedback_fields.NOT_COMPARED}),
        (declared.StoreSettings, {*settings.STORE}),
        (declared.WaitingSettings, {*settings.WAITING}),
        (declared.MetricsSettings, {*settings.METRICS}),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_each_field_of_what_is_compiled_is_known(kind, known):
    assert {field.name for field in dataclasses.fields(kind)} == known
