"""What people write for a part of the declared rates, and what they are told to write."""

from fractions import Fraction

import pytest

from limitkit.buckets.override import OverrideError
from limitkit.control.inputs import factor, rate, seconds


@pytest.mark.parametrize("number", [1, 1.0, 0.5, 0.001])
def test_a_factor(number):
    assert factor(number) == Fraction(str(number))


@pytest.mark.parametrize(
    ("said", "hint"),
    [
        ("50%", "for 50% write 0.5"),
        ("50 %", "for 50 % write 0.5"),
        ("12.5%", "for 12.5% write 0.125"),
        (50, "for 50 percent write 0.5"),
        ("100%", "for 100% write 1"),
        ("0,5", "for 0,5 write 0.5"),
        ("1/2", "for 1/2 write 0.5"),
        *(
            (said, "write a number above 0, at most 1: 0.5")
            for said in (
                "half",
                "",
                "150%",
                "0%",
                "-50%",
                "1/0",
                "3/2",
                2,
                1.5,
                -0.5,
                0,
                float("nan"),
                1e400,
                True,
                "9" * 99,
            )
        ),
    ],
)
def test_what_is_none(said, hint):
    with pytest.raises(OverrideError) as caught:
        factor(said)
    assert str(caught.value) == f"a factor of {said!r} is out of range; {hint}"


@pytest.mark.parametrize(
    ("said", "wanted"), [("3", "3/s"), ("10/min", "10/m"), ("600 rpm", "600/m"), ("fast", "10/s"), ("x" * 999, "10/s")]
)
def test_a_rate_that_is_none_is_hinted_at_as_in_the_file(said, wanted):
    with pytest.raises(OverrideError, match=f'is not a rate; write .* e.g. "{wanted}"$') as caught:
        rate(said)
    assert len(str(caught.value)) < 200


def test_a_rate_of_nothing_is_a_pause():
    with pytest.raises(OverrideError, match="or pause the limit"):
        rate("0/s")


@pytest.mark.parametrize(("said", "wanted"), [("2", "2s"), ("2 hours", "2h"), ("1w", "7d"), ("ever", "250ms")])
def test_a_time_that_is_none_is_hinted_at_as_in_the_file(said, wanted):
    with pytest.raises(OverrideError, match=f'is not a duration; write .* e.g. "{wanted}"$'):
        seconds(said)
