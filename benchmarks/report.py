"""Writes docs/benchmarks.md from what was measured."""

from __future__ import annotations

import os
import platform
import statistics
import sys
from importlib.metadata import version
from pathlib import Path
from subprocess import run
from typing import TYPE_CHECKING, Any

from support.servers import redis_binary

from benchmarks.compare import BURST, COUNT, OTHERS, PATIENCE, RATE, WAYS
from benchmarks.micro import median_with_interval
from benchmarks.rows import ROWS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from benchmarks.row import Row, Target

HOW = """\
To measure it yourself, on a machine that does nothing else (it needs make, git and Python, no Redis and no root; some
rows need RabbitMQ):

```sh
git clone https://github.com/celery-limitkit/limitkit && cd limitkit
make bench                                                # all rows: about 150 minutes
make bench ARGS="--rows backlog take --out /tmp/new.md"   # some rows, into a page of their own
```

A row of `benchmarks/rows*.py` says what is measured and what it must reach, `benchmarks/works*.py` does the work, and
`benchmarks/compare.py` has the other ways. `make bench` starts what it needs (Redis and workers, on free ports of the
loopback) and stops it again. Workers are real: 2 prefork workers with 2 processes each and prefetch 4, on a Redis
broker, unless a row says otherwise. The first line of the task's own code notes the time of each start.

- *Efficiency* is the ideal time to drain the work, divided by the measured time.
- *Excess* is the most by which the number of starts in any window exceeds rate x time. A limit is kept if the excess is
  not above the burst; a limit promises at most `burst + rate x 0.05 s + 1`.
- *Sent back* is how many messages came to the queues besides those that were sent.
- *A, over B* is A divided by B.
"""
READING = """\
Each figure is the median of {repeat} runs, with the lowest and the highest in brackets. Where short measurements
alternate in pairs, it is the median of {pairs} pairs, with the second lowest and the second highest (of ten, these hold
the true median with 98 %). Targets are for the median; targets of 0 are for each single run.
Rows marked \\* wait nearly all of the time, so they were measured side by side; each other row had the machine to
itself.
"""
NOTES = """\
- Users: a wait is the time from the sending of a message to its start. The big user's messages are sent first.
- Shared limit: twenty users' first starts need 19/30 s of the shared limit, then each user needs 9 s: the ideal time.
- 1,000 lanes: their 1,000 starts need the pool as other starts do. So throughput counts all starts from the first to
  the last unlimited one. The last lane's lateness is the time beyond what the same pool needs for 1,000 tasks without a
  limit.
- Huge backlog: messages are copies of one that Celery made. They appear in the queue at one moment, when both workers
  are ready. Growth of memory and times count from that moment.
- Parks: commands that scripts run inside Redis are not commands of clients. Takes count, although they are not parking.
- Many users: the n-th first start is due when the pool, without limits, has started n tasks. A later start is due one
  token's time after the same user's start before it. Messages come in turn, one of each user, then the next of each.
- Secret rate: a rate counts as found when 0.9 of it was used for three seconds, with fewer than one request in twenty
  rejected. *Used* is what the partner admitted.
- Killed: *lost by Celery itself* is what kombu had taken out of its queue and not yet noted, and what was acknowledged
  as a process got it, and had not begun.
- SIGTERM: it comes at a random moment in the 1.5 s after the first start.
- Fast limits: the store is a Redis of its own, so that its calls can be counted. If the same workers, without a limit,
  start less than 1.5 x the rate, efficiency and calls say little, and a miss counts as skipped.
"""


def machine() -> list[str]:
    """Describe what the figures were measured on; names neither the host nor its user."""
    model = platform.machine()
    for line in Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else ():
        if line.startswith("model name"):
            model = line.split(":", 1)[1].strip()
            break
    server = run([redis_binary(), "--version"], capture_output=True, text=True, check=True).stdout
    found = next(part[2:] for part in server.split() if part.startswith("v="))
    names = ("celery", "kombu", "billiard", "redis", "celery-heimdall")
    return [
        f"{os.cpu_count()} cores ({model}), {platform.system()} {platform.release().split('-')[0]}",
        f"Python {platform.python_version()}, Redis server {found}",
        ", ".join(f"{name} {version(name)}" for name in names),
    ]


def number(value: float) -> str:
    """Write a figure with as many digits as say something."""
    if value == int(value) and abs(value) < 1e6:
        return f"{value:,.0f}"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}" if abs(value) >= 100 else f"{value:.2f}"


def spread(row: Row, target: Target, values: list[float]) -> str:
    """Write a figure's median and range."""
    if row.pairs:
        middle, low, high = median_with_interval(values)
    else:
        middle, low, high = statistics.median(values), min(values), max(values)
    digits = (lambda value: f"{value:.3f}") if target.figure in ("efficiency", "ratio", "throughput") else number
    text = f"{digits(middle)}{target.unit}"
    return text if low == high else f"{text} ({digits(low)} to {digits(high)})"


def verdict(row: Row, target: Target, samples: list[dict[str, float]]) -> str:
    """Say whether a target was reached."""
    reached = target.reached([sample[target.figure] for sample in samples])
    if reached is None:
        return ""
    if reached:
        return "yes"
    if target.pool_bound and statistics.median(sample["unlimited"] for sample in samples) < row.needs:
        return "skipped"
    return "**no**"


def table(results: dict[str, Any]) -> list[str]:
    """Write the table of rows."""
    lines = ["| work | figure | target | measured | reached |", "| --- | --- | --- | --- | --- |"]
    for row in ROWS:
        samples = results.get(row.key, {}).get("samples")
        work = f"{row.work} \\*" if row.waits else row.work
        for target in row.targets if samples else ():
            measured = spread(row, target, [sample[target.figure] for sample in samples])
            says = verdict(row, target, samples)
            lines.append(f"| {work} | {target.says} | {target.wanted} | {measured} | {says} |")
            work = ""
        if not samples:
            lines.append(f"| {work} | | | {results.get(row.key, {}).get('failed', 'not measured')} | |")
    return lines


def comparison(ways: dict[str, list[dict[str, Any]]]) -> list[str]:
    """Write the table of the other ways."""
    lines = [
        "| way | started | seconds | of the declared rate | excess | lost | sent back | the others' span |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for way, says in WAYS.items():
        if way not in ways:
            continue
        runs = ways[way]
        middle = {
            key: statistics.median(run[key] for run in runs)
            for key in ("started", "span", "achieved", "excess", "lost", "sent_back", "others_started", "others_span")
        }
        others = f"{middle['others_span']:.1f} s"
        if middle["others_started"] < OTHERS:
            others = f"{middle['others_started']:,.0f} of {OTHERS:,} started"
        kept = middle["excess"] <= BURST + RATE * 0.05 + 1
        excess = f"{middle['excess']:.1f}" if kept else f"**{middle['excess']:.0f}**"
        lost = f"**{middle['lost']:.0f}**" if middle["lost"] else "0"
        lines.append(
            f"| {says} | {middle['started']:.0f} of {COUNT} | {middle['span']:.1f} | {100 * middle['achieved']:.0f} % "
            f"| {excess} | {lost} | {middle['sent_back']:,.0f} | {others} |"
        )
    return lines


def _most_often(counts: Iterable[int]) -> int:
    return statistics.mode([*counts] or [0])


def write(path: Path, results: dict[str, Any], picture: str) -> None:
    """Write the whole page."""
    compared = results.get("compare", {}) if "ways" in results.get("compare", {}) else {}
    measured = {row: results[row.key] for row in ROWS if "samples" in results.get(row.key, {})}
    dates = sorted({each["date"] for each in (*measured.values(), compared) if each})
    repeat = _most_often(len(found["samples"]) for row, found in measured.items() if row.measure)
    pairs = _most_often(len(found["samples"]) for row, found in measured.items() if row.pairs)
    lines = ["# Benchmarks", "", HOW, READING.format(repeat=repeat, pairs=pairs)]
    lines += [f"Measured on {' and '.join(dict.fromkeys((dates[0], dates[-1])))} with:" if dates else "", ""]
    lines += [f"- {line}" for line in machine()]
    lines += ["", "## What must be reached", "", *table(results), "", NOTES]
    if compared:
        ideal = (COUNT - BURST) / RATE
        runs = max(len(runs) for runs in compared["ways"].values())
        lines += [
            "## Compared with other ways",
            "",
            f"The work of the first row: {COUNT} tasks at {RATE}/s burst {BURST}, then {OTHERS:,} without a limit, in",
            f"one queue. Ideal: {ideal:g} s, and excess at most {BURST}. A way that is not done after {PATIENCE:.0f} s",
            f"is stopped. Medians; runs of each way: {runs}.",
            "",
            *comparison(compared["ways"]),
            "",
            "*Lost*: failed for good without a start. *Of the declared rate*: starts after the burst, divided by rate",
            "x time. *Excess* in bold: more than the limit promises.",
            "",
            f"![Starts against time, each way beside the declared line]({picture})",
            "",
        ]
    text = "\n".join(lines).replace("\n\n\n", "\n\n")
    path.write_text(text.rstrip() + "\n")


def summary(row: Row, samples: list[dict[str, float]]) -> None:
    """Print a row's figures as they come."""
    for target in row.targets:
        says = verdict(row, target, samples) or "-"
        measured = spread(row, target, [sample[target.figure] for sample in samples])
        sys.stdout.write(f"  {says:9} {target.says}: {measured}   target {target.wanted or 'none'}\n")
    sys.stdout.flush()
