"""Makes rules of a checked file."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, TypeVar

from limitkit.config.compile_limits import Limits, seconds
from limitkit.config.declared import MetricsSettings, StoreSettings, WaitingSettings, patience_of
from limitkit.config.model.ports import parse_ports
from limitkit.config.model.store_url import expand
from limitkit.config.model.units import parse_duration
from limitkit.config.rules import Entry, QueueRule, Rules, weight_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from limitkit.config.model.fields import Mode
    from limitkit.config.model.tables import RateLimits
    from limitkit.config.source.toml import Document

_E = TypeVar("_E", Entry, QueueRule)


def compile(  # noqa: A001 - the word for it
    model: RateLimits, document: Document, mode: Mode | None = None, ports: range = range(0)
) -> Rules:
    """Make the rules of a model.

    ``mode`` is from ``LIMITKIT_MODE``, ``ports`` from ``LIMITKIT_METRICS_PORT``; both win over the file.
    """
    in_force = mode or model.mode
    store = StoreSettings(
        url=_expanded(model.store.url),
        prefix=model.store.prefix,
        timeout=parse_duration(model.store.timeout),
        on_error=model.store.on_error,
    )
    held = model.waiting
    waiting = WaitingSettings(parse_duration(held.hold), held.per_limit, held.per_worker, held.rescue)
    limits = Limits(document, model, in_force)
    exact, patterns = _by_name(_entries(document, model, limits))
    queues, queue_patterns = _by_name(_queues(document, model, limits))
    metrics = _metrics(model, ports)
    declared = (store, exact, patterns, limits.named, waiting, metrics)
    return Rules(document.path, in_force, *declared, queues, queue_patterns)


def _entries(document: Document, model: RateLimits, limits: Limits) -> Iterator[Entry]:
    for order, (name, table) in enumerate(model.tasks.items()):
        found, longest = limits.of_task(name, table), seconds(table.max_wait)
        patience = patience_of(found, table.on_limit, longest)
        file = document.source(("tasks", name))
        line = file.own_place(("tasks", name), "header")[0]
        yield Entry(name, line, order, found, patience, table.on_limit, longest, file.path)


def _queues(document: Document, model: RateLimits, limits: Limits) -> Iterator[QueueRule]:
    for order, (name, table) in enumerate(model.queues.items()):
        file = document.source(("queues", name))
        line = file.own_place(("queues", name), "header")[0]
        yield QueueRule(name, line, order, limits.of_queue(table), file.path)


def _by_name(entries: Iterable[_E]) -> tuple[dict[str, _E], tuple[_E, ...]]:
    """Part entries into those of one name, and those of a pattern: heaviest first, then in the order of the file."""
    exact, patterns = {}, []
    for entry in entries:
        if "*" in entry.pattern:
            patterns.append(entry)
        else:
            exact[entry.pattern] = entry
    return exact, tuple(sorted(patterns, key=lambda entry: (-weight_of(entry.pattern), entry.order)))


def _metrics(model: RateLimits, ports: range) -> MetricsSettings:
    """Return the settings of ``[metrics]``: an empty table also switches metrics on."""
    port, wanted = model.metrics.port, "metrics" in model.model_fields_set
    ports = ports or (parse_ports(port) if port is not None else range(0))
    return MetricsSettings(wanted or bool(ports), model.metrics.host, ports)


def _expanded(url: str | None) -> str | None:
    return None if url is None else expand(url, os.environ)
