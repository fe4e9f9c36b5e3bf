"""Draws docs/dashboard.png and docs/demo.png: ``python -m benchmarks.pictures``.

A real Prometheus scrapes the workers of ``limitkit demo --serve`` and the exporter for some minutes. Then queries of
the dashboard in examples/monitoring are asked of it, and drawn as Grafana would draw them.
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

SECONDS = 200
STEP = 2
PANELS = (
    "Starts, and what is allowed",
    "Waiting",
    "Is it the limiter? Deliveries held up",
    "How long tasks wait",
    "Time to drain",
    "The store",
)
DASHBOARD = ROOT / "examples" / "monitoring" / "grafana" / "dashboards" / "limitkit.json"
PICTURE = ROOT / "docs" / "dashboard.png"
PAGE = ROOT / "docs" / "demo.png"
CONFIG = """
global: {{ scrape_interval: 2s }}
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


def legend(text, labels):
    return re.sub(r"\{\{(\w+)\}\}", lambda match: labels.get(match[1], "").removeprefix("shop."), text)


def draw(port, start, end):
    panels = {panel["title"]: panel for panel in json.loads(DASHBOARD.read_text())["panels"]}
    figure, axes = plt.subplots(3, 2, figsize=(13, 11), layout="constrained")
    for place, title in zip(axes.flat, PANELS, strict=True):
        for target in panels[title]["targets"]:
            query = target["expr"].replace("$__rate_interval", "12s").replace("$limit", ".*")
            for series in ask(port, query, start, end):
                points = [(float(at) - start, float(value)) for at, value in series["values"]]
                label = legend(target["legendFormat"], series["metric"])
                style = "--" if "allowed" in label else "-"
                place.plot(*zip(*points, strict=True), style, linewidth=1.4, label=label)
        place.set_title(title, loc="left", fontweight="bold", fontsize=11)
        place.set_ylim(bottom=0)
        place.grid(alpha=0.25)
        place.spines[["top", "right"]].set_visible(False)
        place.legend(fontsize=7, ncols=5, frameon=False, loc="upper center", bbox_to_anchor=(0.5, -0.08))
    figure.savefig(PICTURE, dpi=80)
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
    command = [sys.executable, "-c", "from limitkit.cli import main; main()"]
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        config = Path(folder) / "prometheus.yml"
        config.write_text(CONFIG.format(**ports))
        demo = stack.enter_context(
            running(*command, "demo", "--serve", "--port", "0", stderr=subprocess.PIPE, text=True)
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
        exporter = [
            *command,
            "exporter",
            "--app",
            "limitkit.demo.app",
            "--interval",
            "2",
            "--port",
            str(ports["exporter"]),
        ]
        stack.enter_context(running(*exporter, env=env, stderr=subprocess.DEVNULL))
        listen = f"--web.listen-address=127.0.0.1:{ports['prometheus']}"
        stack.enter_context(
            running(
                "prometheus",
                f"--config.file={config}",
                f"--storage.tsdb.path={folder}/data",
                listen,
                stderr=subprocess.DEVNULL,
            )
        )
        start = time.time() + 10
        time.sleep(SECONDS + 10)
        photograph(page)
        draw(ports["prometheus"], start, time.time())


if __name__ == "__main__":
    main()
