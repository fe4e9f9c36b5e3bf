"""Judges what a Redis says of itself: its memory, its version and kind, its copies, its clock."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from limitkit.config.model.units import duration_text
from limitkit.config.wording import count, one_line
from limitkit.doctor.finding import found

if TYPE_CHECKING:
    from collections.abc import Iterator

    from limitkit.doctor.finding import Finding
    from limitkit.stores.server_facts import ServerFacts

BROKER_EVICTS: Final = "LK140"
NEARLY_FULL: Final = "LK152"
A_REPLICA: Final = "LK153"
ACTIVE_REPLICA: Final = "LK154"
OLD_SERVER: Final = "LK155"
CLOCK_APART: Final = "LK156"
_FULL: Final = 0.8
"""From this part of maxmemory on, memory counts as nearly full."""
_OLDEST: Final = (6, 2)
"""The oldest Redis that limitkit is tested with."""
_APART: Final = 1.0
"""Seconds: schedules and resets count whole ones, and an ETA of Celery's is no more exact."""


def described(facts: ServerFacts) -> str:
    """Write what a server is in a few words: ``Redis 7.0.15, noeviction, clock +0.3 ms``."""
    said = [facts.name]
    if facts.silent:
        said = ["a server that says nothing of itself (its user may not run INFO)"]
    if facts.clustered:
        said.append("a node of a cluster")
    if facts.role and facts.role != "master":
        said.append("a replica" if facts.role == "slave" else facts.role)
    if facts.policy:
        said.append(facts.policy)
    if facts.most:
        said.append(f"{100 * facts.used // facts.most} % of maxmemory used")
    if facts.replicas:
        said.append(count(facts.replicas, "replica"))
    if facts.persists is not None:
        said.append("written to disk" if facts.persists else "nothing written to disk")
    if facts.ahead is not None:
        said.append(f"clock {_offset(facts.ahead)}")
    return one_line(", ".join(said))


def _offset(seconds: float) -> str:
    if abs(seconds) < _APART:
        return f"{seconds * 1000:+.1f} ms"
    return f"{'+' if seconds > 0 else '-'}{duration_text(round(abs(seconds), 1))}"


def judged(facts: ServerFacts, whose: str, *, parks: bool) -> Iterator[Finding]:
    """Find what will hurt on a server; ``parks`` is whether it keeps messages, not buckets. Eviction has its own."""
    if facts.most and facts.used >= _FULL * facts.most:
        part = 100 * facts.used // facts.most
        fact = f"{whose} uses {part} % of its maxmemory"
        lost = (
            "then messages can't be sent or parked"
            if parks
            else "then it refuses takes, and on_error says what limited tasks do"
        )
        then = (
            f"when it is full, {lost}" if facts.policy in {"noeviction", ""} else "soon it drops keys that are in use"
        )
        yield found(NEARLY_FULL, "warning", fact, then, "raise maxmemory, or move what fills it elsewhere")
    if facts.role in {"slave", "replica"}:
        fact = f"{whose} is a replica, which is read only"
        then = "no worker can take a token from it" if not parks else "nothing can be sent, parked or brought back"
        yield found(A_REPLICA, "error", fact, then, "name the master, or the sentinels that know it (sentinel://)")
    if facts.role.startswith("active"):
        fact = f"{whose} is an active replica: two servers take writes"
        then = "each admits the rate, so together tasks start at twice the rate"
        yield found(ACTIVE_REPLICA, "error", fact, then, "name one server for all workers, without active replication")
    if facts.software == "Redis" and (version := _version(facts.version)) is not None and version < _OLDEST:
        fact = f"{whose} is {facts.name}, and limitkit is tested with Redis 6.2 and newer"
        yield found(OLD_SERVER, "warning", fact, "its scripts may fail, or do something else", "use Redis 6.2 or newer")


def clock(facts: ServerFacts, whose: str) -> Iterator[Finding]:
    """Find whether a server's clock differs from this machine's."""
    if facts.ahead is not None and abs(facts.ahead) > _APART:
        ahead = "ahead of" if facts.ahead > 0 else "behind"
        fact = f"the clock of {whose} is {duration_text(round(abs(facts.ahead), 1))} {ahead} this machine's"
        then = (
            "rates hold, since they go by the server's clock alone, but schedules and resets come at the wrong time, "
            "or tasks with an ETA do"
        )
        yield found(CLOCK_APART, "warning", fact, then, "have both machines set their clocks by NTP")


def evicts(facts: ServerFacts, whose: str) -> Iterator[Finding]:
    """Find whether a broker may drop messages: only what has no time to live is safe from ``volatile-…``."""
    if facts.policy.startswith("allkeys"):
        fact = f"the maxmemory-policy of {whose} is {facts.policy}, and queues and parked tasks are keys like any other"
        then = "when its memory is full it drops whole queues, and their tasks are lost"
        yield found(BROKER_EVICTS, "error", fact, then, 'set it to "noeviction"')


def _version(text: str) -> tuple[int, int] | None:
    numbers = re.match(r"(\d+)\.(\d+)", text)
    return (int(numbers[1]), int(numbers[2])) if numbers is not None else None
