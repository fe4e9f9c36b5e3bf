"""Faults put into the code on purpose, to see that the search finds each of them.

Each is put into a copy of the package; the clone's own files stay as they are.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import limitkit

PACKAGE = Path(limitkit.__file__).parent
TESTS = Path(__file__).parent.parent


class Mutant(NamedTuple):
    """One fault."""

    name: str
    file: str
    old: str
    """Text that is in the file once."""
    new: str
    breaks: str

    def count(self) -> int:
        """Return how often its text is in the file: once, or it can't be put in."""
        return (PACKAGE / self.file).read_text().count(self.old)

    def put_into(self, package: str) -> None:
        """Put the fault into a copy of the package; LookupError if its text is not there once."""
        file = Path(package, self.file)
        text = file.read_text()
        if text.count(self.old) != 1:
            raise LookupError(f"{self.name}: its text is {text.count(self.old)} times in {self.file}")
        file.write_text(text.replace(self.old, self.new))


MUTANTS = (
    Mutant(
        "sign of a sum",
        "buckets/token_bucket.py",
        "now + slot) + how.interval",
        "now + slot) - how.interval",
        "a start gives a token in place of taking it",
    ),
    Mutant(
        "give-back after another take",
        "buckets/token_bucket.py",
        "if state.get(gift.bucket.key) != gift.mark:",
        "if gift.bucket.key not in state:",
        "a give-back moves another's slot: two start at once",
    ),
    Mutant(
        "one that admits is enough",
        "buckets/group.py",
        "not any(look.wait for look in found)",
        "not all(look.wait for look in found)",
        "a start takes although one of its limits refuses",
    ),
    Mutant(
        "one more in a window",
        "buckets/group.py",
        "self._limit - self._cost + 1)",
        "self._limit - self._cost + 2)",
        "a sliding window admits N + 1",
    ),
    Mutant(
        "full window with resets",
        "buckets/group.py",
        "self._tally.count > max(0, self._limit - self._cost)",
        "self._tally.count > self._limit",
        "a window with resets admits N + 1",
    ),
    Mutant(
        "one more at once",
        "buckets/slots.py",
        "self._running >= slots.burst",
        "self._running > slots.burst",
        "one more than max_running runs",
    ),
    Mutant(
        "cost not taken",
        "buckets/metered.py",
        "self._tat += self._cost * self._every",
        "self._tat += self._every",
        "each start takes one token, whatever it costs",
    ),
    Mutant(
        "debt forgiven",
        "buckets/metered.py",
        "whole - min(cost, bucket.burst) * goes.interval",
        "whole - goes.interval",
        "a dear start needs one token only",
    ),
    Mutant(
        "weights upside down",
        "waiting/turns.lua",
        "cost * UNIT / weight",
        "cost * UNIT * weight",
        "who has more weight gets less",
    ),
    Mutant(
        "lost give-back",
        "worker/pacing/tokens.py",
        "self.give_back_later(self.leases.end(held.member))",
        "self.leases.end(held.member)",
        "the slot of a task that has ended is not given back",
    ),
    Mutant(
        "lane not forgotten",
        "worker/pacing/pacer.py",
        "        self._lanes.forget()\n",
        "",
        "what was held before a reconnect is still there after it",
    ),
    Mutant(
        "lease not freed",
        "worker/pool/leases.py",
        "running = self._running.pop(member, None)",
        "running = self._running.get(member)",
        "leases of tasks that have ended are renewed for ever",
    ),
    Mutant(
        "lease not renewed",
        "worker/pool/leases.py",
        "running = list(self._running.values())\n        self._last",
        "running = []\n        self._last",
        "the slot of a long task is given to another",
    ),
    Mutant(
        "stale ticket accepted",
        "worker/guard.py",
        "self._clock.monotonic() <= shown.until:",
        "shown.refused is None:",
        "a start that is late for its token takes none",
    ),
    Mutant(
        "who has gone on holds up",
        "worker/pacing/lanes.py",
        "        self.let_others_come(held)\n        self._push(held, lane)\n",
        "        self._push(held, lane)\n",
        "others wait behind one that waits for another limit",
    ),
    Mutant(
        "lane not looked at again",
        "worker/pacing/lanes.py",
        "        if lane.waiting and not lane.ready:\n            self._lane_timer.schedule(lane, due)",
        "        if False:\n            self._lane_timer.schedule(lane, due)",
        "the next of a lane is not called up",
    ),
    Mutant(
        "window stays wide",
        "worker/pacing/parking.py",
        "            self.window.narrow(held)\n            state",
        "            state",
        "each parked message widens the prefetch window for good",
    ),
    Mutant(
        "process not given back",
        "worker/pool/processes.py",
        "for _ in range(self.spare):",
        "for _ in range(self.spare - 1):",
        "one idle process stays claimed",
    ),
    Mutant(
        "lost on the way back",
        "waiting/bring.lua",
        "if kept and not met[tags[at]] then",
        "if kept and not met[tags[at]] and at < 3 then",
        "of many that come back, the third is lost",
    ),
    Mutant(
        "not taken out of the room",
        "waiting/bring.lua",
        "    call('HDEL', KEYS[1], unpack(tags))\n",
        "",
        "what comes back stays in the waiting room",
    ),
    Mutant(
        "hold does not hold",
        "worker/pacing/tokens.py",
        'bound.limit.on_error == "hold" or',
        'bound.limit.on_error == "none" or',
        "limits with on_error = hold start without the store",
    ),
    Mutant(
        "schedule from the wrong day",
        "control/schedules.py",
        "each.begin <= minute < each.end and day in each.days",
        "each.begin <= minute < each.end and day not in each.days",
        "a schedule does not hold when it should",
    ),
    Mutant(
        "override without an end",
        "control/in_force.py",
        "each.until is None or each.until > now)",
        "each.until is None or each.until > 0)",
        "an override holds for good",
    ),
    Mutant(
        "patience ten times as long",
        "worker/pacing/max_wait.py",
        "came + patience.max_wait",
        "came + 10 * patience.max_wait",
        "max_wait is not kept",
    ),
    Mutant(
        "pause asked too soon",
        "worker/pacing/taking.py",
        "(lead if lane.bucket.burst else 0.0)",
        "lead",
        "the pacer goes round and round at the end of a pause",
    ),
)
