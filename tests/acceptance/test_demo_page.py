"""``limitkit demo --serve``: the page as a browser shows it, and metrics of the demo's workers."""

import contextlib
import json
import re
import signal
import socket
import subprocess
import urllib.request

import pytest
from support.demo import COMMAND
from support.needed import needed
from support.scrape import scrape
from support.workers import wait_until

CHROMIUM = ("chromium", "chromium-browser", "google-chrome")
OPTIONS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
)


@pytest.fixture(scope="module")
def demo():
    process = subprocess.Popen(
        [*COMMAND, "--serve", "--port", "0"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # A shell lets what it starts in the background ignore Ctrl-C.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),  # noqa: PLW1509
    )
    lines = []
    try:
        for line in process.stderr:
            lines.append(line)
            if "Ctrl-C" in line:
                break
        process.url = re.search(r"http://\S+/", "".join(lines))[0]
        yield process
    finally:
        process.send_signal(signal.SIGINT)
        said, complaints = process.communicate(timeout=60)
        # Whether starts were late on a busy machine is for the demo to say, and its exit status has to say the same.
        assert process.returncode == int("ach limit was kept" not in said), said
        assert re.search(r"^limit .* waiting$", said, re.MULTILINE)
        assert re.search(r"[\d,]+ of [\d,]+ tasks waited when it was stopped", said)
        assert "lost" not in said
        assert complaints.strip() == ""


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    found = needed(*CHROMIUM, package="chromium")
    profile = tmp_path_factory.mktemp("profile")

    def look(url, *options):
        command = [found, *OPTIONS, f"--user-data-dir={profile}", "--virtual-time-budget=6000", *options, url]
        done = subprocess.run(command, capture_output=True, text=True, timeout=90, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    return look


def data(demo):
    with urllib.request.urlopen(f"{demo.url}data.json", timeout=10) as answer:
        return json.load(answer)


def test_the_page_draws_each_limit(demo, browser):
    drawn = wait_until(lambda: (seen := data(demo))["running"] > 6 and seen, 40)
    page = browser(demo.url, "--dump-dom")
    names = re.findall(r'data-limit="(\w+)"', page)
    assert names == [limit["name"] for limit in drawn["limits"]]
    assert len(names) == 6
    curves = re.findall(r'class="curve" d="M([^"]+)"', page)
    assert len(curves) == 6
    for curve in curves:
        heights = {point.split(",")[1] for point in curve.split("L")}
        assert len(curve.split("L")) == drawn["seconds"]
        assert len(heights) > 1, "nothing started"
        assert "NaN" not in curve
    assert re.findall(r">(\d+)/s allowed<", page) == ["12", "20", "10", "25", "40"]
    assert "25/s, burst 20 in all workers together" in page
    assert "no limit: flows past the others" in page
    assert re.search(r'id="error"></span>', page), "a script failed"
    assert "tasks started, none twice" in page


def test_what_it_draws_is_what_happens(demo):
    def drawn():
        limits = {limit["name"]: limit for limit in data(demo)["limits"]}
        return sum(limits["stripe_api"]["starts"]) > 25 and limits

    limits = wait_until(drawn, 40)
    assert limits["stripe_api"]["allowed"] == 25
    assert limits["call_external_api"]["allowed"] == 12
    assert limits["user_api_request"]["allowed"] == 40
    assert limits["update_search_index"]["allowed"] is None
    for limit in limits.values():
        assert sum(limit["starts"]) <= limit["sent"] - limit["waiting"]
        assert limit["kept"] is not False


def test_its_workers_show_metrics(demo):
    """Of the ports that are free on this host, where another demo may run too."""

    def shown():
        found = []
        for port in range(9545, 9555):
            with contextlib.suppress(OSError):
                found.append(scrape(port).get(("starts_total", "stripe_api"), 0))
        return sum(starts > 0 for starts in found) >= 2

    wait_until(shown)


def test_a_port_that_is_taken():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        said = subprocess.run(
            [*COMMAND, "--serve", "--port", str(port)], capture_output=True, text=True, check=False, timeout=90
        )
    assert (said.returncode, said.stdout) == (2, "")
    fact = f"the port {port} of 127.0.0.1 can't be had (Address already in use); name another: --port"
    assert said.stderr == f"limitkit: {fact}\n"  # before anything was started
