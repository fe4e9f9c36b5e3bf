"""``limitkit doctor``: what will hurt, looked at from outside."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import click

from limitkit.cli.config_in_use import usable_config
from limitkit.cli.manager_command import name_the_app
from limitkit.cli.options import app_given, common, examples
from limitkit.cli.output import Drawn, Unusable, say, say_json, styled
from limitkit.config.wording import count
from limitkit.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from limitkit.doctor.finding import Finding, Sheet

_COLORS: Final = {"ok": "green", "warning": "yellow", "error": "red", "not known": "cyan"}
_WIDTH: Final = max(map(len, _COLORS))


@click.command(
    "doctor",
    short_help="Say what will hurt: settings, broker, store, workers, versions.",
    epilog=examples(
        "limitkit doctor -A shop",
        "limitkit doctor -A shop --strict --timeout 10",
        "limitkit doctor -A shop --output-format json",
    ),
)
@click.option("--strict", is_flag=True, help="Make warnings count: exit status 1 for them, too.")
@click.option("--output-format", "form", type=click.Choice(["text", "json"]), default="text", help="How to print it.")
@click.option(
    "--timeout", type=click.FloatRange(min=0.1, max=60.0), default=2.0, show_default=True, metavar="SECONDS",
    help="For the workers' answers.",
)  # fmt: skip
@common
@click.pass_context
def command(
    ctx: click.Context, *, strict: bool, form: str, timeout: float, app: str | None, config: str | None
) -> None:
    """Look at the app's settings, its broker, the store, the workers and what is installed; say what will hurt.

    Each finding has a code, a fact, what follows from it, and a remedy. What can't be looked at is said as not known.
    Nothing is changed: scripts are tried with made-up keys, which are removed.

    Exit status: 0 fine, 1 something was found, 2 the file can't be read, the app can't be imported, or the store or the
    broker can't be reached.
    """
    found = app_given(ctx, app)
    if found is None:
        raise Unusable(f"whose app? {name_the_app(ctx)}")
    from limitkit.doctor.examine import examine, without_config  # noqa: PLC0415 (imports Celery and kombu)

    status = 0
    try:
        used = usable_config(found, config)
    except ConfigError as error:
        sheet, status = without_config(error), 2 if error.unreadable else 1
    else:
        sheet = examine(found, used, patience=timeout)
    if form == "json":
        say_json({"version": 1, "checks": list(_checks(sheet)), "problems": list(map(_problem, sheet.findings))})
    else:
        say(*_lines(sheet))
    errors = sum(each.severity == "error" for each in sheet.findings)
    warnings, unknown = len(sheet.findings) - errors, sum(check.status == "not known" for check in sheet.checks)
    sums = [count(number, word) for number, word in ((errors, "error"), (warnings, "warning")) if number]
    rest = f", {count(unknown, 'thing')} not known" if unknown else ""
    say(f"limitkit doctor: {' and '.join(sums) or 'all that was looked at is fine'}{rest}", err=True)
    ctx.exit(max(status, sheet.exit_status(strict=strict)))


def _lines(sheet: Sheet) -> Iterator[str]:
    from limitkit.doctor.finding import SUBJECTS  # noqa: PLC0415 (quick without)

    for subject in SUBJECTS:
        checks = [check for check in sheet.checks if check.subject == subject]
        if checks:
            yield styled(subject, bold=True)
        for check in checks:
            yield _line(check.status, f"{check.name}: {check.seen}")
            for finding in check.findings:
                yield _line(finding.severity, finding.text, inner="  ")


def _line(status: str, text: str, inner: str = "") -> Drawn:
    return Drawn(f"  {inner}{styled(f'{status:<{_WIDTH}}', fg=_COLORS[status])}  {styled(text)}")


def _checks(sheet: Sheet) -> Iterator[dict[str, Any]]:
    for check in sheet.checks:
        yield {
            "subject": check.subject,
            "name": check.name,
            "status": check.status,
            "seen": check.seen,
            "codes": [each.code for each in check.findings],
        }


def _problem(finding: Finding) -> dict[str, Any]:
    names = ("path", "line", "column", "code", "severity", "message", "hint")
    return {name: getattr(finding, name) for name in names}
