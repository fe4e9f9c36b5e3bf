"""What is measured, and what it must reach: a row for each work."""

from __future__ import annotations

from benchmarks import works
from benchmarks.row import LOST, TWICE, Row, Target
from benchmarks.rows_of_costs import COSTS
from benchmarks.rows_of_kinds import KINDS
from benchmarks.rows_of_pools import POOLS, backlog_row, full_pool_row, users_row
from benchmarks.rows_of_trial import TRIAL


def _fast_row(rate: int, burst: int, count: int) -> Row:
    return Row(
        f"fast-{rate}",
        f"{count:,} no-op tasks at {rate}/s burst {burst}",
        (
            Target("efficiency", "efficiency", least=0.95, pool_bound=True),
            Target("excess", "excess", most=burst + 3),
            Target("store_calls_per_start", "store calls per start", most=0.5, pool_bound=True),
            Target("sent_back", "sent back, per task"),
            Target("unlimited", "the same workers with no limit", unit="/s"),
            LOST,
            TWICE,
        ),
        works.fast(rate, burst, count),
        needs=1.5 * rate,
    )


def _secret_row(key: str, says: str, retry_after: int | None) -> Row:
    return Row(
        key,
        f"two workers call a partner who answers 429 {says} above 20 requests in any second, then 40, then 15, each "
        "for 75 s; declared is 100/s",
        (
            Target("used", "least part used of one of these, from 30 s after the change", least=0.9),
            Target("refused", "largest part rejected meanwhile", most=0.02),
            Target("up", "until 40/s was found", most=30, unit=" s"),
            Target("down", "until 15/s was found", most=30, unit=" s"),
            Target("first", "until 20/s was found", unit=" s"),
            Target("early", "part rejected until then"),
            Target("retries", "most retries that a task spent", most=0, least=0, every=True),
            LOST,
        ),
        works.secret_rate(retry_after),
        waits=True,
    )


LIMITS = (
    backlog_row("backlog", "sent before the workers start"),
    full_pool_row("pool", "2 workers with 2 processes"),
    Row(
        "static",
        "static 20/s on two workers, 400 tasks, 200 others behind them",
        (
            Target("rate", "both workers' rate until the first has done its share", 38, 41, "/s"),
            Target("excess", "excess in one worker", most=3),
            Target("others_late", "last start of the others, after the end of sending", most=1, unit=" s"),
            Target("changed_rate", "rate after `app.control.rate_limit` set 10/s", 19, 20.5, "/s"),
            Target("changed_excess", "excess after that, in one worker", most=2.5),
            LOST,
            TWICE,
        ),
        works.static_limit,
    ),
    users_row("users", "2 workers with 2 processes", waits=True),
    Row(
        "shared",
        "a shared limit (30/s) with one for each user (1/s): a greedy user before 20 others; "
        "and an endless stream under the shared limit alone, each fifth message under a user's too",
        (
            Target("shared_excess", "shared limit's excess", most=2),
            Target("each_excess", "worst user's excess", most=2),
            Target("efficiency", "the others' efficiency", least=0.9),
            Target("share", "starts under both, over their part of the messages", least=0.9),
            Target("rate", "starts under the shared limit", unit="/s"),
            LOST,
            TWICE,
        ),
        works.shared,
    ),
    _fast_row(300, 5, 1800),
    _fast_row(500, 50, 2000),
    Row(
        "dead",
        "10,000 tasks revoked, or expired, in a 1/m lane, then one that is not",
        (
            Target("late_revoked", "how late it starts, after revoked ones", -0.1, 0.5, " s"),
            Target("late_expired", "how late it starts, after expired ones", -0.1, 0.5, " s"),
            Target("started", "revoked or expired ones that started", 0, 0, every=True),
            TWICE,
        ),
        works.never_started,
    ),
    Row(
        "lanes",
        "1,000 lanes that come due at one instant, store 2 ms away",
        (
            Target("throughput", "all starts a second while unlimited tasks flow, over those alone", least=0.9),
            Target("late", "last lane, beyond what the idle pool needs for 1,000 starts", most=0.5, unit=" s"),
            Target("late_in_all", "last lane, pool idle otherwise", unit=" s"),
            Target("late_during", "last lane, while 3,500 unlimited tasks flow", unit=" s"),
            Target("early", "starts before the instant", 0, 0, every=True),
            LOST,
            TWICE,
        ),
        works.lanes,
    ),
    Row(
        "restarts",
        "rolling restarts: 4 workers at 6/m, each restarted 5 times in turn",
        (
            Target("efficiency", "efficiency", least=0.95),
            Target("excess", "excess", most=2),
            Target("longest_gap", "longest time between two starts, in slots"),
            LOST,
            TWICE,
        ),
        works.restarted,
        waits=True,
    ),
    Row(
        "huge",
        "100,000 tasks at 200/s burst 20, then 1,000 unlimited ones, met by workers at one moment",
        (
            Target("growth", "growth of a worker's memory, the larger of the two", most=60, unit=" MB"),
            Target("span", "time until the last of the 1,000, over the time for 101,000 unlimited", most=1.5),
            Target("efficiency", "efficiency of the first 20,000 starts", least=0.97, pool_bound=True),
            Target("excess", "their excess", most=22),
            Target("held", "most messages that the workers held at once"),
            Target("unlimited", "the same workers with no limit", unit="/s"),
            LOST,
            TWICE,
        ),
        works.huge_backlog,
        needs=300,
    ),
    Row(
        "joins",
        "1,500 tasks at 100/s, a second worker joins after 300 of them",
        (
            Target("share", "its starts, over all starts after it is ready", least=0.3),
            Target("efficiency", "efficiency"),
            Target("excess", "excess", most=12),
            LOST,
            TWICE,
        ),
        works.joins,
    ),
    Row(
        "parks",
        "3,000 tasks at 200/s burst 20, most of them parked; broker and store are one Redis",
        (
            Target("commands", "client commands per park, beyond those of 3,000 unlimited tasks", most=14),
            Target("inside", "commands inside scripts per park"),
            Target("in_all", "client commands in all, per park"),
            Target("per_task", "parks per task", most=2),
            Target("efficiency", "efficiency", least=0.97, pool_bound=True),
            Target("excess", "excess", most=22),
            Target("unlimited", "the same workers with no limit", unit="/s"),
            LOST,
            TWICE,
        ),
        works.parks,
        needs=300,
    ),
    Row(
        "many-users",
        "20,000 tasks of 2,000 users, 10 each at 12/m, met by workers at one moment",
        (
            Target("first", "latest first start of a user", most=2, unit=" s"),
            Target("later_p95", "p95 of how late later starts are", unit=" s"),
            Target("later", "the latest of those", unit=" s"),
            Target("drain", "time for all, over what limits and pool allow"),
            Target("excess", "worst user's excess", most=2),
            Target("unlimited", "the same workers with no limit", unit="/s"),
            LOST,
            TWICE,
        ),
        works.many_users,
    ),
    _secret_row("secret", "and says no more", None),
    _secret_row("secret-told", "with `Retry-After: 1`", 1),
    Row(
        "changed",
        "a limit that is changed in mid-drain on two workers: 20/s to 100/s, to 5/s, then 50 times a second for 30 s",
        (
            Target("up", "until tasks start at 0.9 of the higher rate", most=1.5, unit=" s"),
            Target("down", "until they keep to the lower one", most=1.5, unit=" s"),
            Target("efficiency", "starts while it is changed, over the lower of the two rates", least=0.9),
            Target("excess", "their excess over the higher one", most=4.5),
            LOST,
            TWICE,
        ),
        works.changed_rate,
    ),
)
ROWS = (*LIMITS, *KINDS, *POOLS, *COSTS, *TRIAL)
