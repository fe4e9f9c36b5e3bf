"""Processes of a pool are killed in mid-task, more often than the pool has processes."""

from collections import Counter
from itertools import pairwise
from statistics import median

from support.measure import excess, promised
from support.servers import RedisServer
from support.workers import Shop, wait_until

RATE, EACH, CONCURRENCY = 20, 80, 3
DEADLY = range(5, EACH, 20)
"""Which messages of each kind kill their process."""
TOML = f"""version = 1

[tasks.late]
strategy = "token_bucket"
rate = "{RATE}/s"

[tasks.early]
strategy = "static"
rate = "{RATE}/s"
"""


def ids(shop, event):
    return {start.id for start in shop.starts(event)}


def test_the_lanes_go_on_and_no_process_is_missing(tmp_path):
    with (
        RedisServer(tmp_path) as broker,
        Shop(tmp_path, broker.url, TOML, module="support.fault_app") as shop,
    ):
        shop.start_worker(concurrency=CONCURRENCY)
        sent = {"late": [], "early": []}
        for number in range(EACH):
            for task, results in sent.items():
                results.append(shop.send(task, kwargs={"dies": number in DEADLY}).id)
        lost = {sent["early"][number] for number in DEADLY}  # acknowledged before it started: Celery gives it up
        wait_until(lambda: ids(shop, "late.ended") == set(sent["late"]))
        wait_until(lambda: ids(shop, "early.ended") == set(sent["early"]) - lost)
        redelivered = {sent["late"][number] for number in DEADLY}
        for task, again in (("late", redelivered), ("early", lost)):
            starts = Counter(start.id for start in shop.starts(task))
            assert starts.keys() == set(sent[task])
            # Celery itself starts those again of whose start it had not heard when their process was killed.
            assert {each for each, times in starts.items() if times > 1} <= again
        for task in sent:
            times = shop.times(task)
            assert excess(times, RATE) <= promised(RATE)
            # Between two kills the lane goes on at its rate, however long a busy machine needs for new processes.
            assert median(later - earlier for earlier, later in pairwise(sorted(times))) <= 3 / RATE
