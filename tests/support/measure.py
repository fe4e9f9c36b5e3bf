"""What a run of starts says about its limit."""

from itertools import pairwise


def excess(times, rate):
    """The most, over all windows, of starts - rate x window: a limit holds when it is at most the burst."""
    lowest, most = float("inf"), float("-inf")
    for number, at in enumerate(sorted(times)):
        lowest = min(lowest, number - rate * at)
        most = max(most, number + 1 - rate * at - lowest)
    return most


def promised(rate, burst=1):
    """The most by which the starts of any window may go over rate x window."""
    return burst + rate * 0.05 + 1


def efficiency(times, rate, burst):
    """Ideal drain time over the measured one, for a backlog that was there from the first start on."""
    times = sorted(times)
    return (len(times) - burst) / rate / (times[-1] - times[0])


def waited(starts, interval):
    """Whether each of these starts came a slot after the one before; a stalled machine may narrow a gap a little."""
    times = sorted(start.at for start in starts)
    return len(times) > 1 and all(later - earlier >= 0.7 * interval for earlier, later in pairwise(times))
