"""What limitkit costs by itself: a take, tasks without a limit, metrics, and a worker's start."""

from benchmarks import works
from benchmarks.row import Row, Target

COSTS = (
    Row(
        "take",
        "one take on Redis against a bare `EVALSHA` of `return 1`, alternating",
        (
            Target("ratio", "time of a take, over the bare one", most=1.25),
            Target("micros", "time of a take", unit=" us"),
        ),
        pairs=works.take,
    ),
    Row(
        "kinds",
        "one take on Redis of each kind of limit against that of a token bucket, in turns",
        (
            Target("window", "a window of many starts", most=1.6),
            Target("exact", "a window of up to 200 starts", most=1.6),
            Target("resets", "a window that resets", most=1.6),
            Target("slots", "a slot of a concurrency limit"),
            Target("metered", "a bucket with costs"),
            Target("refused", "a window that is full"),
            Target("size", "memory of a window of 10,000 starts in a day", most=1024, unit=" bytes"),
        ),
        pairs=works.kinds,
    ),
    Row(
        "unlimited",
        "a task with no limit: 6,000 of them, with limitkit installed and without, alternating",
        (
            Target("ratio", "throughput with limitkit, over without", least=0.97),
            Target("touched", "tasks without a limit that gain a `run`", 0, 0, every=True),
            Target("per_second", "throughput with limitkit", unit="/s"),
        ),
        pairs=works.unlimited,
    ),
    Row(
        "unlimited-cost",
        "20,000 tasks with no limit, met by a worker at one moment, with limitkit installed and without, alternating",
        (
            Target("least", "the least processor time with limitkit, over the least without", most=1.02),
            Target("used", "processor time with limitkit, over without, pair by pair"),
            Target("micros", "processor time of a task without limitkit", unit=" us"),
            Target("calls", "calls of limitkit's functions a task, in the worker's main process"),
        ),
        pairs=works.unlimited_cost,
    ),
    Row(
        "metrics",
        "3,000 tasks under a limit too high to hold any up, and 3,000 without; with metrics and without, alternating",
        (
            Target("used", "processor time of a limited one with metrics, over without", most=1.03),
            Target("ratio", "throughput of the limited ones with metrics, over without", least=0.97),
            Target("free_used", "processor time of one without a limit with metrics, over without", most=1.03),
            Target("free_ratio", "throughput of those with metrics, over without", least=0.97),
            Target("micros", "processor time of a limited one without metrics", unit=" us"),
        ),
        pairs=works.counting,
    ),
    Row(
        "scrape",
        "a scrape of a worker with 500 limits, each of which has counted",
        (
            Target("millis", "median of 20 scrapes", most=50, unit=" ms"),
            Target("samples", "samples of limitkit in it"),
        ),
        works.scrapes,
    ),
    Row(
        "import",
        "`import limitkit` over `import celery`, alternating",
        (Target("more", "time beyond `import celery`", most=150, unit=" ms"),),
        pairs=works.importing,
    ),
    Row(
        "start",
        "`celery worker` from its start to ready, with three limits and without limitkit, alternating",
        (
            Target("more", "time beyond that without", most=0.25, unit=" s"),
            Target("least", "the shortest start beyond the shortest without", most=0.25, unit=" s"),
            Target("more_used", "its processor time beyond that without", unit=" s"),
            Target("without", "time without", unit=" s"),
        ),
        pairs=works.starts,
    ),
)
