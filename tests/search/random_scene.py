"""Makes up scenes for faults that random arrivals hardly meet: a pause that ends in a busy pool, and others."""

from __future__ import annotations

from typing import TYPE_CHECKING

from search.random_config import chance, pick

if TYPE_CHECKING:
    from random import Random

    from search.life import Data

PART = 0.4
"""Of all lives, so many have a scene."""


def play_scene(rnd: Random, config: Data, test: Data) -> None:
    """Put a scene into a life: limits, tasks and faults of its own, before the first of what is sent anyway."""
    test["send"] = test["send"][:1]
    test["send"][0]["count"] = min(test["send"][0].get("count", 1), 10)
    test.pop("fault", None)
    pick(rnd, (_goes_on, _pause_ends, _late, _held, _impatient, _outlasts))(rnd, config, test)


def _goes_on(rnd: Random, config: Data, test: Data) -> None:
    """Some wait for a third limit, which is used up, and others for their first alone."""
    most = pick(rnd, (10, 20))
    config["limits"] |= {
        "s0": {"strategy": "token_bucket", "rate": pick(rnd, ("2/s", "5/s", "10/5s"))},
        "s1": {"strategy": "token_bucket", "rate": "20/s"},
        "s2": {"strategy": "window", "rate": f"{most}/m"},
    }
    config["tasks"] |= {"three": {"limits": ["s0", "s1", "s2"]}, "one": {"limits": ["s0"]}}
    test["send"][:0] = [
        {"task": "three", "count": most + pick(rnd, (1, 3, 10))},
        {"task": "one", "count": pick(rnd, (1, 3, 10)), "at": f"{int(rnd.random() * 8000)}ms"},
    ]


def _pause_ends(rnd: Random, config: Data, test: Data) -> None:
    """A pause ends while messages come, in a pool that is busy or not."""
    config["limits"]["s0"] = {"strategy": "per_user", "rate": pick(rnd, ("5/s", "10/s")), "key": "user"}
    if chance(rnd, 0.5):  # such a bucket is asked long before it has a token
        config["limits"]["s0"]["partitions"] = {"u0": {"rate": "20/s"}}
    config["tasks"] |= {"paused": {"limits": ["s0"]}, "busy": {"limits": []}}
    test["send"].insert(0, {"task": "paused", "count": 20, "every": pick(rnd, ("110ms", "200ms", "700ms"))})
    test["send"][0]["kwargs"] = {"user": "u1"}
    if chance(rnd, 0.5):
        test["send"].insert(0, {"task": "busy", "count": 30, "every": "110ms"})
        test["task_seconds"]["busy"] = "300ms"
    test |= {"workers": 1, "processes": pick(rnd, (1, 2))}
    test["fault"] = [{"at": f"{int(rnd.random() * 1500)}ms", "pause": "s0", "for": pick(rnd, ("2s", "5s"))}]


def _late(rnd: Random, config: Data, test: Data) -> None:
    """After a lost connection, what has its token waits in the pool until all processes are free at once."""
    config["limits"]["s0"] = {"strategy": "token_bucket", "rate": pick(rnd, ("1/s", "2/s", "5/s"))}
    config["tasks"] |= {"late": {"limits": ["s0"]}, "long": {"limits": []}}
    test |= {"workers": 1, "processes": pick(rnd, (4, 8))}
    test["task_seconds"]["long"] = "8s"
    test["send"][:0] = [
        {"task": "long", "count": test["processes"]},
        {"task": "late", "count": 20, "at": "100ms"},
    ]
    test["fault"] = [{"at": f"{200 + int(rnd.random() * 2000)}ms", "disconnect": "worker-1"}]


def _held(rnd: Random, config: Data, test: Data) -> None:
    """The store is away while many wait for a limit that holds them until it is back."""
    config["limits"]["s0"] = {
        "strategy": "token_bucket",
        "rate": pick(rnd, ("1/s", "2/s", "5/s")),
        "on_error": "hold",
    }
    config["tasks"]["held"] = {"limits": ["s0"]}
    test["send"].insert(0, {"task": "held", "count": pick(rnd, (20, 40))})
    away = pick(rnd, ("300ms", "2s", "6s"))
    test["fault"] = [{"at": f"{int(rnd.random() * 3000)}ms", "store": "away", "for": away}]


def _impatient(rnd: Random, config: Data, test: Data) -> None:
    """Many come at once that may wait for some seconds only."""
    config["limits"]["s0"] = {"strategy": "token_bucket", "rate": pick(rnd, ("1/s", "2/s", "5/s"))}
    config["tasks"]["impatient"] = {
        "limits": ["s0"],
        "on_limit": pick(rnd, ("drop", "fail")),
        "max_wait": pick(rnd, ("100ms", "1s", "3s")),
    }
    test["send"].insert(0, {"task": "impatient", "count": 40, "every": pick(rnd, ("1ms", "20ms", "110ms"))})


def _outlasts(rnd: Random, config: Data, test: Data) -> None:
    """Tasks run longer than their leases, and others wait for their slots."""
    config["limits"]["s0"] = {"strategy": "concurrency", "max_running": pick(rnd, (1, 2, 3)), "lease": "5s"}
    config["tasks"]["outlasts"] = {"limits": ["s0"]}
    test["task_seconds"]["outlasts"] = "8s"
    test["send"].insert(0, {"task": "outlasts", "count": pick(rnd, (5, 8))})
