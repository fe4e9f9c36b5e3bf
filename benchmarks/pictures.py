"""Draws docs/dashboard.png and docs/demo.png: ``python -m benchmarks.pictures``.

A real Prometheus scrapes the workers of ``limitkit demo --serve`` and the exporter for some minutes, in which one limit
is slowed down for a while. Then queries of the dashboard in examples/monitoring are asked of it, for that limit alone,
and drawn as Grafana would draw them.
"""

import contextlib
import json
import re
import signal
import subprocess
import sys
import tempfile
import time
import urllib.parse
import urllib.request
from pathlib import Path

import matplotlib as mpl
import redis
from PIL import Image
from support.servers import free_port
from support.workers import ROOT

mpl.use("Agg")
from matplotlib import pyplot as plt

SECONDS, STEP = 240, 1
LIMIT, SLOWER = "stripe_api", "10/s"
SET_AT, SET_FOR = 60, 60
"""Seconds after which the limit is slowed down, but for the time that the command takes, and for how long."""
PANELS = {"Starts, and what is allowed": "starts a second", "Waiting": "tasks", "Time to drain": "seconds"}
"""What is drawn, and in which unit."""
COLORS = ("#1f6fb2", "#e07b00")
DASHBOARD = ROOT / "examples" / "monitoring" / "grafana" / "dashboards" / "limitkit.json"
PICTURE = ROOT / "docs" / "dashboard.png"
PAGE = ROOT / "docs" / "demo.png"
COMMAND = (sys.executable, "-c", "from limitkit.cli import main; main()")
CONFIG = """
global: {{ scrape_interval: 1s }}
scrape_configs:
  - job_name: workers
    static_configs: [{{ targets: ["127.0.0.1:9545", "127.0.0.1:9546"] }}]
  - job_name: exporter
    static_configs: [{{ targets: ["127.0.0.1:{exporter}"] }}]
"""


@contextlib.contextmanager
def running(*command, **options):
    process = subprocess.Popen(command, **options)
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)


def address_of_redis(demo):
    """Find the Redis that the demo started."""
    children = subprocess.run(["pgrep", "-P", str(demo.pid), "-a"], capture_output=True, text=True, check=True).stdout
    port = re.search(r"redis-server \S*?:(\d+)", children) or re.search(r"--port (\d+)", children)
    return f"redis://127.0.0.1:{port[1]}/0"


def ask(port, query, start, end):
    words = urllib.parse.urlencode({"query": query, "start": start, "end": end, "step": STEP})
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/api/v1/query_range?{words}") as answer:
        return json.load(answer)["data"]["result"]


def curves(port, start, end):
    """Return the curves of each panel: the name in its legend, and the points, in seconds from the start."""
    panels = {panel["title"]: panel for panel in json.loads(DASHBOARD.read_text())["panels"] if panel["type"] != "stat"}
    found = {}
    for title in PANELS:
        found[title] = {}
        for target in panels[title]["targets"]:
            query = target["expr"].replace("$__rate_interval", "6s").replace("$limit", LIMIT)
            for series in ask(port, query, start, end):
                name = target["legendFormat"].replace("{{limit}}", series["metric"].get("limit", ""))
                found[title][name] = [(float(at) - start, float(value)) for at, value in series["values"]]
    return found


def draw(found, slower_from):
    titles = {"axes.titlesize": 12, "axes.titleweight": "bold", "axes.titlelocation": "left"}
    mpl.rcParams.update({"font.size": 11, **titles})
    figure, axes = plt.subplots(
        len(PANELS), figsize=(10, 7), sharex=True, height_ratios=(1.3, 1, 1), layout="constrained"
    )
    for place, (title, unit) in zip(axes, PANELS.items(), strict=True):
        for (name, points), color in zip(found[title].items(), COLORS, strict=False):
            dashed = "allowed" in name
            place.plot(*zip(*points, strict=True), "--" if dashed else "-", color=color, linewidth=1.8, label=name)
        place.axvspan(slower_from, slower_from + SET_FOR, color="#888888", alpha=0.12, linewidth=0)
        place.set(title=title, ylabel=unit, xlim=(0, SECONDS), xticks=range(0, SECONDS + 1, 30))
        place.set_ylim(bottom=0)
        place.grid(alpha=0.25)
        place.spines[["top", "right"]].set_visible(False)
        place.legend(frameon=False, loc="upper left", bbox_to_anchor=(1.0, 1.0))
    said = f"limitkit set {LIMIT} {SLOWER}\n--for {SET_FOR}s"
    axes[0].set_ylim(top=1.25 * axes[0].get_ylim()[1])
    middle = slower_from + SET_FOR / 2
    axes[0].text(
        middle, 0.96, said, transform=axes[0].get_xaxis_transform(), ha="center", va="top", fontsize=9, linespacing=1.4
    )
    axes[-1].set_xlabel("seconds")
    figure.align_ylabels()
    figure.savefig(PICTURE, dpi=100)
    shrink(PICTURE)


def photograph(url):
    """Have a browser draw the demo's page."""
    with tempfile.TemporaryDirectory() as profile:
        options = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"]
        options += ["--disable-background-networking", "--disable-component-update", "--disable-sync"]
        options += [
            f"--user-data-dir={profile}",
            "--window-size=1440,740",
            "--hide-scrollbars",
            "--virtual-time-budget=3000",
        ]
        subprocess.run(["chromium", *options, f"--screenshot={PAGE}", url], check=True, stderr=subprocess.DEVNULL)
    shrink(PAGE)


def shrink(picture):
    """Keep 64 colors: a quarter of the bytes."""
    Image.open(picture).convert("RGB").quantize(64).save(picture, optimize=True)


def main():
    ports = {"exporter": free_port(), "prometheus": free_port()}
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        config = Path(folder) / "prometheus.yml"
        config.write_text(CONFIG.format(**ports))
        demo = stack.enter_context(
            running(*COMMAND, "demo", "--serve", "--port", "0", stderr=subprocess.PIPE, text=True)
        )
        said = ""
        while "Ctrl-C" not in said:
            said += demo.stderr.readline()
            assert demo.poll() is None
        page = re.search(r"http://\S+/", said)[0]
        url = address_of_redis(demo)
        with redis.Redis.from_url(url) as client:
            client.ping()
        env = {"PATH": "/usr/bin:/bin", "LIMITKIT_DEMO_REDIS": url, "PYTHONPATH": str(ROOT)}
        app = ("--app", "limitkit.demo.app")
        exporter = ("exporter", *app, "--interval", "1", "--port", str(ports["exporter"]))
        stack.enter_context(running(*COMMAND, *exporter, env=env, stderr=subprocess.DEVNULL))
        listen = f"--web.listen-address=127.0.0.1:{ports['prometheus']}"
        storage = f"--storage.tsdb.path={folder}/data"
        stack.enter_context(
            running("prometheus", f"--config.file={config}", storage, listen, stderr=subprocess.DEVNULL)
        )
        start = time.time() + 20
        sleep_until(start + SET_AT - 1)  # the command needs a second to begin
        slow_down = ("set", LIMIT, SLOWER, "--for", f"{SET_FOR}s", "--reason", "they answer 429", *app)
        subprocess.run((*COMMAND, *slow_down), env=env, check=True)
        slower_from = time.time() - start
        sleep_until(start + SECONDS)
        found = curves(ports["prometheus"], start, start + SECONDS)
        photograph(page)
        draw(found, slower_from)


def sleep_until(at):
    time.sleep(max(0.0, at - time.time()))


if __name__ == "__main__":
    main()
