"""Metrics for Prometheus: of one worker, what it has counted and its present state; and of all workers together.

The worker's main process counts, also what happens in pool processes, so no multiprocess mode is needed. ``families``
names every metric; ``worker_metrics`` is what a worker has, ``cluster`` what ``limitkit exporter`` shows, ``registry``
the link to prometheus-client, which only this room imports. May use all but the command line and the demo.
"""

from limitkit.metrics.registry import register

__all__ = ["register"]
