"""``docs/metrics.md``, made from the families: ``python -m limitkit.metrics.page`` prints it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from limitkit.metrics.families import EXPORTER, WORKER

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from limitkit.metrics.families import Family

_HEAD: Final = """\
# Metrics

<!-- Made by `make metrics-docs` from limitkit/metrics/; a test says when it is stale. -->

A worker counts when the file has a table `[metrics]`, when `LIMITKIT_METRICS_PORT` is set, or when the app has called
`limitkit.metrics.register(registry)`.

- `port` in `[metrics]` is where a worker shows its metrics: a port, or for several workers on a host a range such as
  `"9545-9554"`, of which each takes the first that is free. Without it they are not shown.
- `host` is the address on which it listens, `"127.0.0.1"` unless the file says another.

`LIMITKIT_METRICS_PORT` wins over the file. A port that is taken is a warning, and the worker goes on without.

The port answers as prometheus-client's own does: `?name[]=` for some metrics, OpenMetrics and gzip for whom asks for
them. It has 16 connections at most, each with a thread: one that has not asked after 5 seconds, or that keeps others
out, is closed; so is one that does not take its answer in 10 seconds.

- All is counted in the worker's main process, what happens in its pool's processes too, so there is one place to scrape
  and no multiprocess mode.
- The port shows prometheus-client's default registry, with whatever else the worker's main process has in it. Where a
  team has `PROMETHEUS_MULTIPROC_DIR` set, and so shows that registry elsewhere, it shows limitkit's metrics alone.
- Without a `port` the metrics are in the default registry, for whoever shows that.
- A registry of one's own: `limitkit.metrics.register(registry)`, where the app is made.
- Labels hold names of limits from the file, names of registered tasks, and fixed words: never a user, a key or a task's
  id. Of a task's own limit the name is the task's.
- Series that are known in advance are there from the start, with zeros. Rates are starts a second.
"""
_EXPORTER: Final = """
## Of the cluster

`limitkit exporter --app APP` shows these, from the store and from the waiting room of a Redis broker. It asks them once
in `--interval` (15 s), however often it is scraped, and shows them on `--port` (9544) of `--host` (127.0.0.1).
"""
_TAIL: Final = """
## Asked often

```promql
# Is it the limiter? Deliveries that it holds up, by task:
sum by (task_name) (rate(celery_rate_limit_hits_total[5m]))

# How fast do tasks start, and how fast may they?
sum by (limit) (rate(celery_rate_limit_starts_total[1m]))
max by (limit) (celery_rate_limit_rate)

# Which limits are nearly used up (80 %)?
sum by (limit) (celery_rate_limit_utilization_ratio) >= 0.8

# How much waits, and how long until that is done?
sum by (limit) (celery_rate_limit_held) + max by (limit) (celery_rate_limit_parked)
max by (limit) (celery_rate_limit_cluster_drain_seconds)

# How often is a task parked before it starts?
  sum by (task_name) (rate(celery_rate_limit_outcomes_total{outcome="parked"}[5m]))
/ sum by (task_name) (rate(celery_rate_limit_outcomes_total{outcome="started"}[5m]))

# Do all workers go by the same file? How many go by each:
count_values("config", celery_rate_limit_config_hash)
```

[examples/monitoring](../examples/monitoring/) has a dashboard and alerts that ask these.
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
    print(text(), end="")  # noqa: T201 (what it is for)
