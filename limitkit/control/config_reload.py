"""Loads the config file again when it changes while a worker runs; a file that can't be used changes nothing."""

from __future__ import annotations

import logging
import os
import threading
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from limitkit.config.load import load_as
from limitkit.config.wording import one_line
from limitkit.errors import ConfigError
from limitkit.events.emitter import emit
from limitkit.events.event_types import ConfigRefused, ConfigReloaded

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from limitkit.config.load import Config
    from limitkit.errors import Problem

logger = logging.getLogger("limitkit")

Stamp = tuple[tuple[int, ...], ...]
"""Of each file: what changes when it does."""

_SIZE: Final = 2
"""The index of the size in that of one file."""
_LARGE: Final = 200_000
"""Bytes: a larger file is read in a thread, since it takes more than a tenth of a second."""
_MOST_REPORTED: Final = 50
"""The most problems of a file that are logged and reported; ``limitkit validate`` prints all."""


class _Reading(threading.Thread):
    """Reads a file in a thread, while the worker's event loop goes on."""

    def __init__(self, read: Callable[[], Config]) -> None:
        super().__init__(name="limitkit-reading", daemon=True)
        self._read = read
        self._config: Config | None = None
        self._error: Exception | None = None

    def run(self) -> None:
        """Read it."""
        try:
            self._config = self._read()
        except Exception as error:  # noqa: BLE001 - outcome() raises it
            self._error = error

    def outcome(self) -> Config:
        """Return the config, or raise what was raised."""
        if self._config is None:
            raise self._error or AssertionError
        return self._config


class Reload:
    """Watches a file, and those that it extends, and puts their changes in force.

    ``judge`` finds further problems of a config that is valid by itself; ``use`` puts it in force.
    """

    def __init__(
        self, config: Config, judge: Callable[[Config], Iterable[Problem]], use: Callable[[Config], None]
    ) -> None:
        self.config = config
        """The config in force."""
        self.since = time.time()
        """Since when it is in force, in seconds since 1970."""
        self.refused = ""
        """What is wrong with the file as it is now; empty while it is in force."""
        self.problems: tuple[Problem, ...] = ()
        """The same as a list."""
        self._path = os.path.abspath(config.path)  # noqa: PTH100 (symlinks are followed anew each time)
        self._bases = tuple(os.path.abspath(file.real) for file in config.document.layers[1:])  # noqa: PTH100
        """The files that it extends, or would extend if they could be read."""
        self._judge = judge
        self._use = use
        # The file may have changed since it was read: so the first settled look reads it again.
        self._reading: _Reading | None = None
        self._seen: Stamp = ()
        self._taken: Stamp = ()

    def look(self) -> bool:
        """Load the file if it has changed, and was not written since the last look; returns whether it is in force.

        So a file that is being written is not read too early.
        """
        if self._reading is not None:
            if self._reading.is_alive():
                return False
            reading, self._reading = self._reading, None
            return self._use_if_valid(reading.outcome)
        stamp = self._stamp()
        settled, self._seen = stamp == self._seen, stamp
        if not settled or stamp == self._taken:
            return False
        if sum(each[_SIZE] for each in stamp if each) > _LARGE:
            self._taken = stamp
            self._reading = _Reading(self._read)
            self._reading.start()
            return False
        return self.now()

    def now(self) -> bool:
        """Load the file as it is; returns whether something else is in force than before."""
        self._taken = self._seen = self._stamp()
        self._reading = None
        return self._use_if_valid(self._read)

    def _use_if_valid(self, read: Callable[[], Config]) -> bool:
        try:
            config = read()
            problems = [problem for problem in self._judge(config) if problem.severity == "error"]
            if problems:
                raise ConfigError(problems)  # noqa: TRY301 - handled like errors of reading
        except ConfigError as error:
            self._refuse(_shortened(error))
            return False
        except Exception as error:
            logger.exception("The changed config can't be judged.")
            self._refuse(_unforeseen(self.config.path, "it can't be judged", error))
            return False
        self.refused, self.problems = "", ()
        if config.digest == self.config.digest:
            return False
        try:
            self._use(config)
        except Exception as error:
            logger.exception("The changed config can't be put in force; this worker goes back to the one before.")
            self._refuse(_unforeseen(config.path, "it can't be put in force", error))
            self._use(self.config)
            return False
        self.config = config
        self.since = time.time()
        logger.info("The changed %s is in force.", config.path, extra={"action": "reload"})
        emit(ConfigReloaded(path=config.path))
        for problem in config.warnings:
            logger.warning("%s", problem)
        return True

    def _refuse(self, reason: str | ConfigError) -> None:
        """Remember what is wrong with the file, and log it once."""
        self.problems = reason.problems if isinstance(reason, ConfigError) else ()
        if str(reason) == self.refused:
            return
        self.refused = str(reason)
        logger.error(
            "The changed config can't be used, and the one before stays in force: %s",
            reason,
            extra={"action": "reload_refused"},
        )
        emit(ConfigRefused(path=self._path, problems=len(self.problems) or 1))

    def _read(self) -> Config:
        bases: list[str] = []
        try:
            return load_as(self._path, self.config.path, bases)
        finally:
            self._bases = tuple(bases)

    def _stamp(self) -> Stamp:
        """Return a value that changes when a file does, or when a link to it leads elsewhere."""
        return tuple(_stamp_of(path) for path in (self._path, *self._bases))


def _stamp_of(path: str) -> tuple[int, ...]:
    try:
        found = os.stat(path)  # noqa: PTH116 (as abspath above)
    except (OSError, ValueError):
        return ()
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns


def _shortened(error: ConfigError) -> ConfigError:
    """Return the first of many problems, and how many more there are."""
    more = len(error.problems) - _MOST_REPORTED
    if more <= 0:
        return error
    *first, last = error.problems[: _MOST_REPORTED + 1]
    hint = f"limitkit validate {last.path} prints them all"
    return ConfigError([*first, replace(last, message=f"and {more} more problems; {hint}", hint=hint)])


def _unforeseen(path: str, fact: str, error: Exception) -> str:
    return one_line(f"{path}: {fact} ({type(error).__name__}: {error}); see this worker's log")
