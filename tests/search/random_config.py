"""Makes up limits of all kinds, and tasks and queues that have them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from random import Random

    from search.life import Data

RATES = ("1/s", "2/s", "5/s", "10/s", "20/s", "50/s", "100/s", "5/2s", "30/m", "10/5s")
BURSTS = (1, 1, 1, 2, 5, 10)
WINDOWS = ("5/s", "10/5s", "20/10s", "30/m", "250/m")
CLOCKS = ("10/s", "20/m", "10/15s", "60/m")
DAILY = ("20/d", "50/d")
HOURS = (("00:00", "00:01"), ("00:01", "00:02"), ("23:00", "00:00"))
KINDS = ("token_bucket",) * 4 + ("static", "per_user", "per_user", "window", "resets", "concurrency") * 2
USERS = ("u0", "u1", "u2")
TENANTS = ("a", "b", "c")


def pick(rnd: Random, values: Any) -> Any:
    """Return one of the values: the same one on every Python."""
    return values[int(rnd.random() * len(values))]


def chance(rnd: Random, part: float) -> bool:
    """Return True as often as that."""
    return rnd.random() < part


def random_config(rnd: Random) -> Data:
    """Make up a config."""
    limits = {f"l{n}": random_limit(rnd) for n in range(1 + int(rnd.random() * 4))}
    tasks: Data = {}
    for n in range(1 + int(rnd.random() * 4)):
        tasks[f"t{n}"] = _task(rnd, limits)
    if chance(rnd, 0.2):
        tasks["p.*"] = _own(rnd)
    config: Data = {"version": 1, "store": {"url": "redis://localhost"}}
    if chance(rnd, 0.3):
        config["store"]["on_error"] = pick(rnd, ("hold", "divide"))
    if chance(rnd, 0.3):
        config["waiting"] = _waiting(rnd)
    config["limits"], config["tasks"] = limits, tasks
    if chance(rnd, 0.15):
        limits["q0"] = random_limit(rnd, keys=False)
        config["queues"] = {"slow": {"limits": ["q0"]}}
    return config


def random_limit(rnd: Random, *, keys: bool = True) -> Data:
    """Make up a limit."""
    kind = pick(rnd, KINDS)
    limit = _kind(rnd, kind)
    if kind == "per_user" or (keys and kind in ("window", "concurrency") and chance(rnd, 0.3)):
        limit["key"] = "user"
        if chance(rnd, 0.3):
            limit["partitions"] = {"u0": _own_terms(rnd, limit)}
    if kind != "static" and limit.get("scope") != "worker":
        _shared(rnd, kind, limit)
    return limit


def _kind(rnd: Random, kind: str) -> Data:
    limit: Data = {"strategy": "window" if kind == "resets" else kind}
    if kind == "concurrency":
        limit["max_running"] = pick(rnd, (1, 2, 3, 5))
        limit |= {"scope": "worker"} if chance(rnd, 0.2) else {"lease": pick(rnd, ("5s", "6s", "15s", "30s"))}
    elif kind == "window":
        limit["rate"] = pick(rnd, WINDOWS)
    elif kind == "resets":
        limit |= {"rate": pick(rnd, CLOCKS), "resets": "clock"}
        if chance(rnd, 0.2):
            limit |= {"rate": pick(rnd, DAILY), "resets": "00:00 UTC"}
    else:
        limit |= {"rate": pick(rnd, RATES)}
        burst = pick(rnd, BURSTS)
        if burst > 1:
            limit["burst"] = burst
    return limit


def _shared(rnd: Random, kind: str, limit: Data) -> None:
    """Add what only limits have that all workers share."""
    if chance(rnd, 0.2):
        limit["fair_by"] = "tenant"
        if chance(rnd, 0.5):
            limit["weights"] = {"a": pick(rnd, (2, 3, 0.5))}
    if chance(rnd, 0.1) and kind != "resets":
        begin, end = pick(rnd, HOURS)
        limit["schedule"] = [{"from": begin, "to": end, **_own_terms(rnd, limit)}]
    if chance(rnd, 0.15):
        limit["on_error"] = pick(rnd, ("allow", "hold", "divide") if kind == "token_bucket" else ("allow", "hold"))


def _own_terms(rnd: Random, limit: Data) -> Data:
    """Make up terms for a partition or a schedule."""
    if limit["strategy"] == "concurrency":
        return {"max_running": pick(rnd, (1, 2, 4))}
    if limit["strategy"] == "window":
        return {"rate": f"{pick(rnd, (3, 8, 40))}/{limit['rate'].partition('/')[2]}"}
    return {"rate": pick(rnd, RATES[2:7]), "burst": pick(rnd, BURSTS)}


def _task(rnd: Random, limits: Data) -> Data:
    if chance(rnd, 0.1):
        return {"limits": []}
    if chance(rnd, 0.15):
        return _own(rnd)
    names = list(limits)
    most = min(len(names), pick(rnd, (1, 1, 1, 2, 2, 3)))
    chosen = [names.pop(int(rnd.random() * len(names))) for _ in range(most)]
    task: Data = {"limits": chosen}
    if chance(rnd, 0.2) and all(limits[name]["strategy"] in ("token_bucket", "per_user", "window") for name in chosen):
        task["cost"] = pick(rnd, (1, 2, 3, "size"))
        for name in chosen:
            if limits[name]["strategy"] != "window":
                limits[name]["burst"] = max(limits[name].get("burst", 1), pick(rnd, (3, 5, 10)))
    _patience(rnd, task)
    return task


def _own(rnd: Random) -> Data:
    task = random_limit(rnd)
    _patience(rnd, task)
    return task


def _patience(rnd: Random, task: Data) -> None:
    if chance(rnd, 0.12):
        task["on_limit"] = pick(rnd, ("drop", "fail"))
        if chance(rnd, 0.7):
            task["max_wait"] = pick(rnd, ("100ms", "1s", "3s", "10s"))


def _waiting(rnd: Random) -> Data:
    waiting: Data = {}
    if chance(rnd, 0.5):
        waiting["hold"] = pick(rnd, ("500ms", "1s", "5s", "20s"))
    if chance(rnd, 0.3):
        waiting["per_limit"] = pick(rnd, (1, 2, 5, 20))
    if chance(rnd, 0.3):
        waiting["per_worker"] = pick(rnd, (20, 50, 200))
    return waiting
