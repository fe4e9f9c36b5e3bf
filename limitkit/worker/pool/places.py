"""Counts the places of a pool that Celery has no semaphore for: threads, greenlets, the consuming thread itself."""

from __future__ import annotations

import logging
import threading
from collections import deque
from functools import partial
from typing import TYPE_CHECKING, Any

from celery.exceptions import TaskRevokedError

if TYPE_CHECKING:
    from collections.abc import Callable

    from limitkit.worker.pool.kinds import Kind
    from limitkit.worker.pool.loops import Loop

logger = logging.getLogger("limitkit")


class Place:
    """One place of the pool, for one request."""

    def __init__(self, places: Places, request: Any) -> None:
        self._places = places
        self.request = request
        self.on_left: Callable[[], None] | None = None

    def leave(self, *_: Any) -> None:
        """Free the place; only the first time counts. May be called in any thread or greenlet."""
        self._places.loop.post(self._places.leave, self)


class Places:
    """The free places of a pool, and who waits for one: as kombu's ``LaxBoundedSemaphore``, which prefork has.

    What enters the pool has a place by ``process``, and leaves it when it ends, however it ends. All is called on the
    loop, but ``Place.leave``.
    """

    def __init__(self, pool: Any, kind: Kind, loop: Loop) -> None:
        self.loop = loop
        self._pool, self._kind = pool, kind
        self._apply: Callable[..., Any] = pool.apply_async
        pool.apply_async = self._apply_async  # Celery's fast requests don't take the pool that they are given
        self._entering: tuple[Place, int] | None = None
        """The place of the request that is about to enter, and the thread or greenlet in which it does."""
        self.initial_value = int(pool.limit)
        """How many places there are."""
        self._taken = 0
        self._in_pool: dict[Place, None] = {}
        self._last: Place | None = None
        """The place of the request that has entered last."""
        self._waiting: deque[tuple[Callable[..., Any], tuple[Any, ...], dict[str, Any]]] = deque()
        self._is_serving = False
        self._follows = False

    def follow(self) -> None:
        """Grow and shrink as the pool does, once it has started: some pools can't before."""
        if self._follows:
            return
        self._follows = True
        for name, change in (("grow", self.grow), ("shrink", self.shrink)):
            if hasattr(self._pool, name):
                setattr(self._pool, name, self._followed(getattr(self._pool, name), change))

    @property
    def value(self) -> int:
        """How many places are free."""
        return max(0, self.initial_value - self._taken)

    @property
    def in_pool(self) -> list[Any]:
        """The requests that the pool has been given, and that have not ended as far as is known."""
        return [place.request for place in list(self._in_pool)]

    def acquire(self, callback: Callable[..., Any], *args: Any, **kwargs: Any) -> bool:
        """Call back with a place, now if one is free, else when it is; returns whether that was now."""
        if self.value <= 0:
            self._waiting.append((callback, args, kwargs))
            return False
        self._taken += 1
        callback(*args, **kwargs)
        return True

    def release(self) -> None:
        """Give back a place; the first in line gets it."""
        self._taken = max(0, self._taken - 1)
        self._serve()

    def grow(self, n: int = 1) -> None:
        """Have more places."""
        self.initial_value += n
        self._serve()

    def shrink(self, n: int = 1) -> None:
        """Have fewer places; those that are taken are used up to their end."""
        self.initial_value = max(0, self.initial_value - n)

    def clear(self) -> None:
        """Forget who waits, since the connection is gone; what runs keeps its place."""
        self.loop.run(self._clear)

    def process(self, request: Any) -> None:
        """Have the pool run a request, for which a place is taken; replaces Celery's ``_process_task``."""
        place = Place(self, request)
        self._in_pool[place] = None
        self._last = place
        entering = self._entering = place, threading.get_ident()
        try:
            request.execute_using_pool(self._pool)
        except TaskRevokedError:
            place.leave()
        except BaseException:
            place.leave()
            raise
        finally:
            if self._entering is entering:  # the pool was given nothing
                self._entering = None
                place.leave()

    def _apply_async(self, target: Any, args: Any = None, kwargs: Any = None, **options: Any) -> Any:
        """Have the pool run something; what does not enter by ``process`` has no place."""
        run, entering = partial(self._apply, target, args, kwargs), self._entering
        if entering is None or entering[1] != threading.get_ident():
            return run(**options)
        self._entering = None
        return self._kind.give(self._pool, run, entering[0].leave, options)

    def leave(self, place: Place) -> None:
        """Count a place as free, unless it is already."""
        if place in self._in_pool:
            del self._in_pool[place]
            if place.on_left is not None:
                place.on_left()
            self.release()

    def watch(self, request: Any, on_end: Callable[[], None]) -> None:
        """Call back when a request that has just entered leaves its place; now if it has left already."""
        place = self._last
        if place is None or place.request is not request or place not in self._in_pool:
            on_end()
        else:
            place.on_left = on_end

    def _clear(self) -> None:
        self._waiting.clear()
        self._taken = len(self._in_pool)

    def _serve(self) -> None:
        """Give free places to those that wait; not one inside of another, however short what they run is."""
        if self._is_serving:
            return
        self._is_serving = True
        try:
            while self._waiting and self.value > 0:
                callback, args, kwargs = self._waiting.popleft()
                self._taken += 1
                try:
                    callback(*args, **kwargs)
                except Exception:
                    logger.exception("A request could not be handed to the pool; the broker delivers it again.")
        finally:
            self._is_serving = False

    def _followed(self, change_pool: Callable[[int], Any], change: Callable[[int], None]) -> Callable[..., Any]:
        def changed(n: int = 1) -> Any:
            done = change_pool(n)
            self.loop.post(change, n)
            return done

        return changed
