"""Looks at the broker: whether it can be reached, what it is, and what its user may do where tasks are parked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from limitkit.config.wording import one_line
from limitkit.control.workers import UnreachableError, address_of, connection
from limitkit.doctor import servers
from limitkit.doctor.bounded import TooLateError, within
from limitkit.doctor.finding import found
from limitkit.doctor.redelivery import look_at_redelivery
from limitkit.doctor.store_scripts import rights
from limitkit.waiting import room_names

if TYPE_CHECKING:
    from collections.abc import Iterator

    from limitkit.config.load import Config
    from limitkit.doctor.finding import Finding, Sheet
    from limitkit.stores.server_facts import ServerFacts
    from limitkit.waiting.script_trial import BrokerRights

UNREACHED: Final = "LK130"
CANT_PARK: Final = "LK149"
CANT_RESCUE: Final = "LK148"
_LONGEST: Final = 6.0
"""Seconds for all that is asked of the broker: connecting alone may take 5."""
_TIMEOUT: Final = 2.0
"""Seconds for one answer of Redis."""


def look_at_broker(sheet: Sheet, config: Config, app: Any) -> ServerFacts | None:
    """Note what the broker is, and what is wrong with it; returns what it says of itself, if it is a Redis."""
    try:
        kind = room_names.kind_of(app)
    except room_names.UnusableBrokerError as error:
        then, remedy = "no worker of this app can start", "fix broker_url, or install what its transport needs"
        sheet.add(
            "broker", "connection", "broker_url", found(UNREACHED, "error", str(error), then, remedy, unreached=True)
        )
        return None
    shown = address_of(app)
    try:
        return within(_LONGEST, lambda: _look(sheet, config, app, kind))
    except UnreachableError as error:
        why = str(error)
    except TooLateError as error:
        why = f"the broker {shown} can't be asked: {error}"
    except Exception as error:  # noqa: BLE001 (a transport of anyone's may raise anything)
        why = f"the broker {shown} can't be asked: {type(error).__name__}"
    then, remedy = "no task can be sent or received, and what waits there is not known", "start it, or fix broker_url"
    sheet.add("broker", "connection", shown, found(UNREACHED, "error", why, then, remedy, unreached=True))
    look_at_redelivery(sheet, config, app, kind, None)
    return None


def _look(sheet: Sheet, config: Config, app: Any, kind: str) -> ServerFacts | None:
    with connection(app) as lent:
        channel = lent.channel()
        shown = f"{lent.transport.driver_type} at {address_of(app)}; tasks are parked in {kind}"
        sheet.add("broker", "connection", shown)
        facts = _redis(sheet, config, channel) if kind == room_names.REDIS else None
        look_at_redelivery(sheet, config, app, kind, channel)
        return facts


def _redis(sheet: Sheet, config: Config, channel: Any) -> ServerFacts:
    from limitkit.waiting.script_trial import look_at_broker as ask  # noqa: PLC0415 (redis is imported only by those who need it)

    facts, may = ask(channel, config.rules.store.prefix, _TIMEOUT)
    noted = [*servers.judged(facts, "the broker", parks=True), *servers.evicts(facts, "the broker")]
    sheet.add("broker", "server", servers.described(facts), *noted, *servers.clock(facts, "the broker"))
    tried = "each script was tried, with made-up keys"
    rights_found = _rights(
        may, config.rules.store.prefix, rescues=config.rules.waiting.rescue, clustered=facts.clustered
    )
    sheet.add("broker", "waiting room", tried, *rights_found)
    return facts


def _rights(may: BrokerRights, prefix: str, *, rescues: bool, clustered: bool) -> Iterator[Finding]:
    parked = "tasks that can't start soon can't be parked: workers hold them, and log it"
    if not may.keys:
        fact = f"the broker's user may not use the keys of the waiting room, {prefix}:waiting:*"
        yield found(CANT_PARK, "error", fact, parked, f"give it ~{prefix}:*: see docs/waiting.md")
    elif may.park:
        fact = f"the broker's user may not run {', '.join(may.park)}, which the waiting room needs"
        yield found(CANT_PARK, "error", fact, parked, f"{rights(may.park)}: see docs/waiting.md")
    if rescues and may.rescue and may.keys:
        fact = f"the broker's user may not run {', '.join(may.rescue)}"
        then = "what a killed worker held comes back only after the visibility timeout"
        yield found(CANT_RESCUE, "warning", fact, then, f"{rights(may.rescue)}, or write rescue = false in [waiting]")
    if clustered:
        fact = "the broker is a node of a Redis Cluster, where a script may use the keys of one slot alone"
        yield found(CANT_PARK, "error", fact, parked, "name a Redis that is no cluster as broker_url")
    elif may.failed:
        fact = f"a script of the waiting room failed: {one_line(may.failed)}"
        yield found(
            CANT_PARK, "error", fact, parked, "look at the broker: full memory, a replica, a proxy without scripts"
        )
