"""Takes up changes of the config file while a worker runs; a file that can't be used changes nothing."""

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

Stamp = tuple[int, ...]


_SIZE: Final = 2
"""Where a stamp has the size."""
_LARGE: Final = 200_000
"""Bytes from which on a file is read beside the worker's loop: by then that takes more than a tenth of a second."""
_MOST_TOLD: Final = 50
"""Problems of a file that are logged, and told to who asks this worker; ``limitkit validate`` prints all."""


class _Reading(threading.Thread):
    """Reads a file while the worker's loop goes on."""

    def __init__(self, read: Callable[[], Config]) -> None:
        super().__init__(name="limitkit-reading", daemon=True)
        self._read = read
        self._config: Config | None = None
        self._error: Exception | None = None

    def run(self) -> None:
        """Read it."""
        try:
            self._config = self._read()
        except Exception as error:  # noqa: BLE001 - it is raised where the loop asks
            self._error = error

    def outcome(self) -> Config:
        """Return the config, or raise what was raised."""
        if self._config is None:
            raise self._error or AssertionError
        return self._config


class Reload:
    """Watches one file, and gives what it says to whoever goes by it.

    ``judge`` says what else is against a config that is fine by itself; ``use`` makes it the one in force.
    """

    def __init__(
        self, config: Config, judge: Callable[[Config], Iterable[Problem]], use: Callable[[Config], None]
    ) -> None:
        self.config = config
        """The one in force."""
        self.since = time.time()
        """When it came into force, in seconds since 1970."""
        self.refused = ""
        """What is wrong with the file as it is now; empty while it is the one in force."""
        self.problems: tuple[Problem, ...] = ()
        """The same, one by one."""
        self._path = os.path.abspath(config.path)  # noqa: PTH100 (symlinks are followed anew each time)
        self._judge = judge
        self._use = use
        # The file may have changed since it was read: the first look that is settled reads it again.
        self._reading: _Reading | None = None
        self._seen: Stamp = ()
        self._taken: Stamp = ()

    def look(self) -> bool:
        """Take up the file if it has changed, and has been left alone since the last look; says whether it was.

        What is being written is not read half-way.
        """
        if self._reading is not None:
            if self._reading.is_alive():
                return False
            reading, self._reading = self._reading, None
            return self._take(reading.outcome)
        stamp = self._stamp()
        settled, self._seen = stamp == self._seen, stamp
        if not settled or stamp == self._taken:
            return False
        if stamp and stamp[_SIZE] > _LARGE:
            self._taken = stamp
            self._reading = _Reading(self._read)
            self._reading.start()
            return False
        return self.now()

    def now(self) -> bool:
        """Take up the file as it is; says whether something else is in force than before."""
        self._taken = self._seen = self._stamp()
        self._reading = None
        return self._take(self._read)

    def _take(self, read: Callable[[], Config]) -> bool:
        try:
            config = read()
            problems = [problem for problem in self._judge(config) if problem.severity == "error"]
            if problems:
                raise ConfigError(problems)  # noqa: TRY301 - as when it is read
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
        logger.info("%s is in force as it was changed.", config.path, extra={"action": "reload"})
        emit(ConfigReloaded(path=config.path))
        for problem in config.warnings:
            logger.warning("%s", problem)
        return True

    def _refuse(self, said: str | ConfigError) -> None:
        """Remember what is wrong with the file, and tell it once."""
        self.problems = said.problems if isinstance(said, ConfigError) else ()
        if str(said) == self.refused:
            return
        self.refused = str(said)
        logger.error(
            "The changed config can't be used, and the one before stays in force: %s",
            said,
            extra={"action": "reload_refused"},
        )
        emit(ConfigRefused(path=self._path, problems=len(self.problems) or 1))

    def _read(self) -> Config:
        return load_as(self._path, self.config.path)

    def _stamp(self) -> Stamp:
        """Tell one state of the file from another; a link that leads elsewhere is another, too."""
        try:
            found = os.stat(self._path)  # noqa: PTH116 (as abspath above)
        except OSError:
            return ()
        return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns


def _shortened(error: ConfigError) -> ConfigError:
    """Return the first of very many problems, and how many more there are."""
    more = len(error.problems) - _MOST_TOLD
    if more <= 0:
        return error
    *told, last = error.problems[: _MOST_TOLD + 1]
    hint = f"limitkit validate {last.path} prints them all"
    return ConfigError([*told, replace(last, message=f"and {more} more problems; {hint}", hint=hint)])


def _unforeseen(path: str, fact: str, error: Exception) -> str:
    return one_line(f"{path}: {fact} ({type(error).__name__}: {error}); see this worker's log")
