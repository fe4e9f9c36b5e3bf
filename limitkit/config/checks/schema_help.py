"""What editors show of each key beside its title: its default, an example, and the page that tells more.

JSON Schema's Draft 4 has no place for examples and links, so they stand in the description, and the link also where the
editors that build on Taplo look for it.
"""

from __future__ import annotations

import json
from typing import Any, Final

SITE: Final = "https://celery-limitkit.github.io/limitkit/"
"""Where the documentation is shown."""

_KEYS: Final[dict[str, tuple[str, str]]] = {
    "version": ("1", "limits/#all-keys"),
    "extends": ('"../ratelimits.toml"', "files/#extend-a-file"),
    "mode": ('"shadow"', "limits/#all-keys"),
    "lint": ('{ LK030 = "off" }', "files/#make-a-warning-an-error-or-leave-it-out"),
    "store": ('{ url = "redis://localhost:6379/0" }', "store/"),
    "waiting": ('{ hold = "5s" }', "waiting/"),
    "metrics": ("{ port = 9545 }", "metrics/"),
    "limits": ('["stripe_api", { limit = "tenant", key = "tenant_id" }]', "limits/#what-one-task-says-of-a-limit"),
    "tasks": ('{ "shop.charge" = { strategy = "token_bucket", rate = "10/s" } }', "limits/#where-a-limit-stands"),
    "queues": ('{ emails = { limits = ["mail_api"] } }', "limits/#limits-of-a-queue"),
    "url": ('"redis://localhost:6379/0"', "store/#its-address"),
    "prefix": ('"shop"', "store/"),
    "timeout": ('"100ms"', "store/"),
    "on_error": ('"hold"', "store/#when-the-store-is-gone"),
    "hold": ('"5s"', "waiting/#how-much-a-worker-holds"),
    "per_limit": ("100", "waiting/#how-much-a-worker-holds"),
    "per_worker": ("500", "waiting/#how-much-a-worker-holds"),
    "rescue": ("false", "waiting/"),
    "host": ('"0.0.0.0"', "metrics/"),
    "port": ('"9545-9554"', "metrics/"),
    "strategy": ('"token_bucket"', "limits/#strategies"),
    "rate": ('"25/s"', "limits/#strategies"),
    "burst": ("100", "limits/#strategies"),
    "key": ('"user_id"', "limits/#which-values-share-a-bucket"),
    "resets": ('"00:00 America/Los_Angeles"', "kinds/#windows"),
    "max_running": ("5", "kinds/#concurrency"),
    "lease": ('"30s"', "kinds/#concurrency"),
    "scope": ('"worker"', "kinds/#concurrency"),
    "partitions": ('{ acme = { rate = "50/s", burst = 50 } }', "limits/#partitions-with-terms-of-their-own"),
    "show_key": ("true", "limits/#which-values-share-a-bucket"),
    "fair_by": ('"tenant_id"', "kinds/#turns"),
    "weights": ("{ acme = 3, initech = 0.5 }", "kinds/#turns"),
    "schedule": ('[{ from = "22:00", to = "06:00", rate = "100/s" }]', "limits/#schedules"),
    "on_limit": ('"drop"', "limits/#tasks-that-must-not-wait"),
    "max_wait": ('"30s"', "limits/#tasks-that-must-not-wait"),
    "feedback": ('{ on = ["requests.HTTPError:429"] }', "feedback/"),
    "on": ('["requests.HTTPError:429"]', "feedback/#what-it-looks-like"),
    "action": ('"pause"', "feedback/"),
    "recover": ('{ factor = 0.8, floor = "1/s" }', "feedback/#how-the-rate-backs-off-and-comes-back"),
    "unless": ('["re:insufficient_quota"]', "feedback/#what-it-looks-like"),
    "resend": ("20", "feedback/"),
    "max_pause": ('"10m"', "feedback/#how-long-the-partner-asks-you-to-wait"),
    "factor": ("0.8", "feedback/#how-the-rate-backs-off-and-comes-back"),
    "step": ('"0.5/s"', "feedback/#how-the-rate-backs-off-and-comes-back"),
    "floor": ('"1/s"', "feedback/#how-the-rate-backs-off-and-comes-back"),
    "ceiling": ('"20/s"', "feedback/#how-the-rate-backs-off-and-comes-back"),
    "cost": ('"max_tokens"', "kinds/#cost-and-debt"),
    "settle": ('"usage.total_tokens"', "kinds/#cost-and-debt"),
    "of": ('"prompt.length"', "kinds/#cost-and-debt"),
    "times": ("0.25", "kinds/#cost-and-debt"),
    "plus": ("500", "kinds/#cost-and-debt"),
    "default": ("1000", "kinds/#cost-and-debt"),
    "limit": ('"stripe_api"', "limits/#what-one-task-says-of-a-limit"),
    "from": ('"22:00"', "limits/#schedules"),
    "to": ('"06:00"', "limits/#schedules"),
    "days": ('["mon-fri"]', "limits/#schedules"),
    "timezone": ('"Europe/Berlin"', "limits/#schedules"),
}
"""By key: an example of its value, as TOML, and the page that tells more."""
_LIMITS: Final = ('{ stripe_api = { strategy = "token_bucket", rate = "25/s" } }', "limits/#where-a-limit-stands")
"""The same for the table of all named limits, whose key is also one of tasks and queues."""


def add_help(made: dict[str, Any]) -> None:
    """Write into a schema what editors show of its keys. A key that is not known here gets no example."""
    definitions = made["definitions"]
    for name, table in {"": made, **definitions}.items():
        for key, schema in table.get("properties", {}).items():
            example, page = _LIMITS if (name, key) == ("", "limits") else _KEYS.get(key, ("", ""))
            if "description" not in schema:
                schema["description"] = _described(schema, definitions)
            if page:
                schema["description"] = _whole(schema, example, page)
                schema["x-taplo"] = {"links": {"key": SITE + page}}


def _described(schema: dict[str, Any], definitions: dict[str, Any]) -> str:
    references = [each["$ref"].rpartition("/")[2] for each in schema.get("allOf", [])]
    return " ".join(str(definitions[each].get("description", "")) for each in references)


def _whole(schema: dict[str, Any], example: str, page: str) -> str:
    said = str(schema["description"])
    default = ""
    if "default" in schema and schema["default"] != [] and "Default:" not in said:
        default = f" Default: {json.dumps(schema['default'])}."
    return f"{said}{default} Example: {example}\n\n{SITE}{page}"
