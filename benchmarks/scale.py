"""Plays many workers, asks a real Redis the same, and writes the tables of docs/scale.md: ``make scale``.

Each play has a process of its own, and is kept in build/scale.json, so that one can be played again without the rest.
"""

import argparse
import json
import multiprocessing
import os
import sys
import time
from itertools import product

from support.workers import ROOT

from benchmarks import scale_page
from benchmarks.scale_plays import WORKERS, WORKS, play_one
from benchmarks.scale_redis import core_seconds, message_seconds

KEPT = ROOT / "build" / "scale.json"
MANY = 1000
"""With so many workers, each work is played against a store that answers one call at a time, too."""
PAGE = ROOT / "docs" / "scale.md"


def main():
    """Play what the command line asks for, and write the page."""
    parser = argparse.ArgumentParser(prog="benchmarks.scale", description=__doc__)
    parser.add_argument("--works", nargs="*", choices=WORKS, default=list(WORKS), metavar="WORK", help=", ".join(WORKS))
    parser.add_argument(
        "--workers", nargs="*", type=int, default=WORKERS, help="how many workers (default: %(default)s)"
    )
    parser.add_argument("--processes", type=int, default=os.cpu_count(), help="plays at a time (default: one a core)")
    parser.add_argument("--write", action="store_true", help="only write the page from what is kept")
    options = parser.parse_args()

    kept = json.loads(KEPT.read_text()) if KEPT.exists() else {}
    if not options.write:
        KEPT.parent.mkdir(parents=True, exist_ok=True)
        begun = time.monotonic()
        # Big plays first, so that none is left alone at the end.
        plays = sorted(product(options.works, options.workers, (False, True)), key=lambda each: -each[1])
        plays = [each for each in plays if not each[2] or each[1] >= MANY]
        with multiprocessing.get_context("spawn").Pool(options.processes, maxtasksperchild=1) as pool:
            for name, found in pool.imap_unordered(_found, plays, chunksize=1):
                kept[name] = found
                KEPT.write_text(json.dumps(kept, indent=1, sort_keys=True))
                print(f"{name}: {found['cpu']:.0f} s, {found['resident']:.0f} MB", flush=True)
        kept["message"] = message_seconds()
        kept["took"] = time.monotonic() - begun
        KEPT.write_text(json.dumps(kept, indent=1, sort_keys=True))
        print(f"{kept['took']:.0f} s in all")
    PAGE.write_text(scale_page.with_tables(PAGE.read_text(), kept))
    print(f"written: {PAGE}")
    return 0


def _found(each):
    work, workers, core = each
    figures, store = play_one(work, workers, core=core)
    if not core:
        seconds, call = core_seconds(store.noted)
        figures |= {"core_used": seconds / WORKS[work].seconds, "call_us": 1e6 * call}
    return f"{work} {workers}{' core' if core else ''}", figures


if __name__ == "__main__":
    sys.exit(main())
