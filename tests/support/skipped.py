"""Tests that are skipped: noted one by one while they run, and told in one line at the end of ``make test``."""

import os
import sys
from collections import Counter
from pathlib import Path


def note(report):
    """Note a test that was skipped, and why, where that is wanted; of xdist's processes the first hears of all."""
    file = os.environ.get("LIMITKIT_SKIPPED")
    if report.skipped and file and "PYTEST_XDIST_WORKER" not in os.environ:
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        with Path(file).open("a") as notes:
            notes.write(f"{report.nodeid}\t{reason.removeprefix('Skipped: ').splitlines()[0]}\n")


def summary(notes):
    """Say in one line how many were skipped, and why."""
    reasons = Counter(line.rpartition("\t")[2] for line in notes)
    told = "; ".join(f"{count} because {reason}" for reason, count in reasons.most_common())
    return f"Skipped: {told}." if told else "Nothing was skipped."


def main(path):
    file = Path(path)
    sys.stdout.write(summary(file.read_text().splitlines() if file.exists() else []) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
