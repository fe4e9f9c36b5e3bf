"""Searches copies of the package that have a fault, and counts what only the fault breaks.

A life that breaks a promise counts as a find if the same life keeps all promises in the code without the fault, in a
process of its own. ``python -m search.hunter`` is what runs in such a copy.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from search.hunt import LONGEST_LIFE, hunt, life_of
from search.life import Life, config_text, text_of_test
from search.mutants import MUTANTS, PACKAGE, TESTS

if TYPE_CHECKING:
    from search.hunt import Found
    from search.mutants import Mutant

FOUND, NOT_FOUND = 10, 11
"""Exit statuses of a search in a copy: none that Python itself has."""


class Result(NamedTuple):
    """Whether and how a mutant was found."""

    mutant: Mutant
    found: bool
    seconds: float
    lives: int
    """How many were played until then."""
    excused: int
    """Lives that break a promise without the fault too."""
    promise: str
    what: str


def hunted(mutant: Mutant, *, minutes: float, cores: int, lives: int | None = None, seed: int = 0) -> Result:
    """Search a copy of the package that has this fault, until the first life that only the fault breaks."""
    with tempfile.TemporaryDirectory(prefix="limitkit-mutant-") as folder:
        mutant.put_into(shutil.copytree(PACKAGE, f"{folder}/limitkit", ignore=shutil.ignore_patterns("__pycache__")))
        command = [sys.executable, "-m", "search.hunter", "--minutes", str(minutes), "--cores", str(cores)]
        command += ["--seed", str(seed), *(["--lives", str(lives)] if lives is not None else [])]
        began = time.monotonic()
        done = subprocess.run(command, env=_importing(folder), cwd=folder, capture_output=True, text=True, check=False)
        took = time.monotonic() - began
    if done.returncode not in (FOUND, NOT_FOUND):
        raise RuntimeError(f"{mutant.name}: the search itself failed: {done.stderr[-2000:]}")
    said = json.loads(done.stdout.splitlines()[-1])
    return Result(mutant, done.returncode == FOUND, took, **said)


def hunt_all(*, minutes: float, cores: int, seed: int = 0, names: list[str] | None = None) -> int:
    """Search for all mutants, and print a table; returns how many were not found."""
    missed = 0
    print("| mutant | what it breaks | found after, s | lives | by |\n| --- | --- | --- | --- | --- |", flush=True)
    for mutant in MUTANTS:
        if names and not any(name in mutant.name for name in names):
            continue
        result = hunted(mutant, minutes=minutes, cores=cores, seed=seed)
        missed += not result.found
        after = f"{result.seconds:.0f}" if result.found else "**not found**"
        lives = f"{result.lives:,}" + (f" ({result.excused} excused)" if result.excused else "")
        print(f"| {mutant.name} | {mutant.breaks} | {after} | {lives} | {result.promise} |", flush=True)
        if result.found:
            print(f"{mutant.name}: {result.what}", file=sys.stderr, flush=True)
    return missed


def keeps_all_promises(life: Life, timeout: float = 3 * LONGEST_LIFE) -> bool:
    """Play a life in the code without a fault, in a process of its own; one that takes too long keeps none."""
    with tempfile.TemporaryDirectory(prefix="limitkit-life-") as folder:
        Path(folder, "ratelimits.toml").write_text(config_text(life.config))
        test = Path(folder, "life.limits.toml")
        test.write_text(text_of_test(life.test))
        command = [sys.executable, "-m", "search", "--replay", str(test)]
        try:
            done = subprocess.run(
                command,
                env=_importing(os.environ.get("SEARCH_WITHOUT_FAULT", str(PACKAGE.parent))),
                cwd=folder,
                capture_output=True,
                text=True,
                check=False,
                timeout=timeout,
            )
        except subprocess.TimeoutExpired:
            return False
    if done.returncode not in (0, 1) or done.stderr:
        raise RuntimeError(f"a life could not be played again: {done.stderr[-2000:]}")
    return done.returncode == 0


def _importing(folder: str) -> dict[str, str]:
    """Return an environment in which limitkit is imported from a folder."""
    return {
        **os.environ,
        "PYTHONPATH": os.pathsep.join((folder, str(TESTS))),
        "SEARCH_WITHOUT_FAULT": str(PACKAGE.parent),
    }


def main() -> int:
    """Search the code that is imported here, until a life breaks a promise that it keeps without the fault."""
    parser = argparse.ArgumentParser(prog="python -m search.hunter", description=main.__doc__)
    parser.add_argument("--minutes", type=float, required=True)
    parser.add_argument("--cores", type=int, required=True)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--lives", type=int)
    asked = parser.parse_args()
    found: list[Found] = []
    excused: list[Found] = []

    def stop(each: Found) -> bool:
        (found if keeps_all_promises(life_of(each.number)) else excused).append(each)
        return bool(found)

    tally = hunt(asked.seed, seconds=asked.minutes * 60, lives=asked.lives, cores=asked.cores, stop=stop)
    broken = found[0].broken[0] if found else None
    said = {"lives": tally.lives, "excused": len(excused)}
    said |= {
        "promise": broken.promise if broken else "",
        "what": f"life {found[0].number}: {broken.what}" if broken else "",
    }
    print(json.dumps(said))
    return FOUND if found else NOT_FOUND


if __name__ == "__main__":
    sys.exit(main())
