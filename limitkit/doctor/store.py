"""Looks at the store: whether it can be asked, what it is, its clock, and whether each script may do what it does."""

from __future__ import annotations

import secrets
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from limitkit.control.task_limits import declared
from limitkit.doctor import servers
from limitkit.doctor.bounded import TooLateError, within
from limitkit.doctor.finding import found, of_problem
from limitkit.doctor.store_scripts import MISSING_RIGHT, missing_for_starts, rights, try_scripts
from limitkit.errors import StoreError
from limitkit.stores.choice import open_store, store_shown, store_url
from limitkit.stores.failure_reason import a_node
from limitkit.worker.startup_checks import eviction
from limitkit.worker.startup_store_check import ask_once, unusable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from limitkit.config.load import Config
    from limitkit.doctor.finding import Finding, Sheet
    from limitkit.stores.server_facts import ServerFacts
    from limitkit.stores.store import Store

UNREACHED: Final = "LK150"
REFUSES: Final = "LK158"
_LONGEST: Final = 6.0
"""Seconds for all that is asked of the store. ``store.timeout`` bounds each call, but no search for a master."""


def look_at_store(sheet: Sheet, config: Config, app: Any) -> list[ServerFacts]:
    """Note what the store is, and what is wrong with it; returns what its servers say of themselves."""
    shown = store_shown(app, config.rules.store)
    needed = any(not limit.local and limit.mode != "off" for limit in declared(config.rules))
    if shown is None:
        why = "none: no store.url, no Redis broker or result backend"
        sheet.add("store", "address", f"{why}{'' if needed else '; no limit in force needs one'}")
        return []
    if (store_url(app, config.rules.store) or "").startswith("memory://"):
        sheet.add("store", "address", "memory://, the memory of each process: there is nothing to ask")
        return []
    seen = f"at {shown}{'' if needed else '; no limit in force needs it'}"
    store = None
    try:
        store = open_store(app, config.rules.store)
        assert store is not None  # noqa: S101 (it has an address)
        return within(_LONGEST, lambda: _look(sheet, config, store, seen))
    except TooLateError as error:
        sheet.add("store", "connection", seen, _unreached(shown, str(error)))
    except StoreError as error:
        lost = _permanent(config, error) or _unreached(shown, str(error))
        sheet.add("store", "connection", seen, lost)
    finally:
        if store is not None:
            _close(store)
    return []


def _look(sheet: Sheet, config: Config, store: Store, seen: str) -> list[ServerFacts]:
    from limitkit.stores.server_facts import facts_of  # noqa: PLC0415 (redis is imported only by those who need it)
    from limitkit.stores.servers import servers_of  # noqa: PLC0415 (likewise)

    with servers_of(store) as every:
        told = [(name, facts_of(client)) for name, client in every]
    for name, facts in told:
        whose = f"the store's node {name}" if name else "the store"
        server = f"{servers.described(facts)}, {seen}" if not name else f"{name}: {servers.described(facts)}"
        noted = [*servers.judged(facts, whose, parks=False), *servers.clock(facts, whose)]
        sheet.add("store", "server", server, *noted)
    policies = [of_problem(each) for each in eviction(config, store)]
    policy = {facts.policy for _, facts in told} - {""}
    if policy or policies:
        sheet.add("store", "eviction", ", ".join(sorted(policy)) or "may drop keys", *policies)
    else:
        sheet.unknown("store", "eviction", "the store does not say its maxmemory-policy: its user may not run INFO")
    prefix = f"{config.rules.store.prefix}:doctor:{secrets.token_hex(8)}"
    alone = any(facts.clustered and not name for name, facts in told)
    takes = "as each start takes, from made-up buckets of each kind in the file"
    sheet.add("store", "takes", takes, *_starts(config, store, prefix, alone=alone))
    if alone:
        return [facts for _, facts in told]
    try_scripts(sheet, config, store, prefix)
    return [facts for _, facts in told]


def _starts(config: Config, store: Store, prefix: str, *, alone: bool) -> Iterator[Finding]:
    """Take from buckets of no limit, as a worker does before it starts; a start needs other rights for each kind."""
    error = a_node() if alone else ask_once(store, prefix, declared(config.rules))
    if error is None:
        return
    yield _permanent(config, error) or _refusing(error)
    missing = missing_for_starts(config, store, prefix)
    if missing:
        fact = f"the store's user may not run {', '.join(missing)} (takes)"
        then = "no worker with a limit starts, since it could not keep it"
        yield found(MISSING_RIGHT, "error", fact, then, f"{rights(missing)}: see docs/store.md")


def _permanent(config: Config, error: StoreError) -> Finding | None:
    """Return what a worker would refuse to start with."""
    return of_problem(unusable(config, error)) if error.remedy else None


def _unreached(shown: str, why: str) -> Finding:
    fact = f"the store at {shown} can't be asked: {why}"
    then = "limited tasks start without their shared limits meanwhile, unless on_error says otherwise"
    return found(UNREACHED, "error", fact, then, "start it, or fix its address: [store] url", unreached=True)


def _refusing(error: StoreError) -> Finding:
    """Say that the store answers, but not to a take: it is full, a replica, or a proxy without scripts."""
    fact = f"the store answers, and can't take a token: {error}"
    then = "limited tasks start without their shared limits, or wait, as on_error says"
    remedy = "look at the server: full memory, a replica, a proxy that knows no scripts; name a Redis itself"
    return found(REFUSES, "error", fact, then, remedy)


def _close(store: Any) -> None:
    with suppress(TooLateError, StoreError, OSError):  # the process ends soon
        within(1.0, store.close)
