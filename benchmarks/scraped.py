"""What a scrape of many limits costs."""

import statistics
import time

from support.scene import Scene, config, limit
from support.scrape import PREFIX, text_of
from support.servers import free_port

LIMITS = 500
TIMES = 20


def scrapes():
    """Let a task of each limit start, and then scrape again and again."""
    port = free_port()
    env = {"LIMITKIT_METRICS_PORT": str(port), "MANY_TASKS": str(LIMITS)}
    with Scene(config(limit('"many.*"', "10/s")), module="support.seen_app", env=env) as scene:
        scene.shop.start_worker()
        scene.send([(f"many.{number}", ()) for number in range(LIMITS)])
        scene.wait(lambda: sum(scene.counts.values()) == LIMITS)
        time.sleep(1)  # what pool processes have told is there by then, and nothing else happens
        seconds = []
        for _ in range(TIMES):
            before = time.perf_counter()
            text = text_of(port)
            seconds.append(time.perf_counter() - before)
        samples = sum(line.startswith(PREFIX) for line in text.splitlines())
        return {"millis": 1000 * statistics.median(seconds), "samples": samples}
