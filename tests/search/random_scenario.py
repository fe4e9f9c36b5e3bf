"""Makes up arrivals, workers and faults for a config."""

from __future__ import annotations

from typing import TYPE_CHECKING

from search.random_config import RATES, TENANTS, USERS, chance, pick

if TYPE_CHECKING:
    from random import Random

    from search.life import Data

MOST_MESSAGES = 120
LASTING = ("0ms", "0ms", "0ms", "5ms", "5ms", "50ms", "50ms", "300ms", "300ms", "2s", "2s", "8s")
UNTIL = "150s"
"""When a life ends at the latest: nothing is judged that only longer ones would show."""


def random_test(rnd: Random, config: Data, number: int) -> Data:
    """Make up a ``[[test]]`` table."""
    tasks = [name for name in config["tasks"] if "*" not in name]
    if "p.*" in config["tasks"]:
        tasks += ["p.a", "p.b"]
    if chance(rnd, 0.5):
        tasks.append("free")
    workers = pick(rnd, (1, 1, 2, 2, 3, 4))
    test: Data = {
        "name": f"life {number}",
        "workers": workers,
        "processes": pick(rnd, (1, 2, 4, 8)),
        "prefetch_multiplier": pick(rnd, (1, 4, 4)),
        "seed": number,
        "until": UNTIL,
    }
    lasts = {name: pick(rnd, LASTING) for name in tasks}
    test["task_seconds"] = {name: text for name, text in lasts.items() if text != "0ms"}
    if chance(rnd, 0.3):
        test["begins_at"] = pick(rnd, ("2026-01-05T23:59:50+00:00", "2026-01-06T00:00:52+00:00"))
    left = MOST_MESSAGES
    test["send"] = sends = _rivals(rnd, config, tasks)
    left -= sum(each["count"] for each in sends)
    for _ in range(1 + int(rnd.random() * 7)):
        sends.append(_sending(rnd, config, pick(rnd, tasks), left))
        left -= sends[-1].get("count", 1)
        if left < 1:
            break
    if chance(rnd, 0.45):
        faults = [_fault(rnd, config, workers) for _ in range(pick(rnd, (1, 1, 2, 3)))]
        if any(faults):
            test["fault"] = [fault for fault in faults if fault]
    return test


def _rivals(rnd: Random, config: Data, tasks: list[str]) -> list[Data]:
    """Make up many messages of two that take turns, if any do."""
    fair = [task for task in tasks if _takes_turns(config, task)]
    if not fair or chance(rnd, 0.5):
        return []
    task = pick(rnd, fair)
    return [{"task": task, "count": 40, "kwargs": {"user": "u1", "tenant": each, "size": 1}} for each in TENANTS[:2]]


def _takes_turns(config: Data, task: str) -> bool:
    limits = config["tasks"].get(task, {}).get("limits", ())
    return len(limits) == 1 and "fair_by" in config["limits"][limits[0]]


def _sending(rnd: Random, config: Data, task: str, most: int) -> Data:
    send: Data = {"task": task}
    count = min(most, pick(rnd, (1, 3, 10, 20, 40, 80)))
    if count > 1:
        send["count"] = count
        every = pick(rnd, ("0ms", "0ms", "1ms", "20ms", "110ms", "700ms"))
        if every != "0ms":
            send["every"] = every
    if chance(rnd, 0.5):
        send["at"] = f"{int(rnd.random() * pick(rnd, (100, 1000, 8000)))}ms"
    kwargs = {"user": pick(rnd, (*USERS, "v{n}")), "tenant": pick(rnd, (*TENANTS, "a", "w{n}"))}
    if config["tasks"].get(task, {}).get("cost") == "size":
        kwargs["size"] = pick(rnd, (1, 2, 3, 5))
    send["kwargs"] = kwargs
    if "queues" in config and chance(rnd, 0.5):
        send["queue"] = "slow"
    elif chance(rnd, 0.1):
        send["queue"] = "other"
    if chance(rnd, 0.1):
        send["priority"] = pick(rnd, (3, 6, 9))
    return send


def _fault(rnd: Random, config: Data, workers: int) -> Data | None:
    at = f"{int(rnd.random() * pick(rnd, (1000, 5000, 15000)))}ms"
    kind = pick(rnd, ("kill", "stop", "disconnect", "disconnect", "store", "override", "override", "pause"))
    if kind in ("kill", "stop"):  # the first worker stays
        return {"at": at, kind: f"worker-{2 + int(rnd.random() * (workers - 1))}"} if workers > 1 else None
    if kind == "disconnect":
        return {"at": at, kind: f"worker-{1 + int(rnd.random() * workers)}"}
    if kind == "store":
        return {"at": at, "store": "away", "for": pick(rnd, ("300ms", "2s", "6s"))}
    shared = [name for name, limit in config["limits"].items() if _is_shared(limit)]
    if not shared:
        return None
    name = pick(rnd, shared)
    if kind == "pause":
        return {"at": at, "pause": name, "for": pick(rnd, ("2s", "5s"))}
    return {"at": at, "override": _override(rnd, name, config["limits"][name])}


def _is_shared(limit: Data) -> bool:
    return limit["strategy"] != "static" and limit.get("scope") != "worker"


def _override(rnd: Random, name: str, limit: Data) -> Data:
    said: Data = {"limit": name}
    if limit["strategy"] == "concurrency":
        said["max_running"] = pick(rnd, (1, 2, 6))
    elif limit["strategy"] == "window":
        said["rate"] = f"{pick(rnd, (2, 7, 30))}/{limit['rate'].partition('/')[2]}"
    else:
        said["rate"] = pick(rnd, RATES[:7])
        if chance(rnd, 0.3):
            said["burst"] = pick(rnd, (1, 3, 10))
    if "key" in limit and chance(rnd, 0.3):
        said["partition"] = "u0"
    if chance(rnd, 0.6):
        said["for"] = pick(rnd, ("2s", "6s"))
    return said
