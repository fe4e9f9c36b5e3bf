"""What is believed of what workers answer; a real worker's answers are those that the tests of ``status`` read."""

import pytest

from limitkit.control.worker_answers import is_local, judged

REPORT = {
    "path": "p",
    "digest": "d",
    "since": 1.0,
    "refused": "",
    "mode": "enforce",
    "paced": True,
    "pid": 1,
    "unguarded": ["t"],
    "caps": {"t": 2.0},
    "limits": {
        "x": {
            "limit": "limits.x",
            "pattern": "t",
            "strategy": "static",
            "mode": "enforce",
            "declared": "1/s",
            "declared_burst": 1,
            "interval": 1.0,
            "burst": 1,
            "source": "file",
            "dialled": None,
            "held": 0,
            "oldest": 0.0,
            "started": None,
            "shadow": None,
            "partitions": [["ab", 3]],
        }
    },
}
LIMIT = REPORT["limits"]["x"]
FINE = [
    ("limitkit_status", REPORT),
    ("limitkit_status", {**REPORT, "later": 1, "overrides": [["rate limits x", "{}", None]]}),
    ("limitkit_status", {"error": "limitkit is not in force in this worker"}),
    ("limitkit_why", {}),
    ("limitkit_why", {"task": "t", "bucket": "b", "place": 1, "held": 1.0, "starts_in": 2.0, "id": "i"}),
    ("limitkit_why", {"task": "t", "buckets": ["b"], "again_in": 2.0}),
    ("limitkit_why", {"task": "t", "due_in": 2.0}),
    ("limitkit_why", {"task": "t", "rate_limit": "2/m"}),
    ("limitkit_reload", {"ok": "digest"}),
    ("limitkit_reload", {"error": "bad", "lines": ["bad"]}),
    ("limitkit_forget", {"ok": 2}),
    ("query_task", {}),
    ("query_task", {"id": ["active", {"name": "t", "args": []}]}),
]
STRANGE = [None, "text", [1], 3, True, {"digest": 3}, {"error": {}}, {"error": None}, {"ok": []}]
STRANGE += [{"bucket": 3}, {"again_in": 3}, {"due_in": 3}, {"rate_limit": 3}]
TWISTED = [
    *(
        {**REPORT, name: value}
        for name, value in (("path", 1), ("since", 1e300), ("since", float("nan")), ("caps", []))
    ),
    *({**REPORT, name: value} for name, value in (("limits", []), ("unguarded", 5), ("learnt", {"k": [1.0]}))),
    *({**REPORT, "limits": {"x": value}} for value in (5, {}, {**LIMIT, "interval": float("inf")})),
    *({**REPORT, "limits": {"x": {**LIMIT, name: "many"}}} for name in ("held", "burst", "partitions", "shadow")),
    {name: value for name, value in REPORT.items() if name != "limits"},
]


@pytest.mark.parametrize(("command", "answer"), FINE)
def test_what_is_believed(command, answer):
    assert judged(command, answer) is answer


@pytest.mark.parametrize("command", ["limitkit_status", "limitkit_why", "limitkit_reload", "limitkit_refill"])
@pytest.mark.parametrize("answer", STRANGE, ids=repr)
def test_what_is_not(command, answer):
    judged_as = judged(command, answer)
    assert judged_as == {"error": "it answers as another version of limitkit"} or (
        command == "limitkit_why" and not judged_as.keys() & {"bucket", "again_in", "due_in", "rate_limit"}
    )


@pytest.mark.parametrize("answer", TWISTED)
def test_a_report_that_is_not(answer):
    assert judged("limitkit_status", answer) == {"error": "it answers as another version of limitkit"}


@pytest.mark.parametrize("answer", [*STRANGE, {"id": 3}, {"id": ["active", {}]}], ids=repr)
def test_what_celery_itself_would_not_answer(answer):
    assert judged("query_task", answer) == {}


def test_a_worker_says_which_limits_are_its_own():
    assert is_local({"strategy": "concurrency", "local": True})
    assert is_local({"strategy": "static"}), "an older one does not say it"
    assert not is_local({"strategy": "concurrency", "local": False})


def test_a_number_of_slots_that_can_not_be_is_that_of_another_version():
    held = {"task": "a", "bucket": "b", "place": 1, "held": 1.0, "starts_in": 1.0}
    assert judged("limitkit_why", held | {"running": 1}) == held | {"running": 1}
    assert "error" in judged("limitkit_why", held | {"running": -1})
