"""What clients of others really raise when a server refuses: what it looks like, and for how long they are to wait."""

from __future__ import annotations

import asyncio
import datetime as dt
import gc
import json
import threading
import urllib.request
import warnings
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from limitkit.config.model.exception_patterns import refusal
from limitkit.feedback.retry_after import retry_after

pytestmark = [
    pytest.mark.filterwarnings("ignore::FutureWarning"),  # what they say of Pythons that they will drop
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),  # and which connections they leave to the garbage collector
]

NOW = dt.datetime(2031, 5, 6, 7, 8, 9, tzinfo=dt.timezone.utc)
"""By the server's clock, which goes at no pace."""


class Refusing:
    """A server that refuses all that it is asked, in one way at a time."""

    def __init__(self):
        refusing = self
        self.status, self.headers, self.body, self.kind = 429, {}, b"{}", "application/json"

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                self.rfile.read(int(self.headers.get("Content-Length") or 0))
                self.send_response(refusing.status)
                for name, value in refusing.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Type", refusing.kind)
                self.send_header("Content-Length", str(len(refusing.body)))
                self.end_headers()
                self.wfile.write(refusing.body)

            def do_POST(self):
                self.do_GET()

            def date_time_string(self, timestamp=None):  # noqa: ARG002 (what it answers with is no file)
                return format_datetime(NOW, usegmt=True)

            def log_message(self, *_):
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def met(self, call, on, headers=None, body=None, *, status=429, kind="application/json"):
        """Have a client meet it; returns the exception, whether it says "slow down", and for how long to wait."""
        self.status, self.headers, self.kind = status, headers or {}, kind
        self.body = json.dumps(body if body is not None else {}).encode()
        with pytest.raises(Exception) as caught:
            call(self.url)
        error = caught.value
        return error, refusal(error, on) is error, retry_after(error, on)


@pytest.fixture(scope="module")
def server():
    with Refusing() as refusing:
        yield refusing
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            gc.collect()


def by_openai(url):
    import openai

    with openai.OpenAI(api_key="x", base_url=url, max_retries=0) as client:
        client.chat.completions.create(model="m", messages=[])


def by_anthropic(url):
    import anthropic

    with anthropic.Anthropic(api_key="x", base_url=url, max_retries=0) as client:
        client.messages.create(model="m", max_tokens=1, messages=[])


def by_botocore(url):
    import botocore.config
    import botocore.session

    once = botocore.config.Config(retries={"total_max_attempts": 1})
    keys = {"aws_access_key_id": "a", "aws_secret_access_key": "b"}
    session = botocore.session.get_session()
    client = session.create_client("dynamodb", region_name="eu-west-1", endpoint_url=url, config=once, **keys)
    try:
        client.list_tables()
    finally:
        client.close()


def by_stripe(url):
    import stripe

    http = stripe.HTTPXClient(allow_sync_methods=True)
    stripe.StripeClient("sk_test", base_addresses={"api": url}, http_client=http).v1.customers.list()


def by_requests(url):
    import requests

    requests.get(url, timeout=10).raise_for_status()


def by_httpx(url):
    import httpx

    httpx.get(url).raise_for_status()


def by_aiohttp(url):
    import aiohttp

    async def ask():
        async with aiohttp.ClientSession() as session, session.get(url) as answer:
            answer.raise_for_status()

    asyncio.run(ask())


def by_urllib(url):
    urllib.request.urlopen(url)


def by_google(url):
    import requests
    from google.api_core.exceptions import from_http_response

    raise from_http_response(requests.get(url, timeout=10))


def by_slack(url):
    from slack_sdk import WebClient

    WebClient(token="x", base_url=f"{url}/", retry_handlers=[]).api_test()


def by_azure(url):
    from azure.core import PipelineClient
    from azure.core.rest import HttpRequest

    with PipelineClient(url, policies=[]) as client:
        client.send_request(HttpRequest("GET", url)).raise_for_status()


SOON = {"Retry-After": "7"}


@pytest.mark.parametrize(
    ("call", "on"),
    [
        (by_openai, "openai.RateLimitError"),
        (by_openai, "openai.APIStatusError:429"),
        (by_anthropic, "anthropic.RateLimitError"),
        (by_anthropic, "anthropic.APIStatusError:429"),
        (by_botocore, "botocore.exceptions.ClientError:429"),
        (by_stripe, "stripe.RateLimitError"),
        (by_stripe, "stripe.StripeError:429"),
        (by_requests, "requests.HTTPError:429"),
        (by_httpx, "httpx.HTTPStatusError:429"),
        (by_aiohttp, "aiohttp.ClientResponseError:429"),
        (by_urllib, "urllib.error.HTTPError:429"),
        (by_google, "google.api_core.exceptions.TooManyRequests"),
        (by_google, "google.api_core.exceptions.ClientError:429"),
        (by_slack, "slack_sdk.errors.SlackApiError:429"),
        (by_azure, "azure.core.exceptions.HttpResponseError:429"),
    ],
)
def test_a_refusal_by_its_name_and_its_status(server, call, on):
    error, met, wait = server.met(call, [on], SOON, {"ok": False, "error": {"message": "too fast"}})
    assert (met, wait) == (True, 7.0)
    assert refusal(error, ["builtins.Exception:503"]) is None


def of_openai(**left):
    resets = {"requests": "1s", "tokens": "6m0s"}
    return {
        **{f"x-ratelimit-reset-{name}": reset for name, reset in resets.items()},
        **{f"x-ratelimit-remaining-{name}": left[name] for name in resets},
    }


TRY_AGAIN = "re:try again in (?P<wait>[0-9a-z.]+)"
LIMITED = {
    "error": {"message": "Rate limit reached. Please try again in 20s. Visit us.", "code": "rate_limit_exceeded"}
}
NO_MONEY = {"error": {"message": "You exceeded your current quota.", "code": "insufficient_quota"}}


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        (of_openai(requests="0", tokens="149984"), 1.0),
        (of_openai(requests="59", tokens="0"), 360.0),
        (of_openai(requests="59", tokens="149984"), None),
        ({**of_openai(requests="59", tokens="0"), "retry-after-ms": "450", "retry-after": "1"}, 0.45),
    ],
)
def test_openai_says_when_which_quota_comes_back(server, headers, seconds):
    _, met, wait = server.met(by_openai, ["openai.RateLimitError"], headers, LIMITED)
    assert (met, wait) == (True, seconds)


def test_openai_says_it_in_a_sentence_too_and_by_the_same_exception_that_nothing_is_paid(server):
    error, met, wait = server.met(
        by_openai, ["openai.RateLimitError", TRY_AGAIN], of_openai(requests="0", tokens="0"), LIMITED
    )
    assert (met, wait) == (True, 20.0)
    assert refusal(error, ["openai.RateLimitError"], ["re:insufficient_quota"]) is error
    error, met, wait = server.met(by_openai, ["openai.RateLimitError", TRY_AGAIN], {}, NO_MONEY)
    assert (met, wait) == (True, None)
    assert refusal(error, ["openai.RateLimitError"], ["re:exceeded your current quota"]) is None


def test_anthropic_says_at_what_time(server):
    def at(seconds):
        time = NOW + dt.timedelta(seconds=seconds)
        return time.isoformat(timespec="seconds").replace("+00:00", "Z")

    headers = {}
    for name, seconds, left in (
        *(("requests", 10, "0"), ("tokens", 300, "4000")),
        *(("input-tokens", 40, "0"), ("output-tokens", 200, "7")),
    ):
        headers[f"anthropic-ratelimit-{name}-reset"] = at(seconds)
        headers[f"anthropic-ratelimit-{name}-remaining"] = left
    body = {"type": "error", "error": {"type": "rate_limit_error", "message": "too fast"}}
    _, met, wait = server.met(by_anthropic, ["anthropic.RateLimitError"], headers, body)
    assert met
    assert wait == 40


def test_services_of_aws_refuse_with_another_status_too_and_say_why(server):
    body = {"__type": "com.amazon.coral#ThrottlingException", "message": "Rate exceeded"}
    kind = "application/x-amz-json-1.0"
    names = ["botocore.exceptions.ClientError:429", "re:Throttling|TooManyRequests|SlowDown"]
    error, met, wait = server.met(by_botocore, names, SOON, body, status=400, kind=kind)
    assert (met, wait) == (True, 7.0)
    assert refusal(error, names[:1]) is None
    assert refusal(error, ["botocore.exceptions.ClientError:400"]) is error


def test_google_says_it_in_its_details(server):
    info = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "34.5s"}
    body = {"error": {"code": 429, "message": "Quota exceeded", "details": [{"reason": "x"}, info]}}
    name = "google.api_core.exceptions.TooManyRequests"
    assert server.met(by_google, [name], {}, body)[1:] == (True, 34.5)

    from google.api_core.exceptions import ResourceExhausted
    from google.protobuf.duration_pb2 import Duration
    from google.rpc.error_details_pb2 import ErrorInfo, RetryInfo

    delay = RetryInfo(retry_delay=Duration(seconds=3, nanos=500_000_000))
    assert retry_after(ResourceExhausted("over gRPC", details=[ErrorInfo(reason="x"), delay])) == 3.5
    assert retry_after(ResourceExhausted("over gRPC", details=[ErrorInfo(reason="x")])) is None


@pytest.mark.parametrize("call", [by_requests, by_httpx, by_aiohttp, by_urllib])
@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        (
            {"X-RateLimit-Reset-After": "1.336", "X-RateLimit-Reset": "1470173023.123", "X-RateLimit-Remaining": "0"},
            1.336,
        ),
        ({"X-RateLimit-Reset": "30", "X-RateLimit-Remaining": "0"}, 30.0),
        ({"X-Rate-Limit-Reset": "30", "X-Rate-Limit-Remaining": "3"}, None),
        ({"X-MS-Retry-After-MS": "450"}, 0.45),
        ({"Retry-After": "Fri, 31 Dec 1999 23:59:59 GMT"}, 0.0),
    ],
)
def test_headers_of_other_services_by_plain_clients(server, call, headers, seconds):
    _, met, wait = server.met(call, ["re:429"], headers)
    assert (met, wait) == (True, seconds)
