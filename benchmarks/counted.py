"""What it costs to count: tasks a second, and processor time for each, with metrics and without."""

import os

from support.scene import Scene, config, limit
from support.servers import free_port

COUNT = 3000
HIGH = limit("paid", "50000/s", burst=5000)
"""A limit that never holds a task up."""
_TICKS = os.sysconf("SC_CLK_TCK")


def _tree(pid):
    with open(f"/proc/{pid}/task/{pid}/children") as children:  # noqa: PTH123 (no file of ours)
        yield from (pid, *map(int, children.read().split()))


def own_seconds(pid):
    """Return the processor time that a process has used so far, without its children's."""
    with open(f"/proc/{pid}/stat") as stat:  # noqa: PTH123 (no file of ours)
        return sum(map(int, stat.read().rpartition(")")[2].split()[11:13])) / _TICKS


def processor_seconds(scene):
    """Add up what all workers and their pool processes have used so far."""
    return sum(own_seconds(pid) for worker in scene.shop.workers for pid in _tree(worker.process.pid))


def run(task, *, metrics):
    """Let two workers run so many tasks; returns tasks a second, and processor seconds for each."""
    first = free_port()
    env = {"LIMITKIT_METRICS_PORT": f"{first}-{min(first + 9, 65535)}"} if metrics else {}
    with Scene(config(HIGH), env=env) as scene:
        scene.shop.start_workers(2)
        before = processor_seconds(scene)
        scene.send([(task, ())] * COUNT)
        scene.wait_for({task: COUNT}, 120)
        used = processor_seconds(scene) - before
        times = scene.shop.times(task)[COUNT // 3 :]
        return (len(times) - 1) / (times[-1] - times[0]), used / COUNT


def pair():
    """Measure limited tasks, and others, without metrics and with them."""
    sample = {}
    for task, prefix in (("paid", ""), ("free", "free_")):
        (without, used), (counting, used_counting) = (run(task, metrics=each) for each in (False, True))
        sample |= {f"{prefix}ratio": counting / without, f"{prefix}used": used_counting / used}
        sample[f"{prefix}micros"] = 1e6 * used
    return sample
