"""None is lost, none runs twice, and who is dropped or failed was to be."""

from __future__ import annotations

from typing import TYPE_CHECKING

from search.life import seconds
from search.story import Broken
from search.terms import entry_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from search.story import Story

_ACCEPTED = 0.01
"""Seconds from a start to its acknowledgement, at most."""
_MAX_WAIT_SLACK = 3.0


def none_lost(story: Story) -> Iterator[Broken]:
    """Each message starts, or is dropped or failed, or waits somewhere."""
    lost = [run for run in story.outcome.runs if run.fate == "lost"]
    if lost:
        yield Broken("none lost", f"{len(lost)} lost, the first sent at {lost[0].sent:.3f} s: {lost[0].task}")


def none_twice(story: Story) -> Iterator[Broken]:
    """Each message starts once, unless its worker was killed or disconnected as it began."""
    struck = [
        (seconds(fault, "at"), fault.get("kill", fault.get("disconnect")))
        for fault in story.faults
        if "kill" in fault or "disconnect" in fault
    ]
    for run in story.outcome.runs:
        for at, worker in zip(run.starts[:-1], run.workers, strict=False):
            if not any(worker == name and at - 0.005 <= when <= at + _ACCEPTED for when, name in struck):
                what = f"{run.task} number {run.number} started at {', '.join(f'{each:.3f}' for each in run.starts)} s"
                yield Broken("none twice", what)
                return


def dropped_as_said(story: Story) -> Iterator[Broken]:
    """Only tasks that may be are dropped or failed; and none of those starts much later than it may.

    One that was parked starts if it comes back when there is a token, however late that is.
    """
    config = story.life.config
    for run in story.outcome.runs:
        entry = entry_of(config, run.task)
        said = entry.get("on_limit", "wait")
        fate = {"drop": "dropped", "fail": "failed"}.get(said)
        if run.fate in ("dropped", "failed") and run.fate != fate:
            yield Broken("dropped as said", f"{run.task} number {run.number} was {run.fate}; on_limit is {said}")
            return
        if fate is None or run.wait is None or story.disturbed or story.outcome.most_parked:
            continue
        most = seconds(entry, "max_wait") + _MAX_WAIT_SLACK
        if run.wait > most and story.free_throughout(run.sent, run.starts[0]):
            yield Broken("max_wait", f"{run.task} number {run.number} waited {run.wait:.3f} s, and may {most:.3f} s")
            return
