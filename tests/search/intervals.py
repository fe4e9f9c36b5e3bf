"""Stretches of time, in order and apart from each other."""

from __future__ import annotations

Intervals = list[tuple[float, float]]


def joined(those: Intervals) -> Intervals:
    """Put those together that touch."""
    found: Intervals = []
    for begin, end in sorted(those):
        if found and begin <= found[-1][1] + 1e-9:
            found[-1] = (found[-1][0], max(end, found[-1][1]))
        else:
            found.append((begin, end))
    return found


def intersect(those: Intervals, others: Intervals) -> Intervals:
    """Return what is in both."""
    found, at = [], 0
    for begin, end in those:
        while at < len(others) and others[at][1] <= begin:
            at += 1
        place = at
        while place < len(others) and others[place][0] < end:
            found.append((max(begin, others[place][0]), min(end, others[place][1])))
            place += 1
    return found


def minus(those: Intervals, others: Intervals) -> Intervals:
    """Return what is in the first and in none of the others."""
    found = those
    for begin, end in others:
        found = [
            piece
            for since, until in found
            for piece in ((since, min(until, begin)), (max(since, end), until))
            if piece[0] < piece[1]
        ]
    return found
