"""Measure all rows and write docs/benchmarks.md: ``python -m benchmarks`` in the root, with tests/ on the path.

What was measured is kept in build/benchmarks.json row by row, so that one row can be measured again without the rest.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import time
import traceback
from concurrent.futures import ProcessPoolExecutor
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

from support.workers import ROOT

from benchmarks import compare, plot, report
from benchmarks.rows import ROWS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from benchmarks.row import Row

KEPT = ROOT / "build" / "benchmarks.json"
COMPARE = "compare"


def main() -> int:
    """Run what the command line asks for; returns 1 where a target was missed."""
    names = [row.key for row in ROWS] + [COMPARE]
    parser = argparse.ArgumentParser(prog="benchmarks", description=__doc__)
    parser.add_argument("--rows", nargs="*", choices=names, default=names, metavar="ROW", help=", ".join(names))
    parser.add_argument("--repeat", type=int, default=5, help="runs of each row (default: 5)")
    parser.add_argument("--pairs", type=int, default=10, help="pairs of what alternates in pairs (default: 10)")
    parser.add_argument("--date", default=datetime.now(timezone.utc).date().isoformat(), help="default: today (UTC)")
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "benchmarks.md")
    parser.add_argument("--kept", type=Path, default=KEPT, help="where figures are kept (default: %(default)s)")
    options = parser.parse_args()

    results = _kept(options.kept)
    options.kept.parent.mkdir(parents=True, exist_ok=True)
    fine = True
    for key, found in _all(list(dict.fromkeys(options.rows)), options):
        row = _row(key)
        print(f"{key}: {row.work if row else 'the first work under other ways'}", flush=True)
        seconds = found.pop("seconds")
        results[key] = {"date": options.date, **found}
        options.kept.write_text(json.dumps(results))
        if row and "samples" in found:
            report.summary(row, found["samples"])
            fine &= all(report.verdict(row, target, found["samples"]) != "**no**" for target in row.targets)
        fine &= "failed" not in found
        print(f"  {seconds:.0f} s", flush=True)

    picture = options.out.with_suffix(".svg")
    curves = {
        way: sorted(runs, key=lambda run: run["span"])[len(runs) // 2]["times"]
        for way, runs in results.get(COMPARE, {}).get("ways", {}).items()
    }
    if curves:
        plot.draw(curves, picture)
    report.write(options.out, results, picture.name)
    print(f"written: {options.out}")
    return 0 if fine else 1


def _row(key: str) -> Row | None:
    return next((row for row in ROWS if row.key == key), None)


def _all(keys: list[str], options: argparse.Namespace) -> Iterator[tuple[str, dict[str, Any]]]:
    """Measure rows: those that wait nearly all of the time side by side, then each of the others by itself."""
    together = [row.key for row in ROWS if row.waits and row.key in keys]
    with ProcessPoolExecutor(max(1, len(together)), mp_context=multiprocessing.get_context("spawn")) as processes:
        begun = [(key, processes.submit(_found, key, options)) for key in together]
        for key, found in begun:
            yield key, found.result()
    for key in keys:
        if key not in together:
            yield key, _found(key, options)


def _found(key: str, options: argparse.Namespace) -> dict[str, Any]:
    """Measure a row; an hour of other rows must not be lost for one that fails."""
    begun, row = time.monotonic(), _row(key)
    try:
        found = _measure(row, options) if row else _compare(options)
    except Exception as error:  # noqa: BLE001
        traceback.print_exc()
        found = {"failed": f"failed: {type(error).__name__}"}
    return {**found, "seconds": time.monotonic() - begun}


def _kept(path: Path) -> dict[str, Any]:
    """Read what was measured before, but for rows that had other figures then."""
    results: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}
    for row in ROWS:
        samples = results.get(row.key, {}).get("samples", [])
        if any(target.figure not in sample for sample in samples for target in row.targets):
            del results[row.key]
    return results


def _measure(row: Row, options: argparse.Namespace) -> dict[str, Any]:
    if row.pairs:
        return {"samples": row.pairs(options.pairs)}
    assert row.measure is not None
    samples = []
    for _ in range(options.repeat):
        samples.append(row.measure())
        print("   ", {name: round(value, 4) for name, value in samples[-1].items()}, flush=True)
    return {"samples": samples}


def _compare(options: argparse.Namespace) -> dict[str, Any]:
    ways: dict[str, list[dict[str, Any]]] = {way: [] for way in compare.WAYS}
    for _ in range(options.repeat):
        for way, runs in ways.items():
            runs.append(vars(compare.measure(way)))
            shown = {name: value for name, value in runs[-1].items() if name != "times"}
            print("   ", way, shown, flush=True)
    return {"ways": ways}
