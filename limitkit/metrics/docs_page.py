"""``docs/metrics.md``, made from the families: ``python -m limitkit.metrics.docs_page`` prints it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from limitkit.metrics.families import EXPORTER, WORKER

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from limitkit.metrics.families import Family

_HEAD: Final = """\
# Metrics

<!-- Made by `make metrics-docs` from limitkit/metrics/; a test says when it is stale. -->

A worker counts if the file has a table `[metrics]`, if `LIMITKIT_METRICS_PORT` is set, or if the app has called
`limitkit.metrics.register(registry)`.

```toml
version = 1

[metrics]
port = "9545-9554"            # each worker of a host takes the first that is free

[tasks."shop.charge_customer"]
strategy = "token_bucket"
rate = "25/s"
```

- `port` is where a worker shows its metrics: one port, or for several workers on a host a range such as
  `"9545-9554"`. Each worker takes the first free port of the range. Without `port` they are not shown.
- `host` is the address on which the worker listens: `"127.0.0.1"` by default.

`LIMITKIT_METRICS_PORT` wins over the file. If no port is free, the worker logs a warning and runs without metrics.

The port answers as prometheus-client's own does: `?name[]=` for some metrics, OpenMetrics, and gzip. It has at most
16 connections, each with a thread. It closes a connection that sends no request within 5 seconds (at once, if others
wait for its place), and one that does not take its answer within 10 seconds.

- Each worker counts in its main process, also what happens in its pool processes. So there is one place to scrape, and
  no multiprocess mode.
- The port shows prometheus-client's default registry, with everything else that the worker's main process has in it.
  If `PROMETHEUS_MULTIPROC_DIR` is set, your team shows that registry elsewhere; then the port shows only limitkit's
  metrics.
- Without a `port`, the metrics are in the default registry.
- For a registry of your own, call `limitkit.metrics.register(registry)` where the app is made.
- Labels hold names of limits from the file, names of registered tasks, and fixed words. They never hold a user, a key
  or the id of a task. A limit that stands at a task has the task's name.
- Series that are known in advance are there from the start, with zeros. Rates are starts a second, or for limits with
  costs tokens a second. What a limit's partitions use is added up, and never told apart.
"""
_EXPORTER: Final = """
## Of the cluster

`limitkit exporter --app APP` shows these. It reads them from the store, and from the waiting room of a Redis broker. It
asks once in `--interval` (15 s), however often it is scraped, and shows them on `--port` (9544) of `--host`
(127.0.0.1).
"""
_TAIL: Final = """
## Useful queries

```promql
# Is it the limiter? Deliveries that had to wait for a limit, by task:
sum by (task_name) (rate(celery_rate_limit_hits_total[5m]))

# How fast do tasks start, and how fast may they?
sum by (limit) (rate(celery_rate_limit_starts_total[1m]))
max by (limit) (celery_rate_limit_rate)

# Which limits are nearly used up (80 %)?
sum by (limit) (celery_rate_limit_utilization_ratio) >= 0.8

# How much waits, and how long until all of it has started?
sum by (limit) (celery_rate_limit_held) + max by (limit) (celery_rate_limit_parked)
max by (limit) (celery_rate_limit_cluster_drain_seconds)

# How many tasks of concurrency limits run, and how many may?
sum by (limit) (celery_rate_limit_slots_running)
max by (limit) (celery_rate_limit_slots_limit)

# How much of each window is used?
max by (limit) (celery_rate_limit_cluster_window_counted) / max by (limit) (celery_rate_limit_cluster_window_limit)

# How far are estimated costs from true ones?
sum by (limit) (rate(celery_rate_limit_tokens_settled_total[1h]))
/ sum by (limit) (rate(celery_rate_limit_tokens_estimated_total[1h]))

# How often is a task parked before it starts?
  sum by (task_name) (rate(celery_rate_limit_outcomes_total{outcome="parked"}[5m]))
/ sum by (task_name) (rate(celery_rate_limit_outcomes_total{outcome="started"}[5m]))

# Do all workers use the same file? How many use each:
count_values("config", celery_rate_limit_config_hash)
```

[examples/monitoring](../examples/monitoring/) has a dashboard and alerts with these queries.
"""


def text() -> str:
    """Write the page."""
    parts = [_HEAD, "\n## Of each worker\n\n", *_table(WORKER), _EXPORTER, "\n", *_table(EXPORTER), _TAIL]
    return "".join(parts)


def _table(families: Iterable[Family]) -> Iterator[str]:
    yield "| metric | kind | labels | what it says |\n| --- | --- | --- | --- |\n"
    for family in families:
        labels = ", ".join(f"`{label}`" for label in family.labels) or "-"
        said = family.help
        if family.bounds:
            said += f" Buckets: {', '.join(f'{bound:g}' for bound in family.bounds)}."
        yield f"| `{family.shown}` | {family.kind} | {labels} | {said} |\n"


if __name__ == "__main__":
    print(text(), end="")  # noqa: T201 (a program that prints)
