"""The state of the limits when the file can't be used: what the workers report."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from limitkit.control.in_force import InForce
from limitkit.control.status.collect import adapted_in_memory, add_foreign, add_parked, add_worker, as_workers_know
from limitkit.control.status.snapshot import Row, Snapshot
from limitkit.control.workers import ask

if TYPE_CHECKING:
    from collections.abc import Sequence

    from limitkit.errors import Problem

_PREFIX = "limitkit"
"""The prefix of buckets' keys, if no worker reports another."""


def running(app: Any, problems: Sequence[Problem], *, patience: float = 1.0) -> Snapshot:
    """Ask the workers, and the waiting room; workers have ``patience`` seconds to answer.

    Raises UnreachableError, or UnusableBrokerError, when the broker can't be asked.
    """
    workers = ask(app, "limitkit_status", patience=patience, asks=True)
    in_force = as_workers_know(workers.values()) if workers else InForce()
    adapted = adapted_in_memory(workers, in_force.now)
    rows: dict[str, Row] = {}
    first = ""
    for worker, report in sorted(workers.items()):
        first = first or report.get("digest", "")
        add_foreign(rows, in_force, report, adapted)
        add_worker(rows, worker, report, same_file=report.get("digest") == first)
    prefix = next((report["prefix"] for report in workers.values() if "prefix" in report), _PREFIX)
    room = add_parked(app, prefix, rows)
    for row in rows.values():
        for digest, part in row.parts.items():
            known = adapted.get(f"{row.key}:{digest}")
            part.bucket_state = replace(part.bucket_state, adapted=known)
    every, path = list(rows.values()), problems[0].path
    return Snapshot(
        path, "", in_force.now, "enforce", every, in_force.overrides, workers, room, problems=tuple(problems)
    )
