"""Bins of a chart, against what is counted in the plainest way."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from limitkit.trial.outcome import Run
from limitkit.trial.series import MOST_BINS, bin_of, series_of

TICKS = st.integers(0, 400).map(lambda tick: tick / 10)


@st.composite
def runs(draw):
    found = []
    for number, at in enumerate(sorted(draw(st.lists(TICKS, max_size=25)))):
        run = Run(number, "a", at, "celery")
        if draw(st.booleans()):
            run.starts, run.fate = [round(at + draw(TICKS), 6)], "started"
        found.append(run)
    return found


def waiting_at(found, moment):
    return sum(run.sent <= moment and (not run.starts or run.starts[0] > moment) for run in found)


@given(runs(), st.integers(1, 60))
def test_bins_have_all_starts_and_the_most_that_waited_in_each(found, most):
    times = [run.sent for run in found] + [at for run in found for at in run.starts]
    series = series_of(found, max(times, default=0.0), most)
    assert len(series.starts) == len(series.backlog) <= most
    assert sum(series.starts) == sum(len(run.starts) for run in found)
    micros = round(series.bin * 1_000_000)
    for number, (starts, backlog) in enumerate(zip(series.starts, series.backlog, strict=True)):
        last = number == len(series.starts) - 1
        begin, end = number * micros, None if last else (number + 1) * micros
        here = [at for at in times if begin <= round(at * 1_000_000) and (end is None or round(at * 1_000_000) < end)]
        begun = [at for run in found for at in run.starts if at in here]
        assert starts == len(begun)
        assert backlog == max(waiting_at(found, moment) for moment in [begin / 1_000_000, *here])


@given(st.floats(0, 1e9), st.integers(1, 500))
def test_no_more_bins_than_wanted_and_none_that_is_needlessly_long(seconds, most):
    length = bin_of(seconds, most)
    assert length * most >= seconds * (1 - 1e-9)
    if seconds >= 10:
        assert length >= 1


@pytest.mark.parametrize(
    ("seconds", "most", "length"),
    [(0, 70, 0.001), (0.5, 70, 0.05), (9, 70, 0.9), (70, 70, 1), (71, 70, 2), (3600, 72, 60), (86400, 70, 1800)],
)
def test_bins_are_of_a_round_length(seconds, most, length):
    assert bin_of(seconds, most) == pytest.approx(length, rel=0.2)


@pytest.mark.parametrize("most", [0, MOST_BINS + 1])
def test_too_many_bins_are_refused(most):
    with pytest.raises(ValueError, match="there can't be"):
        series_of([], 1.0, most)
