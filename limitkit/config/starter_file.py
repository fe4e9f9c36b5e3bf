"""Writes a first ratelimits.toml: nothing in it limits a task yet, and each block becomes a limit by itself."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING, Any, Final

from limitkit.config.checks.schema_help import SITE
from limitkit.config.model.value_errors import rate_fault
from limitkit.config.native_limit import native_limit
from limitkit.config.task_words import arguments_of, module_of, own_tasks, signature_text, table_key
from limitkit.config.wording import one_line, shorten

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

_LONGEST: Final = 100
"""Characters of a module's name, or of a store's address, that are shown."""
_WHO: Final = (
    *("user", "tenant", "account", "customer", "client", "organization", "organisation", "org"),
    *("workspace", "team", "company", "merchant", "shop", "partner"),
)
"""Arguments of these names, or of one of them with an ending, often say for whom a task works."""
_ENDINGS: Final = ("_id", "_pk", "_uuid", "id", "")

_HEAD: Final = f"""\
# How fast Celery tasks may start. All keys: {SITE}limits/#all-keys
#
# Nothing is limited yet. To use a block, take the "# " from the beginning of its lines, and write the rate that you
# need: a number, a slash, and s, m, h or d. Then run limitkit validate.

version = 1
"""
_NO_SCHEMA: Final = """\
# Editors complete and check this file with its schema. Write it beside the file: limitkit schema -o {schema}
# Then make this the first line: #:schema {schema}
#
"""
_STORE: Final = """\
# Where all workers count together. Without this table it is {whose}.
# [store]
# url = "redis://localhost:6379/0"
"""
_NO_REDIS: Final = """\
# Where all workers count together. The app has no Redis broker and no Redis result backend: write a Redis' address.
[store]
url = "redis://localhost:6379/0"
"""
_BY_DEFAULT: Final = "the app's Redis broker, else its Redis result backend"
_SHARED: Final = """\
# A limit that several tasks share, such as that of an API that they call{named}.
# [limits.partner_api]
# strategy = "token_bucket"
# rate = "25/s"
# burst = 5
"""
_NAMED: Final = '. A task names it: limits = ["partner_api"]'
_NAMES: Final = """\
# [tasks."shop.charge"]
# limits = ["partner_api"]
"""
_GENERAL: Final = """\
# A task with a limit of its own: all workers together start at most so many.
# [tasks."shop.call_api"]
# strategy = "token_bucket"
# rate = "10/s"

# A limit for each value of an argument, here for each user.
# [tasks."shop.export"]
# strategy = "per_user"
# rate = "5/m"
# key = "user_id"

# All tasks whose name matches; each of them has a limit of its own.
# [tasks."emails.*"]
# strategy = "token_bucket"
# rate = "100/m"

# When the service that a task calls answers 429, the limit backs off, and comes back by itself.
# [tasks."shop.sync"]
# strategy = "token_bucket"
# rate = "5/s"
# feedback = { on = ["requests.HTTPError:429"] }
"""


def text(schema: str, *, beside: bool, tasks: Mapping[str, Any] | None = None, store: str | None = None) -> str:
    """Write the file. ``schema`` is the path of its schema, relative to it; ``beside`` says whether it is there.

    ``tasks`` are those of the app, by name; without them the file has some general examples. ``store`` is the app's own
    store, as it may be shown.
    """
    head = f"#:schema {schema}\n{_HEAD}" if beside else _NO_SCHEMA.format(schema=schema) + _HEAD
    if tasks is None:
        shared = _SHARED.format(named="") + _NAMES
        return "\n".join([head, _STORE.format(whose=_BY_DEFAULT), shared, _GENERAL])
    return "\n".join([head, _store(store), _SHARED.format(named=_NAMED), *_modules(own_tasks(tasks))])


def _store(store: str | None) -> str:
    if store is None:
        return _NO_REDIS
    return _STORE.format(whose=shorten(one_line(store), _LONGEST))


def _modules(tasks: Mapping[str, Any]) -> Iterator[str]:
    for module, found in groupby(tasks.items(), key=lambda pair: module_of(pair[1])):
        yield f"# ---- {shorten(one_line(module), _LONGEST) or 'without a module'} ----\n"
        for name, task in found:
            yield "".join(f"# {line}\n" for line in _block(name, task))


def _block(name: str, task: Any) -> Iterator[str]:
    """Write a task's table: with Celery's own limit if it has one, else for each of whom it works for, else plain."""
    yield f"[tasks.{table_key(name)}]  # {signature_text(name, task)}"
    own = native_limit(task)
    who = _for_whom(arguments_of(task))
    if own is not None and rate_fault(own.rate) is None:
        yield 'strategy = "static"'
        yield f'rate = "{own.rate}"  # in each worker: Celery\'s own {own.by}; take that out'
    elif who is not None:
        yield 'strategy = "per_user"'
        yield 'rate = "1/s"  # for each value of the key'
        yield f'key = "{who}"'
    else:
        yield 'strategy = "token_bucket"'
        yield 'rate = "10/s"'


def _for_whom(arguments: Iterable[str]) -> str | None:
    """Return the argument that says for whom a task works; None when none has such a name."""
    names = {name.lower(): name for name in arguments}
    return next((names[each] for ending in _ENDINGS for who in _WHO if (each := f"{who}{ending}") in names), None)
