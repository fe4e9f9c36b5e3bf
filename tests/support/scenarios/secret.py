"""Workers that call a partner whose rate they don't know, and which changes."""

import time
from dataclasses import dataclass
from itertools import pairwise

from support.partner import Partner
from support.scene import Scene, config

DECLARED = 100
_LOOK = 3.0
"""Seconds of starts that say that a rate was found."""
_STEP = 0.25

FEEDBACK = """
[tasks.call]
strategy = "token_bucket"
rate = "{rate}/s"

[tasks.call.feedback]
on = ["urllib.error.HTTPError:429"]
"""


@dataclass(frozen=True)
class Phase:
    """What became of one secret rate."""

    secret: int
    found: float
    """Seconds from the change until 0.9 of it was used for three seconds, with fewer than one in twenty refused."""
    used: float
    """The part of it that was used from then on until the next change."""
    refused: float
    """The part of the requests that was refused meanwhile."""
    refused_before: float
    """The part that was refused until it was found."""


@dataclass(frozen=True)
class Secret:
    phases: tuple[Phase, ...]
    lost: int
    retries: int
    """The most retries that a task has spent."""


def secret(*rates, seconds, retry_after=None, settling=0.0):
    """Keep workers busy while the partner's secret rate changes; each of ``rates`` holds for so many seconds.

    What is used and refused is counted from when a rate was found, and not before ``settling`` seconds.
    """
    with Partner(rates[0], retry_after=retry_after) as partner:
        env = {"PARTNER_URL": partner.url}
        toml = config(FEEDBACK.format(rate=DECLARED))
        with Scene(toml, module="support.partner_app", env=env) as scene:
            scene.shop.start_workers(2)
            scene.send([("call", ())] * round(sum(rates) * (seconds + 2)))
            scene.wait(lambda: partner.answers)
            changes = [partner.answers[0][0] + number * seconds for number in range(len(rates) + 1)]
            for rate, until in zip(rates, changes[1:], strict=True):
                partner.secret = rate
                scene.wait(lambda until=until: time.monotonic() >= until, seconds + 30)
            retries = max(start.retries for start in scene.shop.starts())
            tally = scene.tally()
        phases = tuple(
            _phase(partner.answers, rate, begin, end, settling)
            for rate, (begin, end) in zip(rates, pairwise(changes), strict=True)
        )
    return Secret(phases, tally["lost"], retries)


def _phase(answers, rate, begin, end, settling):
    at = begin
    while at + _LOOK <= end:
        admitted, refused = _count(answers, at, at + _LOOK)
        if admitted >= 0.9 * rate * _LOOK and refused <= 0.05 * (admitted + refused):
            break
        at += _STEP
    settled = max(at, begin + settling)
    admitted, refused = _count(answers, settled, end)
    missed, early = _count(answers, begin, at)
    return Phase(
        rate,
        at - begin,
        admitted / rate / (end - settled),
        refused / max(1, admitted + refused),
        early / max(1, missed + early),
    )


def _count(answers, begin, end):
    those = [fine for at, fine in answers if begin <= at < end]
    return sum(those), len(those) - sum(those)
