"""Writes the tables of simulated scale into docs/scale.md."""

from benchmarks.scale_plays import WORKERS, WORKS

BEGIN, END = "<!-- played: begin -->", "<!-- played: end -->"
HELD = 11_000
"""Bytes of a worker's memory for a message that it holds (docs/decisions/009)."""
HEADS = (
    "starts of a worker, least and most over the mean",
    "p95 of waits, s",
    "store calls/s",
    "a worker",
    "us of Redis's core a call",
    "core busy",
    "efficiency if one core answers",
    "held by a worker, at most",
)


def with_tables(page, kept):
    """Return the page with the tables made of what is kept."""
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n{_tables(kept)}\n{END}{after}"


def _tables(kept):
    parts = []
    for key, work in WORKS.items():
        played = [kept[f"{key} {workers}"] for workers in WORKERS if f"{key} {workers}" in kept]
        if not played:
            continue
        slots = "running" in played[0]
        says = f"{work.says}; {work.messages:,} messages, {work.seconds:g} s"
        parts += [
            f"\n**{says[0].upper() if says[0] != '`' else says[0]}{says[1:]}**\n",
            "| " + " | ".join(["workers", "efficiency", "most running" if slots else "excess", *HEADS]) + " |",
            "| ---: " * 11 + "|",
        ]
        parts += [_row(each, kept.get(f"{key} {each['workers']} core")) for each in played]
    return "\n".join(parts)


def _row(each, core):
    bound = f"{each['running']}" if "running" in each else f"{each['excess']:.1f} of {each['allowed_excess']:g}"
    cells = [
        f"{each['workers']:,}",
        _part(each["efficiency"]),
        bound,
        f"{each['least']:.2f}, {each['most']:.2f}",
        f"{each['p95']:.2f}" if each["p95"] >= 0.1 else f"{each['p95']:.3f}",
        f"{each['calls']:,.0f}",
        f"{each['calls_each']:,.1f}",
        f"{each['call_us']:.0f}",
        f"{100 * each['core_used']:.0f} %",
        _part(core["efficiency"]) if core else "-",
        f"{each['held']} ({each['held'] * HELD / 1e6:.1f} MB)",
    ]
    return "| " + " | ".join(cells) + " |"


def _part(value):
    """Write a part with three digits, and never 1.000 for what is less."""
    return f"{int(value * 1000) / 1000:.3f}"
