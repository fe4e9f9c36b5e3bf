"""Keys of Celery or of other rate limiters that people write in place of limitkit's, and what they mean."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from limitkit.config.model.value_errors import rate_fault
from limitkit.config.source.unquoted_names import ENTRY, entry_within, line_for
from limitkit.config.wording import dotted, suggest

if TYPE_CHECKING:
    from collections.abc import Collection

    from limitkit.config.spelling import Nearest
    from limitkit.config.wording import Path

_NAMES: Final = {
    "rate": "rate_limit ratelimit throttle throttle_rate max_rate limit_rate requests requests_per_second rps tps qps "
    "max_calls calls max_requests speed frequency refill_rate fill_rate amount quota count",
    "burst": "max_burst burst_size burst_capacity capacity bucket_size bucket_capacity depth max_tokens tokens size "
    "burst_limit",
    "key": "user user_id per_user users by group group_by partition partition_by partition_key key_func key_function "
    "identifier tenant argument arg arguments per_key",
    "max_running": "concurrency max_concurrency max_concurrent concurrent concurrent_tasks concurrency_limit "
    "max_parallel parallel parallelism max_instances slots max_in_flight semaphore max_running_tasks running",
    "lease": "ttl lock_timeout lock_ttl slot_timeout lease_time",
    "resets": "reset reset_at resets_at reset_time begins anchor alignment align",
    "cost": "weight_of_task price tokens_per_call tokens_per_task cost_per_task cost_per_call points units consume",
    "settle": "true_cost actual_cost actual usage",
    "fair_by": "fair fairness fair_share round_robin round_robin_by turns",
    "weights": "weight shares",
    "partitions": "overrides per_key_limits exceptions tenants",
    "schedule": "schedules hours time_of_day windows",
    "from": "start starts begin from_time since after",
    "to": "end ends until till to_time before",
    "days": "weekdays weekday dow",
    "timezone": "tz zone time_zone tzinfo",
    "strategy": "algorithm type kind method policy mechanism",
    "limits": "limit rate_limits limiters limiter",
    "on_limit": "on_exceed on_exceeded exceeded overflow when_limited on_throttle behavior behaviour",
    "max_wait": "max_delay wait wait_timeout max_waiting timeout max_wait_time deadline patience",
    "on_error": "on_failure fallback fail_open fail_closed swallow_errors on_store_error in_memory_fallback",
    "mode": "dry_run shadow enforce",
    "url": "uri address backend redis redis_url storage_uri dsn host broker_url",
    "prefix": "key_prefix namespace keyprefix",
    "timeout": "socket_timeout connect_timeout",
    "port": "listen bind",
}
_MEANT: Final = {name: key for key, names in _NAMES.items() for name in names.split()}
_OFF: Final = 'write mode = "off" for no limit'
_PERIOD: Final = 'write the time in the rate, e.g. rate = "10/15m"'
_ANY_QUEUE: Final = 'take it out; for all tasks of a queue write [queues."NAME"] with limits = ["LIMIT"]'
_NO_RETRY: Final = "take it out; a task that waits for a limit spends no retry"
_NO_DEFAULTS: Final = 'say it in each limit, or of many tasks by a pattern: [tasks."*"]'
_COMMENT: Final = "write a comment: # …"
_TIMES: Final = (
    *("per", "period", "interval", "every", "seconds", "minutes", "time", "duration", "unit", "window", "expiry"),
    *("window_size", "time_window", "time_unit", "refill_interval"),
)
_ADVICE: Final = {
    **dict.fromkeys(_TIMES, _PERIOD),
    **dict.fromkeys(("enabled", "disabled", "enable", "disable", "active"), _OFF),
    **dict.fromkeys(("queue", "routing_key", "exchange"), _ANY_QUEUE),
    "priority": "take it out; tasks keep the priority that they are sent with",
    "name": "take it out; the name stands in the table's header",
    **dict.fromkeys(("retry", "retries", "max_retries", "countdown", "default_retry_delay", "backoff"), _NO_RETRY),
    **dict.fromkeys(("default", "defaults", "common"), _NO_DEFAULTS),
    **dict.fromkeys(("description", "comment", "note", "notes", "doc", "title", "owner", "team"), _COMMENT),
}
_IN: Final = {
    **dict.fromkeys(("url", "prefix", "timeout", "on_error"), "store"),
    **dict.fromkeys(("hold", "per_limit", "per_worker", "rescue"), "waiting"),
    **dict.fromkeys(("host", "port"), "metrics"),
    **dict.fromkeys(("on", "action", "recover", "resend", "unless", "max_pause"), "feedback"),
}
"""Keys that belong in a table of their own, and its name."""


def remedy(path: Path, value: Any, table: Collection[str], known: Nearest, names: Collection[str]) -> str:
    """Say what an unknown key probably means; an empty string when that is unclear.

    ``names`` are the known keys, ``table`` holds the keys beside it.
    """
    key = str(path[-1])
    plain = key.casefold().replace("-", "_")
    if isinstance(value, str) and "rate" in names and "rate" not in table and rate_fault(value) is None:
        return 'did you mean "rate"?'
    if len(path) == 1 and isinstance(value, dict) and (task := entry_within(value, key)) and "." in task:
        return suggest(key, known) or f"write {line_for(task)}"
    meant = "rate" if plain == "limit" and isinstance(value, int | float) else _MEANT.get(plain, "")
    if isinstance(value, dict) and meant == "key":  # a table of partitions
        meant = "partitions"
    if meant in names:
        return suggest(meant, known)
    return _advice(path, plain) or _elsewhere(path, plain, meant, names) or suggest(key, known)


def _advice(path: Path, plain: str) -> str:
    """Say what to do in place of a key that a limit or a task can't have."""
    advice = _ADVICE.get(plain, "")
    return advice if len(path) > 1 or advice is _NO_DEFAULTS else ""


def _elsewhere(path: Path, plain: str, meant: str, names: Collection[str]) -> str:
    """Say in which table a key belongs."""
    where = _IN.get(plain) or _IN.get(meant, "")
    if where in names:
        table = f"[{dotted((*path[:-1], where))}]"
        return f"write it in {table}" if plain in _IN else f"write it in {table}, as {meant}"
    inside = len(path) == 1 and (meant or plain) in ENTRY
    return 'write it in a limit or a task, e.g. below [tasks."NAME"]' if inside else ""
