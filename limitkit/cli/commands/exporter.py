"""``limitkit exporter``: the state of limits in all workers together, for Prometheus."""

from __future__ import annotations

import signal
import time
from contextlib import suppress

import click

from limitkit.cli.config_in_use import config_in_use
from limitkit.cli.manager_command import reported_errors
from limitkit.cli.options import app_given, common, examples
from limitkit.cli.output import Drawn, Unusable, say
from limitkit.config.wording import one_line
from limitkit.waiting import room_names

_PORT = 9544
_EVERY = 15.0


@click.command(
    "exporter",
    short_help="Show all workers' limits to Prometheus.",
    epilog=examples(
        "limitkit exporter -A shop",
        "limitkit exporter -A shop --host 0.0.0.0 --port 9544",
        "limitkit exporter -A shop --once",
    ),
)
@click.option("--host", default="127.0.0.1", show_default=True, help="Where to listen; 0.0.0.0 is everywhere.")
@click.option("--port", type=click.IntRange(1, 65535), default=_PORT, show_default=True, help="Where to listen.")
@click.option(
    "--interval",
    type=click.FloatRange(1.0, 3600.0),
    default=_EVERY,
    show_default=True,
    metavar="SECONDS",
    help="How often to ask the store and the broker, however often it is scraped.",
)
@click.option("--once", is_flag=True, help="Ask once, and print the metrics.")
@common
@click.pass_context
def command(
    ctx: click.Context, *, host: str, port: int, interval: float, once: bool, app: str | None, config: str | None
) -> None:
    """Show the limits of all workers to Prometheus: what is parked, tokens, rates in force, live workers.

    One process is enough for all workers of an app. Each worker shows its own metrics: see [metrics].

    Exit status: 0 fine, 1 with --once something can't be asked, 2 there is no app, or the host or the port can't be
    listened on.
    """
    found = app_given(ctx, app)
    if found is None:
        raise Unusable("whose limits? name the app: limitkit exporter --app APP, or celery -A APP limitkit exporter")
    rules = config_in_use(ctx, found, config).rules
    from limitkit.metrics.bind_errors import fault, url  # noqa: PLC0415
    from limitkit.metrics.cluster import Cluster  # noqa: PLC0415
    from limitkit.metrics.endpoint import listen  # noqa: PLC0415
    from limitkit.metrics.families import EXPORTER  # noqa: PLC0415
    from limitkit.metrics.registry import Collector  # noqa: PLC0415
    from limitkit.stores.choice import open_store  # noqa: PLC0415

    with reported_errors():
        room_names.kind_of(found)  # raises for a broker that can never be asked
        cluster = Cluster(found, rules, open_store(found, rules.store))
    collector = Collector(EXPORTER)
    collector.source = lambda: cluster.known
    if once:
        fine = cluster.look()
        say(*map(_escaped, collector.text().rstrip("\n").split("\n")))
        ctx.exit(0 if fine else 1)
    host = host.strip("[]")  # an IPv6 address, as URLs have it
    try:
        listen(host, port, collector)
    except (OSError, UnicodeError) as error:
        why = fault(error, host, port)
        raise Unusable(f"{why.fact}; {why.hint}: --{why.of}") from None
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # a container's first process would never end by it
    cluster.look()
    say(f"The metrics of all workers are shown on {url(host, port, '/metrics')}.", err=True)
    with suppress(KeyboardInterrupt):  # Ctrl-C and SIGTERM are how it ends
        while True:
            time.sleep(interval)
            cluster.look()


def _escaped(line: str) -> Drawn:
    """Escape a line, so that Prometheus, which knows few escapes, still reads it."""
    shown = (char if char.isprintable() else one_line(char).replace("\\", "\\\\") for char in line)
    return Drawn("".join(shown))
