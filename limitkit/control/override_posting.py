"""Posts overrides: in the store that all workers look at, or by Celery's remote control to those that run."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any, Final

from limitkit.buckets.override import OverrideError, name_of
from limitkit.config.wording import listed
from limitkit.control.workers import NoRemoteControlError, ask, tell

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from limitkit.buckets.override import Kind, Override, Target
    from limitkit.config.declared import Limit
    from limitkit.stores.overrides import OverrideStore

KINDS: Final[tuple[Kind, ...]] = ("rate", "pause", "weight")


class OverridePosting:
    """Where overrides of one app go; ``override_store`` is None without a shared store, ``app`` without an app."""

    def __init__(self, app: Any, override_store: OverrideStore | None) -> None:
        self._app = app
        self._override_store = override_store

    def set(
        self, pairs: Sequence[tuple[Limit, Override]], seconds: float | None, workers: Sequence[str] | None = None
    ) -> None:
        """Set these, each with its limit, for so long (None: without an end); only in ``workers``, if any is named."""
        for limit, made in pairs if workers is not None else ():
            if not limit.local:
                raise OverrideError(
                    f"{made.target} is one bucket for all workers, so a rate of some of them would change nothing for "
                    "the others, and the bucket would have two; leave workers out"
                )
        if self._override_store is not None and workers is None:
            self._override_store.post([(made, seconds) for _, made in pairs])
            return
        for _, made in pairs:
            self.command("limitkit_override", workers, name=made.name, text=made.text(), seconds=seconds)

    def posted(self) -> tuple[Override, ...]:
        """Return the overrides in the store."""
        return self._override_store.look().overrides or () if self._override_store is not None else ()

    def remove(self, names: Sequence[str]) -> None:
        """Remove overrides from the store, by name."""
        if self._override_store is not None and names:
            self._override_store.post([], names)

    def refilled(self, keys: Iterable[str], *, partitions: bool) -> None:
        """Tell the workers that buckets in the store are full again. Who is not told finds out when one is due."""
        if self._app is not None:
            with contextlib.suppress(NoRemoteControlError):
                for key in keys:
                    tell(self._app, "limitkit_refill", key=key, partitions=partitions)

    def forget(self, targets: Iterable[Target], kinds: Sequence[Kind] = KINDS) -> None:
        """Let each running worker forget the overrides of limits that it has for itself."""
        names = [name_of(kind, target) for target in targets for kind in kinds]
        if names and self._app is not None:
            try:
                tell(self._app, "limitkit_forget", names=names)
            except NoRemoteControlError:  # then no worker has any, and all are in the store, if there is one
                if self._override_store is None:
                    raise

    def command(self, command: str, workers: Sequence[str] | None = None, **words: Any) -> list[str]:
        """Send workers a command; returns the names of those that did it. Raises OverrideError when one did not."""
        if self._app is None:
            raise OverrideError("only the app's workers can do that, and they are reached by its broker; name the app")
        answers = ask(self._app, command, to=workers, **words)
        refused = next((answer["error"] for answer in answers.values() if "error" in answer), None)
        missing = sorted(set(workers or ()) - answers.keys())
        if refused is not None:
            raise OverrideError(f"a worker did not do it: {refused}")
        if missing:
            raise OverrideError(f"{listed(missing, 'and')} did not answer; start them, or see celery status for names")
        if not answers:
            raise OverrideError("no worker answered, and static limits are in workers alone; start one")
        return sorted(answers)
