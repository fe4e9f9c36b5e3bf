"""All lints of a file, in the order of the file. ``limitkit validate`` shows them; a worker does not ask for them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from limitkit.config.lints.chord_headers import chord_headers
from limitkit.config.lints.few_values import few_values
from limitkit.config.lints.hidden_patterns import hidden_patterns
from limitkit.config.lints.short_waits import short_expiries, short_waits
from limitkit.config.lints.static_sums import static_sums
from limitkit.config.lints.undercut import undercut
from limitkit.config.lints.vain_terms import vain_partitions, vain_weights
from limitkit.config.lints.worst_minute import worst_minute

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from limitkit.config.load import Config
    from limitkit.errors import Problem

    Lint = Callable[[Config, Mapping[str, Any] | None], Iterator[Problem]]

LINTS: Final[tuple[Lint, ...]] = (
    undercut,
    worst_minute,
    few_values,
    hidden_patterns,
    short_waits,
    chord_headers,
    short_expiries,
    vain_partitions,
    vain_weights,
)


def findings(config: Config, tasks: Mapping[str, Any] | None, workers: tuple[int, int] | None = None) -> list[Problem]:
    """Return what all lints find, as warnings in the order of the file.

    ``tasks`` are the app's registered tasks by name; None without an app. ``workers`` is the least and the greatest
    number of workers, where that is known.
    """
    found = [problem for lint in LINTS for problem in lint(config, tasks)]
    if workers is not None:
        found += static_sums(config, workers)
    return config.document.in_order(found)
