"""One life of some workers: a config and a scenario, as plain data that can be written as TOML and made smaller."""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from limitkit.buckets.named_partition import named
from limitkit.buckets.override import Override, Target
from limitkit.config.load import judge
from limitkit.config.model.units import parse_duration, parse_rate
from limitkit.config.source import toml
from limitkit.trial.scenario import (
    EPOCH,
    Disconnect,
    Kill,
    Scenario,
    Sending,
    SetOverride,
    Stop,
    StoreAway,
    in_order,
)

if TYPE_CHECKING:
    from limitkit.config.rules import Rules
    from limitkit.trial.scenario import Arrival, Fault

Data = dict[str, Any]


@dataclass(frozen=True)
class Life:
    """What is played: the data of a ``ratelimits.toml``, and that of one ``[[test]]`` table."""

    config: Data
    test: Data

    @property
    def seed(self) -> int:
        """The seed of the play."""
        return self.test.get("seed", 0)

    @property
    def begins(self) -> float:
        """When it begins, in seconds since 1970."""
        text = self.test.get("begins_at")
        return EPOCH if text is None else dt.datetime.fromisoformat(text).timestamp()

    def arrivals(self) -> list[Arrival]:
        """Return its messages in the order in which they are sent: their places are the numbers of the runs."""
        return list(in_order([_sending(each) for each in self.test["send"]]))

    def scenario(self) -> Scenario:
        """Return what is played."""
        test = self.test
        return Scenario(
            arrivals=self.arrivals(),
            workers=test.get("workers", 1),
            processes=test.get("processes", 4),
            prefetch_multiplier=test.get("prefetch_multiplier", 4),
            task_seconds={name: parse_duration(text) for name, text in test.get("task_seconds", {}).items()},
            faults=tuple(_fault(each, self.config) for each in test.get("fault", ())),
            until=seconds(test, "until") if "until" in test else None,
            begins=self.begins,
        )

    def rules(self) -> Rules:
        """Return its limits, read as from a file; ConfigError says why they can't be."""
        return judge(toml.parse(config_text(self.config), "ratelimits.toml")).rules


def config_text(config: Data) -> str:
    """Write a config as a file."""
    lines = [f"{key} = {_value(value)}" for key, value in config.items() if not isinstance(value, dict)]
    for section, tables in config.items():
        if isinstance(tables, dict):
            if section in ("limits", "tasks", "queues"):
                for name, table in tables.items():
                    lines += ["", f"[{section}.{_key(name)}]", *_pairs(table)]
            else:
                lines += ["", f"[{section}]", *_pairs(tables)]
    return "\n".join(lines) + "\n"


def text_of_test(test: Data, comment: str = "") -> str:
    """Write a ``[[test]]`` table as a file; a promise that no expectation can say is in the comment alone."""
    lines = [f"# {line}" for line in comment.splitlines()]
    lines += ['config = "ratelimits.toml"', "", "[[test]]"]
    lines += _pairs({key: value for key, value in test.items() if key not in ("send", "fault")})
    expects = [{"task": task, "lost": 0} for task in dict.fromkeys(each["task"] for each in test["send"])]
    for key, tables in (("send", test["send"]), ("fault", test.get("fault", ())), ("expect", expects)):
        for table in tables:
            lines += ["", f"[[test.{key}]]", *_pairs(table)]
    return "\n".join(lines) + "\n"


def read(config: str, test: str) -> Life:
    """Read a life from the texts of its two files."""
    data = toml.parse(test, "life.limits.toml").data["test"][0]
    data.pop("expect", None)
    begins = data.get("begins_at")
    if begins is not None:
        data["begins_at"] = begins.isoformat()
    return Life(toml.parse(config, "ratelimits.toml").data, data)


def seconds(table: Data, key: str, default: float = 0.0) -> float:
    """Read a duration of a table."""
    return parse_duration(table[key]) if key in table else default


def _sending(table: Data) -> Sending:
    return Sending(
        task=table["task"],
        count=table.get("count", 1),
        every=seconds(table, "every"),
        at=seconds(table, "at"),
        kwargs=table.get("kwargs", {}),
        queue=table.get("queue", "celery"),
        headers=table.get("headers", {}),
        priority=table.get("priority", 0),
    )


def _fault(table: Data, config: Data) -> Fault:
    at = seconds(table, "at")
    for key, kind in (("kill", Kill), ("stop", Stop), ("disconnect", Disconnect)):
        if key in table:
            return kind(at=at, worker=table[key])
    if "store" in table:
        return StoreAway(at=at, seconds=seconds(table, "for"))
    said = {"limit": table["pause"]} if "pause" in table else table["override"]
    until = at + seconds(table, "for") if "for" in table else at + seconds(said, "for") if "for" in said else None
    partition = named(said["partition"]).digest if "partition" in said else ""
    target = Target("limits", said["limit"], partition)
    if "pause" in table:
        return SetOverride(at=at, override=Override(target=target, kind="pause", until=until))
    calendar = "resets" in config["limits"][said["limit"]]
    return SetOverride(
        at=at,
        override=Override(
            target=target,
            kind="rate",
            rate=parse_rate(said["rate"], calendar=calendar) if "rate" in said else None,
            burst=said.get("burst"),
            max_running=said.get("max_running"),
            until=until,
        ),
    )


def _pairs(table: Data) -> list[str]:
    return [f"{_key(key)} = {value if key == 'begins_at' else _value(value)}" for key, value in table.items()]


def _key(key: str) -> str:
    return key if key.replace("_", "").isalnum() and key.isascii() else json.dumps(key)


def _value(value: Any) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(_pairs(value)) + " }" if value else "{}"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(map(_value, value)) + "]"
    return json.dumps(value)
