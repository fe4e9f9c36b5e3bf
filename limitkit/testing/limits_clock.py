"""A virtual clock on which calls of tasks start as their limits allow."""

from __future__ import annotations

import json
from collections import ChainMap
from dataclasses import replace
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from limitkit.trial.scenario import DEFAULT_QUEUE, EPOCH, Arrival, Scenario

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping, Sequence
    from contextlib import AbstractContextManager
    from datetime import datetime

    from typing_extensions import Self

    from limitkit.config.load import Config
    from limitkit.config.rules import Rules
    from limitkit.testing.capture import Caught
    from limitkit.trial.outcome import Outcome, Run

Duration: TypeAlias = float | str
"""Seconds, or as in the config: ``"200ms"``, ``"1m 30s"``."""
_ALL: Final = "*"
_MOST: Final = 1000


class LimitsClock:
    """Plays when calls of tasks start under the limits of a config, on a virtual clock that begins at 0.

    The pacer, the guard and the buckets are those of workers; the broker, the pool and the clock are played, and no
    task's code runs. In a ``with`` block it also catches what apps send: ``delay``, ``apply_async`` and ``send_task``.
    """

    def __init__(
        self,
        config: str | os.PathLike[str] | Config | None = None,
        *,
        folder: str | os.PathLike[str] = ".",
        workers: int = 1,
        processes: int = 4,
        prefetch_multiplier: int = 4,
        runs: Duration | Mapping[str, Duration] = 0.0,
        begins_at: datetime | None = None,
        seed: int = 0,
    ) -> None:
        """Make a clock that nothing was sent on.

        ``config`` is a path, or what ``limitkit.load`` returned. Without it, the config is the one that is installed
        for the app whose tasks are sent, else ``LIMITKIT_CONFIG``, else the nearest ratelimits.toml from ``folder`` up.
        ``runs`` is how long tasks run: one duration for all, or durations by names or patterns. ``begins_at`` is what
        schedules and windows with resets go by; it needs an offset. Raises ValueError for what is out of range.
        """
        for name, number in (
            ("workers", workers),
            ("processes", processes),
            ("prefetch_multiplier", prefetch_multiplier),
        ):
            if not 1 <= number <= _MOST:
                raise ValueError(f"{name} is {number}, so nothing can be played; give 1 to {_MOST:,}")
        if begins_at is not None and begins_at.tzinfo is None:
            raise ValueError("begins_at has no offset, so it may be any time; give one, such as timezone.utc")
        table = runs if not isinstance(runs, (str, int, float)) else {_ALL: runs}
        self._config, self._folder = config, folder
        self._seed = seed
        self._scenario = Scenario(
            arrivals=(),
            workers=workers,
            processes=processes,
            prefetch_multiplier=prefetch_multiplier,
            task_seconds={name: seconds_of(each) for name, each in table.items()},
            begins=EPOCH if begins_at is None else begins_at.timestamp(),
        )
        self._arrivals: list[Arrival] = []
        self._apps: list[Any] = []
        self._outcome: Outcome | None = None
        self._capture: AbstractContextManager[None] | None = None
        self._now = 0.0

    def __enter__(self) -> Self:
        """Catch what apps send from now on."""
        from limitkit.testing.capture import captured  # noqa: PLC0415 (imports Celery)

        self._capture = captured(self._take)
        self._capture.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        """Let apps send again."""
        if self._capture is not None:
            self._capture.__exit__(None, None, None)

    @property
    def now(self) -> float:
        """Seconds of the virtual clock since it began."""
        return self._now

    @property
    def workers(self) -> int:
        """How many workers are played."""
        return self._scenario.workers

    @property
    def processes(self) -> int:
        """How many pool processes each of them has."""
        return self._scenario.processes

    def advance(self, by: Duration) -> None:
        """Let time pass: what is sent from then on is sent later. Raises ValueError when it would go back."""
        seconds = seconds_of(by)
        if seconds < 0:
            raise ValueError(f"the clock can't go back by {-seconds:g} s; advance it by 0 or more")
        self._now += seconds

    def send(
        self,
        task: Any,
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
        *,
        times: int = 1,
        every: Duration = 0.0,
        at: Duration | None = None,
        queue: str | None = None,
        headers: Mapping[str, Any] | None = None,
        priority: int = 0,
        runs: Duration | None = None,
    ) -> None:
        """Send messages to a task, given as itself or by its name: ``times`` of them, ``every`` so often.

        ``at`` is when the first is sent, from the beginning of the clock; without it, now. ``runs`` is how long each
        runs. Without ``queue`` it is the one to which the app routes the task. Raises ValueError for a time before now.
        """
        first = self._now if at is None else seconds_of(at)
        if first < self._now:
            raise ValueError(f"at is {first:g} s, which is over: it is {self._now:g} s now; leave at out to send now")
        name, app = (task, None) if isinstance(task, str) else (task.name, task.app)
        self._note(app)
        for number in range(times):
            self._add(
                Arrival(
                    first + number * seconds_of(every),
                    name,
                    tuple(_plain(args)),
                    _plain(dict(kwargs or {})),
                    queue or self._queue_of(name),
                    _plain(dict(headers or {})),
                    priority,
                    None if runs is None else seconds_of(runs),
                )
            )

    def starts(self, task: Any) -> list[float]:
        """Return when the calls of a task start, in order: seconds from the first message of any task that was sent.

        Those that start after ``now`` are among them. Raises ConfigError when the config can't be used.
        """
        begin = self.first_sent
        return sorted(at - begin for run in self.runs(task) for at in run.starts)

    def runs(self, task: Any) -> list[Run]:
        """Return what came of each call of a task, in the order in which they were sent; times are from the beginning.

        Raises ConfigError as ``starts`` does.
        """
        name = task if isinstance(task, str) else task.name
        return [run for run in self.outcome.runs if run.task == name]

    @property
    def first_sent(self) -> float:
        """When the first message is sent, in seconds since the clock began; 0 while there is none."""
        return min((each.at for each in self._arrivals), default=0.0)

    @property
    def outcome(self) -> Outcome:
        """All that came of what was sent so far. Raises ConfigError as ``starts`` does."""
        if self._outcome is None:
            self._outcome = self.played()
        return self._outcome

    def played(self, rules: Rules | None = None) -> Outcome:
        """Play what was sent so far, under other rules if some are given. Raises ConfigError as ``starts`` does."""
        from limitkit.trial.play import play  # noqa: PLC0415 (imports Celery)

        arrivals = sorted(self._arrivals, key=lambda each: each.at)
        return play(
            rules or self.config.rules, replace(self._scenario, arrivals=arrivals), seed=self._seed, app=self._tasks()
        )

    @property
    def config(self) -> Config:
        """The config whose limits are played. Raises ConfigError when it can't be used."""
        from limitkit.testing.in_use import config_in_use  # noqa: PLC0415 (imports parsers and models)

        return config_in_use(self._config, self._apps, self._folder)

    def _take(self, caught: Caught) -> None:
        """Take a message that an app would have sent."""
        self._note(caught.app)
        self._add(
            Arrival(
                self._now + caught.after,
                caught.task,
                tuple(_plain(caught.args)),
                _plain(dict(caught.kwargs)),
                caught.queue,
                _plain(dict(caught.headers)),
                caught.priority,
            )
        )

    def _note(self, app: Any) -> None:
        if app is not None and app not in self._apps:
            self._apps.append(app)

    def _add(self, arrival: Arrival) -> None:
        self._arrivals.append(arrival)
        self._outcome = None

    def _tasks(self) -> Any:
        """Return what the play takes signatures from: the tasks of all apps that are known here."""
        return SimpleNamespace(tasks=ChainMap(*(each.tasks for each in self._known_apps())))

    def _known_apps(self) -> list[Any]:
        from limitkit.testing.in_use import installed_apps  # noqa: PLC0415 (as above)

        return [*self._apps, *(each for each in installed_apps() if each not in self._apps)]

    def _queue_of(self, task: str) -> str:
        """Return the queue to which the app that has this task routes it; Celery's default one without such an app."""
        from limitkit.testing.capture import queue_of  # noqa: PLC0415 (imports Celery)

        app = next((each for each in self._known_apps() if task in each.tasks), None)
        return DEFAULT_QUEUE if app is None else queue_of(app, task)


def seconds_of(duration: Duration) -> float:
    """Read a duration. Raises ValueError, with fact and remedy."""
    if not isinstance(duration, str):
        return float(duration)
    from limitkit.config.test_file.durations import parse_span  # noqa: PLC0415 (imports what reads configs)

    return parse_span(duration)


def _plain(value: Any) -> Any:
    """Return a value as JSON brings it; what JSON does not know comes as its text."""
    return json.loads(json.dumps(value, default=str, skipkeys=True))
