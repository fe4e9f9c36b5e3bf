"""Makes up config files: good ones of all kinds, over one or several files, and ones that were changed at random."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from search.life import config_text
from search.random_config import TENANTS, chance, pick, random_config

if TYPE_CHECKING:
    from random import Random

Data = dict[str, Any]
SEVERITIES = ("error", "warning", "off")
CODES = ("LK030", "LK040", "LK044", "LK077", "LK082", "LK087", "LK104", "LK105", "LK110", "LK112", "LK053")
WRONG_CODES = ("LK012", "LK999", "rate", "lk030", "", "LK030 LK040", "LK030,LK077", "LK030]", "[LK030")
WORDS = (
    "0/s", "1/s", "-1/s", "10/sec", "1e3/s", "99999999/s", "1/mo", "${NOWHERE}", "${HOME}", "${RATE:-5/s}", "5", "0",
    "-1", "1.5", "true", "[]", "{}", '""', '"x"', "'", '"', "[", "]", "=", ".", "#", "\\u0000", "\t", "é", "\u2028",
    "9" * 400, "inf", "nan", "2026-01-01", "24:00", "mon-sun", "static", "token_bucket", "per_user", "window",
    "concurrency", "drop", "fail", "hold", "divide", "off", "shadow", "limits", "tasks", "queues", "store",
    "celery.*", "*", "**", "key", "rate", "burst", "user", "headers:x", "a.b", "version = 1",
    'extends = "ratelimits.toml"', "[lint]", "[[limits]]", "[tasks]", "# limitkit: ignore[LK030]", "memory://",
)  # fmt: skip
NAMES = ("t*", "*", "*.b", "celery.chord", "ünï", 'a"b', "a\nb", " ")


def texts(rnd: Random) -> dict[str, str]:
    """Make up a config: its files by name; ``ratelimits.toml`` is the one that is used."""
    data = random_config(rnd)
    _more(rnd, data)
    files: dict[str, Data] = {"ratelimits.toml": data}
    name = "ratelimits.toml"
    for below in range(pick(rnd, (0, 0, 0, 1, 1, 2))):
        base = f"base{below}.toml"
        files[name], files[base] = _split(rnd, files[name])
        files[name]["extends"] = pick(rnd, (base, f"./{base}"))
        name = base
    made = {each: _commented(rnd, config_text(table)) for each, table in files.items()}
    if chance(rnd, 0.6):
        which = pick(rnd, list(made))
        for _ in range(pick(rnd, (1, 1, 1, 2, 5))):
            made[which] = mutated(rnd, made[which])
    return made


def _more(rnd: Random, data: Data) -> None:
    """Add what lives don't have: feedback, metrics, severities, keys of messages, odd names."""
    for limit in data["limits"].values():
        _more_of_a_limit(rnd, limit)
    for key, part, values in (
        ("metrics", 0.2, ({}, {"port": 9545}, {"port": "9545-9554", "host": "0.0.0.0"})),
        ("mode", 0.2, ("enforce", "shadow", "off")),
        ("store", 0.1, ({"url": "memory://"}, {"url": "redis://u:secret@h:1/2?socket_timeout=1"}, {})),
    ):
        if chance(rnd, part):
            data[key] = pick(rnd, values)
    if chance(rnd, 0.3):
        data["lint"] = {pick(rnd, CODES): pick(rnd, SEVERITIES) for _ in range(pick(rnd, (1, 2, 4)))}
    if chance(rnd, 0.05):
        data.setdefault("lint", {})[pick(rnd, WRONG_CODES)] = pick(rnd, SEVERITIES)
    if chance(rnd, 0.2):
        data["tasks"][pick(rnd, NAMES)] = {"limits": list(data["limits"])[:1]}


def _more_of_a_limit(rnd: Random, limit: Data) -> None:
    if limit["strategy"] in ("token_bucket", "per_user") and chance(rnd, 0.3):
        limit["feedback"] = {"on": pick(rnd, (["a.B"], ["a.B:429"], ["re:slow down"]))}
        if chance(rnd, 0.5):
            limit["feedback"] |= {"recover": {"factor": 0.5, "floor": "1/m"}, "max_pause": "1d"}
        if chance(rnd, 0.3):
            limit["feedback"] |= {"unless": ["a.C"], "resend": pick(rnd, (True, False, 3))}
    if "key" in limit and chance(rnd, 0.4):
        limit["key"] = pick(rnd, ("user.id", "headers:tenant", ["user", "tenant"]))
        limit.pop("partitions", None)
        limit["show_key"] = chance(rnd, 0.5)
    if chance(rnd, 0.1):
        limit["mode"] = pick(rnd, ("shadow", "off"))
    if "weights" in limit and chance(rnd, 0.3):
        limit["weights"] |= {pick(rnd, TENANTS): pick(rnd, (1, 0.25, 10_000))}


def _split(rnd: Random, data: Data) -> tuple[Data, Data]:
    """Divide a file's keys between two, at random; some stand in both, with another value in the base."""
    top: Data = {}
    base: Data = {}
    for key, value in data.items():
        where = rnd.random()
        if isinstance(value, dict) and value and where < 0.6:
            above, below = _split(rnd, value)
            if above or chance(rnd, 0.3):
                top[key] = above
            if below or chance(rnd, 0.3):
                base[key] = below
        elif where < 0.8:
            base[key] = value
        else:
            top[key] = value
            if chance(rnd, 0.3):
                base[key] = pick(rnd, (value, "static", "1/s", 7)) if not isinstance(value, dict) else value
    return top, base


def _commented(rnd: Random, text: str) -> str:
    lines = text.split("\n")
    for _ in range(pick(rnd, (0, 0, 1, 2))):
        at = int(rnd.random() * len(lines))
        codes = ", ".join(pick(rnd, CODES if chance(rnd, 0.8) else WRONG_CODES) for _ in range(pick(rnd, (1, 1, 2))))
        comment = f"# limitkit: ignore[{codes}]"
        if chance(rnd, 0.5):
            lines.insert(at, comment)
        else:
            lines[at] = f"{lines[at]}  {comment}"
    return "\n".join(lines)


def mutated(rnd: Random, text: str) -> str:
    """Change a text in one place."""
    lines = text.split("\n")
    at = int(rnd.random() * len(lines))
    how = int(rnd.random() * 7)
    if how == 0:
        del lines[at]
    elif how == 1:
        lines.insert(at, pick(rnd, lines))
    elif how == 2:
        other = int(rnd.random() * len(lines))
        lines[at], lines[other] = lines[other], lines[at]
    elif how == 3 and "=" in lines[at]:
        key, _, _ = lines[at].partition("=")
        word = pick(rnd, WORDS)
        lines[at] = f"{key}= {word if chance(rnd, 0.5) else json.dumps(word)}"
    elif how == 4:
        key, _, value = lines[at].partition("=")
        lines[at] = f"{pick(rnd, WORDS)} ={value}"
    elif how == 5:
        place = int(rnd.random() * (len(text) + 1))
        return text[:place] + pick(rnd, WORDS) + text[place + pick(rnd, (0, 0, 1, 5)) :]
    else:
        return text[: int(rnd.random() * (len(text) + 1))]
    return "\n".join(lines)
