"""The limit of a queue: all that comes from there starts at its rate, whatever tasks they are."""

from dataclasses import dataclass

from support.measure import efficiency, excess
from support.pools import PREFORK
from support.scenarios.running import APP
from support.scene import Scene, config

KINDS = 10
OWN, OWN_RATE = "mail.9", 2


@dataclass(frozen=True)
class Queue:
    efficiency: float
    excess: float
    other_span: float
    """From the first to the last start from the other queue, of the tasks without a limit of their own."""
    other_done: float
    """Part of the limited queue's starts that were made when the last of those was."""
    own_excess: float
    """Of the task with a limit of its own, from both queues."""
    lost: int
    twice: int


def queue(each=60, rate=30, burst=3, *, pool=PREFORK):
    """Drain so many tasks of ten kinds from a queue with a limit, and as many from another."""
    limits = f"""
        [limits.smtp]
        strategy = "token_bucket"
        rate = "{rate}/s"
        burst = {burst}

        [queues.emails]
        limits = ["smtp"]

        [tasks."{OWN}"]
        strategy = "token_bucket"
        rate = "{OWN_RATE}/s"
        """
    names = [f"mail.{number}" for number in range(KINDS)]
    # Of the task with a limit of its own there are so many that it does not make the drain longer.
    few = max(1, int(each * KINDS / rate * OWN_RATE / 4))
    messages = [(name, ()) for _ in range(each) for name in names if name != OWN]
    step = len(messages) // few
    for number in range(few):
        messages.insert(number * (step + 1), (OWN, ()))
    with Scene(config(limits), pool=pool, module=APP) as scene:
        for _ in range(2):
            scene.shop.start_worker("-Q", "emails,celery", wait=False)
        for worker in scene.shop.workers:
            worker.wait_ready()
        scene.send(messages, queue="emails")
        scene.send(messages)
        count = len(messages)
        scene.wait(lambda: scene.labels["emails"] >= count and scene.labels["celery"] >= count, 60 + 3 * count / rate)
        starts = scene.shop.starts()
        emails = [start.at for start in starts if start.label == "emails"]
        others = [start.at for start in starts if start.label == "celery" and start.task != OWN]
        return Queue(
            efficiency=efficiency(emails, rate, burst),
            excess=excess(emails, rate),
            other_span=others[-1] - others[0],
            other_done=sum(at < others[-1] for at in emails) / count,
            own_excess=excess([start.at for start in starts if start.task == OWN], OWN_RATE),
            **scene.tally(),
        )
