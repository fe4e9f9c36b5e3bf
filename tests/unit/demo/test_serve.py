"""What the demo's page answers, and to whom."""

import json
import urllib.error
import urllib.request

import pytest

from limitkit.demo.serve import Page, is_here


@pytest.fixture(scope="module")
def page():
    with Page(0) as page:
        page.show(lambda: {"limits": []})
        yield page


def get(page, path="/", method="GET", **headers):
    request = urllib.request.Request(f"http://127.0.0.1:{page.port}{path}", method=method, headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, answer.headers, answer.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.headers, error.read()


def test_it_is_answered_here(page):
    for host in ("127.0.0.1", "localhost", "[::1]"):
        status, headers, body = get(page, Host=f"{host}:{page.port}")
        assert (status, headers["Content-Type"]) == (200, "text/html; charset=utf-8")
        assert b"<html" in body
    status, headers, body = get(page, "/data.json")
    assert (status, headers["Cache-Control"], json.loads(body)) == (200, "no-store", {"limits": []})
    assert get(page, "/data.json", "HEAD")[::2] == (200, b"")
    assert get(page, "/else")[0] == 404
    assert get(page, "/data.json", "POST")[0] == 405


def test_other_names_get_nothing(page):
    for path in ("/", "/data.json", "/else"):
        status, _, body = get(page, path, Host=f"rebound.example:{page.port}")
        assert (status, body.decode()) == (
            421,
            f"This page is for this machine alone: open http://127.0.0.1:{page.port}/\n",
        )


@pytest.mark.parametrize("host", ["localhost", "LocalHost", "127.0.0.1", "127.1.2.3", "[::1]"])
def test_names_of_here(host):
    assert is_here(f"{host}:8085", 8085)
    assert not is_here(f"{host}:8086", 8085)
    assert not is_here(host, 8085)


@pytest.mark.parametrize(
    "host",
    [
        "",
        ":8085",
        "rebound.example:8085",
        "localhost.example:8085",
        "127.0.0.1.example:8085",
        "me@127.0.0.1:8085",
        "127.0.0.1:8085,rebound.example:8085",
        "rebound.example:8085,127.0.0.1:8085",
        "10.0.0.1:8085",
        "0.0.0.0:8085",
        "[::]:8085",
        "[fe80::1%lo]:8085",
        "::1:8085",
        "127.0.0.1:08085",
        "localhost:8085 ",
    ],
)
def test_names_of_elsewhere(host):
    assert not is_here(host, 8085)
