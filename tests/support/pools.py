"""Kinds of pool that workers have, as scenes start them."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Pool:
    """So many workers, each with so many places for tasks that run at once."""

    name: str
    options: tuple[str, ...]
    concurrency: int
    workers: int = 2

    @property
    def places(self):
        return self.workers * self.concurrency


PREFORK = Pool("prefork", (), 2)
THREADS = Pool("threads", ("-P", "threads"), 8)
GEVENT = Pool("gevent", ("-P", "gevent"), 20)
SOLO = Pool("solo", ("-P", "solo"), 1, workers=4)
