"""A message with all that a sender may put on it, and whether two tasks saw the same of theirs."""

RICH = {
    "headers": {"tenant": "acme", "trace": {"id": [1, 2]}},
    "priority": 3,
    "compression": "gzip",
    "expires": "2100-01-01T00:00:00+00:00",
    "time_limit": 60,
    "soft_time_limit": 50,
    "shadow": "shown.as",
    "argsrepr": "(<secret>)",
    "kwargsrepr": "{<secret>}",
    "stamped_headers": ["customer"],
    "stamps": {"customer": ["acme"]},
    "customer": ["acme"],
}

_OWN = ("id", "root_id", "correlation_id", "task", "hostname", "callbacks", "properties", "_limitkit_guarded")
_PROPERTIES = ("priority", "delivery_mode", "reply_to")  # others repeat headers, for this broker alone


def seen(context, *but):
    """What a task saw of its message, without what no two messages have in common."""
    kept = {name: value for name, value in context.items() if name not in (*_OWN, *but)}
    return kept | {name: context["properties"].get(name) for name in _PROPERTIES}
