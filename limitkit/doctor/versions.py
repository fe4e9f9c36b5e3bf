"""Looks at what is installed: packages that are older than limitkit supports, or known to fail, or there twice."""

from __future__ import annotations

import platform
import re
from importlib.metadata import PackageNotFoundError, distributions, requires, version
from typing import TYPE_CHECKING, Final, NamedTuple

from limitkit.doctor.finding import found
from limitkit.name_clash import clash, damage

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from limitkit.doctor.finding import Finding, Sheet

KNOWN_FAULT: Final = "LK163"
TOO_OLD: Final = "LK164"
OTHER_PACKAGE: Final = "LK165"
TWICE: Final = "LK166"
_SHOWN: Final = ("celery-limitkit", "celery", "kombu", "redis", "billiard", "amqp", "gevent", "eventlet")
_OLDEST: Final = {"celery": (5, 5, 0), "kombu": (5, 5, 2), "redis": (4, 5, 2)}
"""As ``docs/compatibility.md`` has it; limitkit's tests run with these."""


class _Fault(NamedTuple):
    package: str
    first: tuple[int, ...]
    last: tuple[int, ...]
    """The last version that has it."""
    then: str
    remedy: str


_FAULTS: Final = (
    # kombu's pull request 2007 fixed it; celery's issues 8030, 8091 and 9054 report it.
    _Fault(
        "kombu",
        (5, 2, 3),
        (5, 3, 999),
        "a worker stops consuming after its Redis broker was restarted",
        "5.5.2 or newer",
    ),
)


def look_at_versions(sheet: Sheet) -> None:
    """Note what is installed here; workers may have something else."""
    installed = {name: found_version for name in _SHOWN if (found_version := _version_of(name))}
    seen = ", ".join([f"Python {platform.python_version()}", *(f"{name} {each}" for name, each in installed.items())])
    noted = [*judged(installed), *asked_for(_requirements("kombu"), installed)]
    sheet.add("versions", "packages", seen, *noted)
    other = clash() or damage()
    noted = []
    if other:
        fact, _, rest = other.partition("; ")
        then, _, remedy = rest.partition(". ")
        noted.append(found(OTHER_PACKAGE, "error", fact, then or "limits may not hold", remedy or rest))
    sheet.add("versions", "the name limitkit", "no other package has it" if not other else "another package", *noted)
    sheet.add("versions", "copies", "of celery-limitkit on Python's path", *_twice())


def judged(installed: Mapping[str, str]) -> Iterator[Finding]:
    """Find which of these versions, by package, are too old or known to fail."""
    for package, oldest in _OLDEST.items():
        mine = _numbers(installed.get(package, ""))
        if mine and mine < oldest:
            least = ".".join(map(str, oldest))
            fact = f"{package} {installed[package]} is older than {least}, the oldest that limitkit is tested with"
            yield found(TOO_OLD, "warning", fact, "limits may not hold", f"install {package} {least} or newer")
    for fault in _FAULTS:
        mine = _numbers(installed.get(fault.package, ""))
        if mine and fault.first <= mine <= fault.last:
            fact = f"{fault.package} {installed[fault.package]} has a known fault"
            yield found(KNOWN_FAULT, "error", fact, fault.then, f"install {fault.package} {fault.remedy}")


def asked_for(requirements: Iterable[str], installed: Mapping[str, str]) -> Iterator[Finding]:
    """Find whether redis-py is one that this kombu works with: kombu says so in its requirements."""
    try:
        from packaging.requirements import Requirement  # noqa: PLC0415 (kombu brings it along with redis-py)
    except ImportError:
        return
    mine = installed.get("redis", "")
    for each in map(Requirement, requirements):
        if each.name == "redis" and mine and not each.specifier.contains(mine, prereleases=True):
            fact = (
                f"redis {mine} is none that kombu {installed.get('kombu', '')} works with: it asks for {each.specifier}"
            )
            then = "workers may fail to start, or lose their broker"
            yield found(
                KNOWN_FAULT, "error", fact, then, "install both together: pip install --upgrade 'celery[redis]'"
            )


def _requirements(package: str) -> list[str]:
    try:
        return requires(package) or []
    except PackageNotFoundError:
        return []


def _twice() -> Iterator[Finding]:
    places = {str(each.locate_file("")) for each in distributions(name="celery-limitkit")}
    if len(places) > 1:
        fact = f"celery-limitkit is installed {len(places)} times, in {' and '.join(sorted(places))}"
        then = "which of them is used depends on the order of Python's path, and may differ between worker and command"
        yield found(TWICE, "warning", fact, then, "uninstall all but one: pip uninstall celery-limitkit")


def _version_of(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return ""


def _numbers(text: str) -> tuple[int, ...]:
    match = re.match(r"\d+(?:\.\d+)*", text)
    numbers = tuple(map(int, match[0].split("."))) if match is not None else ()
    return numbers + (0,) * (3 - len(numbers)) if numbers else ()
