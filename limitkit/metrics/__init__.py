"""Metrics for Prometheus: what a worker has counted, and how things stand in it; and those of all workers together.

All of it is in the worker's main process, what happens in pool processes too, so no multiprocess mode is needed.
``families`` names every metric; ``worker_metrics`` is what a worker has, ``cluster`` what ``limitkit exporter`` shows,
``registry`` the way to prometheus-client, which is imported here alone. May use all but the command line and the demo.
"""

from limitkit.metrics.registry import register

__all__ = ["register"]
