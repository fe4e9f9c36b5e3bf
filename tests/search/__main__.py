"""``python -m search``: plays random lives, writes what breaks a promise as files, and exits with 1 then."""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections import Counter
from pathlib import Path

from search.hunt import Found, broken_in, hunt, life_of
from search.hunter import hunt_all
from search.life import Life, config_text, read, text_of_test
from search.shrink import shrunk


def main() -> int:
    """Search, or play one life again."""
    asked = _asked()
    if asked.replay:
        return _replay(asked.replay)
    if asked.mutants is not None:
        return (
            1
            if hunt_all(minutes=min(asked.minutes, 5.0), cores=asked.cores, seed=asked.seed, names=asked.mutants)
            else 0
        )
    folder = Path(asked.folder or tempfile.mkdtemp(prefix="limitkit-search-"))

    def stop(found: Found) -> bool:
        life = life_of(found.number) if asked.whole else shrunk(life_of(found.number), found.broken[0].promise)
        where = _write(folder, found, life)
        print(f"life {found.number}: {found.broken[0].promise}: {found.broken[0].what}\n  {where}", flush=True)
        return asked.first

    tally = hunt(asked.seed, seconds=asked.minutes * 60, lives=asked.lives, cores=asked.cores, stop=stop)
    print(
        f"{tally.lives:,} lives of {tally.messages:,} messages, {tally.virtual / 3600:.1f} virtual hours, "
        f"in {tally.seconds:.0f} s: {tally.lives / max(tally.seconds, 1e-9):.1f} lives a second."
    )
    for promise, count in Counter(found.broken[0].promise for found in tally.found).most_common():
        print(f"{count:5} {promise}")
    if tally.found:
        print(f"Files of what failed: {folder}; to play one again: python -m search --replay FILE")
    return 1 if tally.found else 0


def _asked() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m search", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--lives", type=int, help="how many are played at most")
    parser.add_argument("--seed", type=int, default=0, help="which lives are made up")
    parser.add_argument("--cores", type=int, default=2)
    parser.add_argument("--first", action="store_true", help="end at the first life that breaks a promise")
    parser.add_argument("--whole", action="store_true", help="write what fails as it was, not made small")
    parser.add_argument("--folder", help="where what fails is written; default: a new one")
    parser.add_argument("--replay", metavar="FILE", help="play a file again that was written")
    parser.add_argument(
        "--mutants", nargs="*", metavar="NAME", help="put faults into the code, and see that each is found"
    )
    return parser.parse_args()


def _write(folder: Path, found: Found, life: Life) -> Path:
    """Write a life as two files; returns the one with its test."""
    place = folder / f"life-{found.number}"
    place.mkdir(parents=True, exist_ok=True)
    (place / "ratelimits.toml").write_text(config_text(life.config))
    said = broken_in(life)[0] or found.broken
    comment = "\n".join(f"{each.promise}: {each.what}" for each in said)
    test = place / "life.limits.toml"
    test.write_text(text_of_test(life.test, comment=comment))
    return test


def _replay(file: str) -> int:
    path = Path(file)
    life = read((path.parent / "ratelimits.toml").read_text(), path.read_text())
    broken, _ = broken_in(life)
    for each in broken:
        print(f"{each.promise}: {each.what}")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
