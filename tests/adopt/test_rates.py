"""Rates of the file are exactly those that Celery reads."""

from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import pytest
from celery.utils.time import rate

from limitkit.adopt.files import module_name, python_files
from limitkit.adopt.rates import NoRateError, of_celery, of_numbers
from limitkit.config.model.units import parse_rate


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("100/m", "100/m"),
        ("0.5/s", "0.5/s"),
        ("10", "10/s"),
        (" 10 /h", "10/h"),
        ("1e2/m", "100/m"),
        ("1_0/s", "10/s"),
        (12, "12/s"),
        (Decimal("0.3333"), "0.3333/s"),
        (Decimal("1E-3"), "0.001/s"),
        (Fraction(100, 60), "5/3s"),
        ("0/m", None),
        (0, None),
        ("", None),
        (None, None),
    ],
)
def test_a_rate_of_celery(value, text):
    assert of_celery(value) == text
    meant = float(value) if isinstance(value, (Decimal, Fraction)) else value
    assert rate(meant) == pytest.approx(float(parse_rate(text).per_second) if text else 0)


@pytest.mark.parametrize("value", ["100/min", "10/d", "x/s", "-1/s", "nan", "inf/s", "200000/s", True, b"1/s"])
def test_no_rate_of_the_file(value):
    with pytest.raises(NoRateError):
        of_celery(value)


@pytest.mark.parametrize(
    ("times", "per", "text"),
    [(2, 60, "2/m"), (2, 900, "2/15m"), (1, 86400, "1/d"), (3, 7, "3/7s"), (1, Fraction(1, 2), "2/s")],
)
def test_so_many_in_so_long(times, per, text):
    assert of_numbers(times, per) == text


def test_modules_are_named_as_they_are_imported(tmp_path):
    for name in ("src/shop/__init__.py", "src/shop/tasks.py", "jobs/nightly.py", "top.py", "node_modules/x.py"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "loop").symlink_to(tmp_path)
    found = [module_name(file, top) for file, top in python_files([tmp_path, tmp_path / "top.py"])]
    assert sorted(found) == ["jobs.nightly", "shop", "shop.tasks", "top"]
    (below, top), *_ = python_files([Path(tmp_path / "jobs")])
    assert module_name(below, top) == "nightly"
