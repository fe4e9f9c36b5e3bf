"""What a run of starts says about its limit."""

JITTER = 0.05
"""Seconds by which a window may be longer than it looks."""


def excess(times, rate):
    """The most, over all windows, of starts - rate x window: a limit holds when it is at most the burst."""
    lowest, most = float("inf"), float("-inf")
    for number, at in enumerate(sorted(times)):
        lowest = min(lowest, number - rate * at)
        most = max(most, number + 1 - rate * at - lowest)
    return most


def promised(rate, burst=1):
    """The most by which the starts of any window may go over rate x window."""
    return burst + rate * JITTER + 1


def efficiency(times, rate, burst):
    """Ideal drain time over the measured one, for a backlog that was there from the first start on."""
    times = sorted(times)
    return (len(times) - burst) / rate / (times[-1] - times[0])


def waited(starts, interval, since=None):
    """Whether each of these starts had a slot of its own, one after the other from when the first was sent.

    A start may come late for its slot, on a busy machine much later, but never early. So gaps between starts say
    little, but the n-th start can't come before the n-th slot, and no window holds more than a limit promises.
    ``since`` is a moment before the first slot, where these were not sent from this process.
    """
    times = sorted(start.at for start in starts)
    if since is None:
        since = min(start.sent for start in starts if start.sent is not None)
    in_turn = all(at >= since + number * interval - JITTER for number, at in enumerate(times))
    return len(times) > 1 and in_turn and excess(times, 1 / interval) <= promised(1 / interval)


def most_at_once(spans):
    """The most that ran at once, of runs from a first line to a last one."""
    running = most = 0
    # What begins in the moment of another's end does not overlap it.
    for _, step in sorted((at, step) for begun, ended in spans for at, step in ((begun, 1), (ended, -1))):
        running += step
        most = max(most, running)
    return most


def most_within(times, seconds):
    """The most starts in any stretch of so many seconds, without the moment at which it ends."""
    times, first, most = sorted(times), 0, 0
    for number, at in enumerate(times):
        while times[first] <= at - seconds:
            first += 1
        most = max(most, number + 1 - first)
    return most
