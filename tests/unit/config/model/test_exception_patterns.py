"""What counts as "slow down", and what does not, whatever a task has raised."""

from __future__ import annotations

import sys
from types import ModuleType, SimpleNamespace

import pytest
from celery.exceptions import Retry

from limitkit.config.model.exception_patterns import fault, refusal


class HTTPError(Exception):
    """As requests has it, with a response."""

    def __init__(self, status=None, **attributes):
        super().__init__(f"{status} for url")
        self.response = SimpleNamespace(status_code=status)
        vars(self).update(attributes)


class ThrottledError(HTTPError):
    """A subclass."""


class OddError(Exception):
    """Raises at whatever is looked at."""

    @property
    def response(self):
        raise RuntimeError

    @property
    def status(self):
        raise RuntimeError

    def __str__(self):
        raise RuntimeError


NAME = f"{__name__}.HTTPError"


@pytest.mark.parametrize("error", [HTTPError(429), ThrottledError(429)])
def test_a_class_by_its_name_and_its_subclasses(error):
    assert refusal(error, [NAME]) is error
    assert refusal(error, [f"{NAME}:429"]) is error
    assert refusal(error, [f"{NAME}:503"]) is None
    assert refusal(error, [f"{__name__}.HTTPErro", "requests.HTTPError", "HTTPError"[:4] + ".x"]) is None


def test_a_class_by_the_name_that_a_package_gives_it(monkeypatch):
    package = ModuleType("shopapi")
    package.HTTPError = HTTPError
    package.errors = SimpleNamespace(ThrottledError=ThrottledError)
    monkeypatch.setitem(sys.modules, "shopapi", package)
    assert refusal(HTTPError(429), ["shopapi.HTTPError:429"])
    assert refusal(HTTPError(429), ["shopapi.errors.ThrottledError"]) is None
    assert refusal(ThrottledError(429), ["shopapi.errors.ThrottledError"])


def test_a_class_that_its_package_loads_late(monkeypatch):
    """As stripe does."""
    asked = []

    def late(name):
        asked.append(name)
        if name == "Refused":
            return ThrottledError
        raise AttributeError(name)

    for name in (__name__.partition(".")[0], "elsewhere"):
        package = ModuleType(name)
        package.__getattr__ = late
        monkeypatch.setitem(sys.modules, name, package)
    here = __name__.partition(".")[0]
    assert refusal(ThrottledError(429), [f"{here}.Refused:429"])
    assert refusal(HTTPError(429), [f"{here}.Refused:429", f"{here}.Other"]) is None
    assert asked == ["Refused", "Refused", "Other"]
    assert refusal(ThrottledError(429), ["elsewhere.Refused"]) is None, "nothing is loaded of other packages"


def test_nothing_is_imported_for_it():
    assert "wave" not in sys.modules
    assert refusal(HTTPError(429), ["wave.Error", "wave.HTTPError"]) is None
    assert "wave" not in sys.modules


@pytest.mark.parametrize("name", ["status_code", "status", "code", "http_status"])
@pytest.mark.parametrize("value", [429, "429"], ids=repr)
def test_a_status_wherever_libraries_have_it(name, value):
    response = SimpleNamespace(**{name: value})
    assert refusal(HTTPError(**{name: value}), [f"{NAME}:429"])
    assert refusal(HTTPError(response=response), [f"{NAME}:429"])
    assert refusal(HTTPError(**{name: f"{value}0"}), [f"{NAME}:429"]) is None
    assert refusal(HTTPError(**{name: lambda: 429}), [f"{NAME}:429"]) is None


@pytest.mark.parametrize("value", [429, "429"], ids=repr)
def test_a_status_where_botocore_has_it(value):
    assert refusal(HTTPError(response={"ResponseMetadata": {"HTTPStatusCode": value}}), [f"{NAME}:429"])
    for response in ({}, {"ResponseMetadata": None}, {"ResponseMetadata": {"HTTPStatusCode": [value]}}, [value]):
        assert refusal(HTTPError(response=response), [f"{NAME}:429"]) is None


@pytest.mark.parametrize("unless", ["re:insufficient_quota", f"{__name__}.ThrottledError", f"{NAME}:429"])
def test_what_looks_like_it_and_is_not(unless):
    error = ThrottledError(429)
    error.args = ("429: insufficient_quota",)
    assert refusal(error, [NAME]) is error
    assert refusal(error, [NAME], ["re:out of money", f"{NAME}:402", unless]) is None
    outer = ValueError("no answer")
    outer.__cause__ = error
    assert refusal(outer, [NAME], [unless]) is None, "nor is it, where it lies behind another"
    outer.args, error.args = error.args, ("429",)
    assert refusal(outer, [NAME], ["re:insufficient_quota"]) is None, "nor where what lies before it says so"
    assert refusal(Retry(exc=error), [NAME], ["re:Retry"]) is error, "a retry's own text says nothing"


def test_a_pattern_is_searched_in_its_text():
    error = ValueError("code 5: THROTTLED, come again")
    assert refusal(error, ["re:THROTTLED"]) is error
    assert refusal(error, ["re:^THROTTLED"]) is None
    assert refusal(ValueError("x" * 10_000 + "THROTTLED"), ["re:THROTTLED"]) is None, "only so much of it"


def test_what_a_retry_carries_and_what_was_the_cause():
    refused = HTTPError(429)
    caused = ValueError("no answer")
    caused.__cause__ = refused
    assert refusal(Retry(exc=refused), [NAME]) is refused
    assert refusal(Retry(exc=caused), [f"{NAME}:429"]) is refused
    assert refusal(Retry("THROTTLED"), ["re:THROTTLED"]) is None
    assert refusal(Retry(exc=None), [NAME]) is None
    around = caused.__cause__.__cause__ = ValueError("round")
    around.__cause__ = caused
    assert refusal(caused, ["a.B"]) is None, "it ends"


def test_what_raises_itself_is_like_nothing():
    assert refusal(OddError(), [f"{NAME}:429", "re:.", f"{__name__}.OddError:429"]) is None
    assert refusal(OddError(), [f"{__name__}.OddError"])


@pytest.mark.parametrize("text", ["a.B", "a.b.C_1:429", "ä.B", "re:", "re:.*", "re:" + "x" * 200])
def test_what_can_be_said(text):
    assert fault(text) is None


@pytest.mark.parametrize(
    "text", ["", "B", "a.", ".B", "a.B:", "a.B:42", "a.B:600", "a.B:4290", "a b.C", "a.B\n", "re:(", "re:" + "x" * 201]
)
def test_what_cannot(text):
    assert fault(text)
