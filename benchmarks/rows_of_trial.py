"""What trying limits costs: plays on a virtual clock."""

from benchmarks import works_of_trial
from benchmarks.row import Row, Target

TRIAL = (
    Row(
        "day",
        "a day of 100,000 tasks under ten limits, 4 workers x 8 processes, played and shown: `examples/day`",
        (
            Target("seconds", "time in all", most=20, unit=" s"),
            Target("shown", "of it for figures, tables and charts", most=1, unit=" s"),
            Target("sent", "messages", 100_000, 100_000, every=True),
            Target("left", "messages that have not started", most=0, every=True),
        ),
        measure=works_of_trial.a_day,
    ),
)
