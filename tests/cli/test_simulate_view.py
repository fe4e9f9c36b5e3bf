"""What simulate shows of a play that is made by hand."""

import io
import json
import re
import sys

import pytest
from rich.cells import cell_len
from support.commands import compare

from limitkit.buckets.override import Override, Target
from limitkit.cli.output import Unusable
from limitkit.cli.simulate.charts import charts
from limitkit.cli.simulate.numbers import bytes_text, number_text, time_text
from limitkit.cli.simulate.picture import draw
from limitkit.cli.simulate.played import played
from limitkit.cli.simulate.report import below, report
from limitkit.cli.simulate.values import as_values
from limitkit.config.load import load
from limitkit.trial.outcome import Outcome, Run, WorkerUse
from limitkit.trial.scenario import Scenario, SetOverride, StoreAway

FILE = """
version = 1
[limits.gateway]
strategy = "token_bucket"
rate = "10/s"
burst = 20
[limits.tenant]
strategy = "per_user"
rate = "5/s"
key = "tenant"
[limits.push]
strategy = "static"
rate = "2/s"
[tasks."emails.campaign"]
limits = ["gateway", "tenant"]
[tasks."push.send"]
limits = ["push"]
"""
WAITED = ("gateway", "tenant")


def campaign(count=400):
    """Make a campaign that is sent in four seconds, and starts as its limit allows; four tenants, each 2.5/s."""
    for number in range(count):
        start = max(number / 100, (number - 19) / 10)
        run = Run(number, "emails.campaign", number / 100, "celery", WAITED, ("g", f"t{number % 4}"), (1, 1))
        run.starts, run.workers, run.ended, run.fate = [start], [f"worker-{number % 2 + 1}"], start, "started"
        yield run


def receipts(first, count=3):
    for number in range(count):
        run = Run(first + number, "emails.receipt", 5.0 + number, "celery")
        run.starts, run.workers, run.ended, run.fate = [run.sent], ["worker-1"], run.sent, "started"
        yield run


@pytest.fixture
def make(tmp_path, monkeypatch):
    """Make what is shown of an outcome."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "ratelimits.toml").write_text(FILE, encoding="utf-8")

    def made(runs, *, file=None, **scenario):
        if file is not None:
            (tmp_path / "ratelimits.toml").write_text(file, encoding="utf-8")
        told = {"arrivals": (), "workers": 2, **scenario}
        left = [run.ended for run in runs if run.ended is not None]
        uses = [WorkerUse("worker-1", 200, 30), WorkerUse("worker-2", 200, 25)]
        outcome = Outcome(runs, max(left, default=0.0), all(run.ended is not None for run in runs), uses, 480, 90, 310)
        return played(outcome, load("ratelimits.toml").rules, Scenario(**told), source="campaign.toml")

    return made


def both():
    return sorted([*campaign(), *receipts(400)], key=lambda run: run.sent)


def said(lines):
    return "\n".join(lines)


def test_all_figures_stand_in_two_tables(make):
    # Tenants' first second is above their burst, since this campaign was made by hand.
    for name, width in (("wide", None), ("in_80_cells", 80)):
        lines = [*report(make(both()), width), *below(make(both()), width)]
        compare("simulate", f"report_{name}", said(lines) + "\n", mask=str)


@pytest.mark.parametrize("width", [80, 40])
def test_no_line_is_wider_than_the_terminal(make, width):
    lines = [*report(make(both()), width), *below(make(both()), width)]
    assert max(map(cell_len, lines)) <= width


def test_starts_waits_and_backlog_fit_a_terminal_of_80_cells(make):
    runs = both()
    for run in runs:
        run.limits = tuple({"gateway": "a_gateway"}.get(name, name) for name in run.limits)
    for line in report(make(runs), 80):
        if line.startswith(("limit ", "task ")):
            assert "started  p50    p95  max  backlog  drained at" in line


def test_a_limit_that_is_not_kept_is_named_with_its_window(make):
    lines = said(report(make(both()), None))
    assert "tenant was not kept: 8 starts in the second from 0s, and 6 are allowed." in lines
    assert "gateway was not kept" not in lines


DEAR = """
version = 1
[limits.tokens]
strategy = "{}"
rate = "100/s"
{}
[tasks."llm.ask"]
limits = [{{ limit = "tokens", cost = "tokens" }}]
"""


def asked(times, cost):
    for number, at in enumerate(times):
        run = Run(number, "llm.ask", 0.0, "celery", ("tokens",), ("t",), (cost,))
        run.starts, run.workers, run.ended, run.fate = [at], ["worker-1"], at + 1.0, "started"
        yield run


def test_a_cost_above_the_burst_is_allowed_and_explained(make):
    shown = make([*asked([0.0, 5.0, 10.0], 500)], file=DEAR.format("token_bucket", "burst = 200"))
    lines = said(report(shown, None))
    assert "500 of 600  1,500 of 6,500" in lines
    fact = "tokens has starts that cost up to 500, more than its 200 at once"
    assert (
        f"{fact}: such a start begins when its bucket is full, and the rest is debt that the next ones wait off."
        in lines
    )
    assert "not kept" not in lines
    assert as_values(shown)["limits"][0]["allowed"] == {"in_second": 600, "in_minute": 6_500}
    cheap = said(report(make([*asked([0.0, 2.0], 200)], file=DEAR.format("token_bucket", "burst = 200")), None))
    assert "200 of 300" in cheap
    assert "debt" not in cheap


def test_of_a_window_with_a_cost_above_it_no_number_is_allowed(make):
    lines = said(report(make([*asked([0.0, 5.0], 500)], file=DEAR.format("window", "")), None))
    assert "more than its 100 at once: such a start begins when nothing else is in its window." in lines
    assert "500 of" not in lines


def test_tokens_are_judged_as_starts_are(make):
    shown = make([*asked([0.0, 0.1, 0.2], 150)], file=DEAR.format("token_bucket", "burst = 200"))
    told = "tokens was not kept: 450 tokens in the second from 0s, and 300 are allowed."
    assert told in said(report(shown, None))
    assert as_values(shown)["not_kept"] == [told]


def jobs(count):
    for number in range(count):
        run = Run(number, "job.run", 0.0, "celery", ("jobs",), ("j",), (1,))
        run.starts, run.workers, run.ended, run.fate = [1.0], ["worker-1"], 2.0, "started"
        yield run


JOBS = """
version = 1
[limits.jobs]
strategy = "concurrency"
max_running = 2
{}
[tasks."job.run"]
limits = ["jobs"]
"""


@pytest.mark.parametrize(
    ("more", "faults", "says"),
    [
        ("", (), "jobs was not kept: 8 ran at once, and 2 are allowed."),
        ("", (StoreAway(at=0.5, seconds=1.0),), '2 are allowed; the store was away, and on_error = "allow" lets'),
        ('on_error = "hold"', (StoreAway(at=0.5, seconds=1.0),), "2 are allowed."),
        ('scope = "worker"', (StoreAway(at=0.5, seconds=1.0),), "2 are allowed."),
        ('schedule = [{ from = "00:00", to = "12:00", max_running = 9 }]', (), None),
        ('mode = "shadow"', (), None),
    ],
)
def test_more_at_once_than_may_run_is_named(make, more, faults, says):
    lines = said(report(make([*jobs(8)], file=JOBS.format(more), faults=faults), None))
    assert (says in lines) if says else ("not kept" not in lines)
    assert "not kept" not in said(report(make([*jobs(2)], file=JOBS.format(more), faults=faults), None))


@pytest.mark.parametrize(
    "more",
    ["burst = 9", 'mode = "shadow"', 'schedule = [{ from = "00:00", to = "12:00", rate = "50/s" }]'],
)
def test_it_is_not_judged_where_other_terms_hold(make, more):
    file = FILE.replace('key = "tenant"', f'key = "tenant"\n{more}')
    assert "not kept" not in said(report(make(both(), file=file), None))


def test_it_is_not_judged_where_an_operator_changed_it(make):
    override = Override(target=Target("limits", "tenant"), kind="rate")
    assert "not kept" not in said(report(make(both(), faults=(SetOverride(at=1.0, override=override),)), None))


def test_what_has_not_started_is_counted_by_its_fate(make):
    runs = both()
    for number, fate in ((100, "dropped"), (200, "failed"), (300, "lost")):
        runs[number].starts, runs[number].workers, runs[number].fate = [], [], fate
    runs[-1].starts, runs[-1].workers, runs[-1].ended, runs[-1].fate = [], [], None, "waiting"
    lines = report(make(runs), None)
    fates = "1 still waiting, 1 dropped, 1 failed, 1 lost"
    assert lines[1] == f"After 38s, 399 of them have started; {fates}. Waits are of those that have."
    (headings, *_) = [line for line in lines if line.startswith("limit ")]
    assert headings.split()[-4:] == ["buckets", "dropped", "failed", "lost"], "it is no task of a limit that waits"
    (headings, *_) = [line for line in lines if line.startswith("task ")]
    assert headings.split()[-4:] == ["waiting", "dropped", "failed", "lost"]


def test_a_limit_of_each_worker_may_give_its_rate_in_each(make):
    runs = list(campaign(10))
    for run in runs:
        run.task, run.limits, run.buckets, run.costs = "push.send", ("push",), ("p",), (1,)
    shown = make(runs)
    (row,) = shown.figures.limits
    assert (row.buckets, shown.level(row)) == (2, 4.0)
    assert make(both()).level(make(both()).figures.limits[0]) == 10.0
    assert make(both()).level(make(both()).figures.limits[1]) is None, "how many tenants there are decides"
    costs = make(both(), file=FILE.replace('limits = ["gateway", ', 'limits = [{ limit = "gateway", cost = 2 }, '))
    assert costs.level(costs.figures.limits[0]) is None, "tokens are no starts"


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({}, "task_seconds does not name emails.campaign and emails.receipt"),
        ({"task_seconds": {"emails.*": 0.1}}, "Tasks run as long as task_seconds says"),
        ({"task_seconds": {"emails.r*": 0.1}}, "does not name emails.campaign:"),
    ],
)
def test_it_says_whose_run_times_are_not_known(make, change, says):
    assert says in said(below(make(both(), **change), None))


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ('[limits.gateway.feedback]\non = ["a.Error:429"]', "the feedback of gateway changes nothing"),
        ("", None),
    ],
)
def test_it_says_what_the_other_side_would_do(make, more, says):
    lines = said(below(make(both(), file=FILE + more), None))
    assert says in lines if says else "feedback" not in lines


def test_it_says_when_machines_may_be_too_slow(make):
    runs = list(campaign(900))
    for run in runs:
        run.starts = [run.number / 1000]
    assert "900 tasks start in one second here" in said(below(make(runs), None))
    assert "in one second here" not in said(below(make(runs, workers=3), None))


def test_what_workers_log_is_shown(make):
    shown = make(both())
    shown.outcome.warnings.append("the store can't be asked")
    assert "Workers logged:\n- the store can't be asked\n" in said(below(shown, None))


@pytest.fixture
def terminal(monkeypatch):
    """Set what the terminal can do, and draw in it."""

    def drawn(shown, *, encoding="utf-8", is_terminal=False, **environ):
        for name in ("NO_COLOR", "TERM"):
            monkeypatch.delenv(name, raising=False)
        for name, value in {"COLUMNS": "72", **environ}.items():
            monkeypatch.setenv(name, value)
        stream = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
        stream.isatty = lambda: is_terminal
        with monkeypatch.context() as patch:
            patch.setattr(sys, "stdout", stream)
            return charts(shown)

    return drawn


def test_charts_are_drawn_for_the_two_busiest_limits(make, terminal):
    lines = terminal(make(both()))
    titles = [line.strip() for line in lines if re.search(r"starts a second|: waiting", line)]
    assert titles == [
        "gateway: starts a second, 10 declared",
        "gateway: waiting",
        "tenant: starts a second",
        "tenant: waiting",
    ]
    assert max(map(cell_len, lines)) <= 72
    assert any(re.search("[⠁-⣿]", line) for line in lines)
    assert not any("\x1b" in line for line in lines)
    ends = [line.split()[-1] for line in lines if line.split()[:1] == ["0s"]]
    assert ends == ["38s"] * 4


def test_where_no_task_has_a_limit_all_tasks_are_drawn(make, terminal):
    lines = terminal(make(list(receipts(0))))
    assert [line.strip() for line in lines if "starts a second" in line] == ["all: starts a second"]


@pytest.mark.parametrize("how", [{"encoding": "ascii"}, {"encoding": "latin-1"}, {"TERM": "dumb"}])
def test_a_terminal_without_the_signs_gets_plain_ones(make, terminal, how):
    lines = terminal(make(both()), **how)
    assert said(lines).isascii()
    assert any("***" in line for line in lines)
    assert any("+---" in line for line in lines)


def test_colors_are_for_terminals_alone(make, terminal):
    assert "\x1b[" in said(terminal(make(both()), is_terminal=True))
    assert "\x1b[" not in said(terminal(make(both()), is_terminal=True, NO_COLOR="1"))
    assert "\x1b[" not in said(terminal(make(both()), is_terminal=True, TERM="dumb"))


def test_a_play_of_nothing_is_shown_too(make, terminal):
    shown = make([])
    assert "0 messages" in report(shown, 80)[0]
    assert terminal(shown)
    assert as_values(shown)["all"]["waits"] is None


def test_json_has_all_figures_and_curves(make):
    values = json.loads(json.dumps(as_values(make(both()))))
    assert values["version"] == 1
    (gateway, tenant) = values["limits"]
    assert gateway["declared"] == {"rate": "10/s", "burst": 20, "strategy": "token_bucket"}
    assert gateway["allowed"] == {"in_second": 30, "in_minute": 620}
    assert gateway["waits"] == {"p50": 16.01, "p95": 32.21, "longest": 34.01, "mean": pytest.approx(16.2, abs=0.5)}
    assert gateway["longest_backlog"]["most"] == 341
    assert tenant["buckets"] == 4
    assert sum(gateway["curve"]["starts"]) == 400
    assert sum(values["all"]["curve"]["starts"]) == 403
    assert [row["task"] for row in values["tasks"]] == ["emails.campaign", "emails.receipt"]
    assert values["memory"]["held_bytes"] == 30 * 11_000
    assert values["not_known"]


def test_the_same_play_is_the_same_picture_whatever_style_somebody_has(make, tmp_path):
    import matplotlib as mpl

    for name in ("a.svg", "a.png"):
        draw(make(both()), str(tmp_path / name))
        with mpl.rc_context({"axes.facecolor": "black", "svg.hashsalt": "mine"}):
            draw(make(both()), str(tmp_path / f"again-{name}"))
        assert (tmp_path / name).read_bytes() == (tmp_path / f"again-{name}").read_bytes()
    text = (tmp_path / "a.svg").read_text(encoding="utf-8")
    assert "<dc:date>" not in text
    assert text.count('<g id="axes_') == 4


def test_a_name_is_no_formula_and_a_letter_that_the_font_lacks_is_no_error(make, tmp_path):
    runs = list(campaign(5))
    for run in runs:
        run.limits = ("$\\frac$ 限", "b$")
    draw(make(runs), str(tmp_path / "a.svg"))


def test_without_matplotlib_the_remedy_is_said(make, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(Unusable, match=re.escape('pip install "celery-limitkit[plot]"')):
        draw(make(both()), str(tmp_path / "a.svg"))


def test_a_picture_that_can_t_be_written_is_no_traceback(make, tmp_path):
    with pytest.raises(Unusable, match="can't be written"):
        draw(make(both()), str(tmp_path / "no" / "a.svg"))


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, "-"),
        (0, "0s"),
        (0.0004, "0s"),
        (0.02, "20ms"),
        (0.9996, "1s"),
        (1.25, "1.25s"),
        (9.999, "10s"),
        (12.34, "12.3s"),
        (59.96, "1m"),
        (250, "4m 10s"),
        (86400, "1d"),
    ],
)
def test_times_for_people(seconds, text):
    assert time_text(seconds) == text


@pytest.mark.parametrize(
    ("number", "text"), [(0, "0"), (0.25, "0.25"), (0.99, "0.99"), (12.5, "12.5"), (10, "10"), (1234.5, "1,234")]
)
def test_numbers_for_people(number, text):
    assert number_text(number) == text


@pytest.mark.parametrize(
    ("size", "text"), [(990, "990 bytes"), (330_000, "330 KB"), (1_500_000, "1.5 MB"), (2 * 10**9, "2 GB")]
)
def test_sizes_for_people(size, text):
    assert bytes_text(size) == text
