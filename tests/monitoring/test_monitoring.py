"""The example's alerts fire when they should, and each query of its dashboard names metrics that there are."""

import json
import re
import subprocess
from pathlib import Path

import pytest

from limitkit.metrics.families import EXPORTER, WORKER

HERE = Path(__file__).parent
EXAMPLE = HERE.parents[1] / "examples" / "monitoring"
DASHBOARD = json.loads((EXAMPLE / "grafana" / "dashboards" / "limitkit.json").read_text())
QUERIES = [target["expr"] for panel in DASHBOARD["panels"] for target in panel["targets"]]
PAGE = (HERE.parents[1] / "docs" / "metrics.md").read_text()
OFTEN = re.search(r"```promql\n(.*?)```", PAGE, re.DOTALL)[1]
SUFFIXES = ("_bucket", "_count", "_sum")
FAMILIES = {family.shown: family for family in (*WORKER, *EXPORTER)}


def promtool(path, *arguments):
    done = subprocess.run([path, *arguments], cwd=HERE, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def samples():
    """Names of samples, each with the labels that it has."""
    for name, family in FAMILIES.items():
        if family.kind == "histogram":
            yield from ((name + suffix, {*family.labels, "le"}) for suffix in SUFFIXES)
        else:
            yield name, set(family.labels)


KNOWN = dict(samples())


@pytest.mark.parametrize("text", [*QUERIES, (EXAMPLE / "rules.yml").read_text(), OFTEN])
def test_each_query_names_metrics_and_labels_that_there_are(text):
    text = text.replace("limit:celery_rate_limit_waiting:sum", "")
    named = re.findall(r"celery_rate_limit_\w+", text)
    assert named
    assert set(named) <= KNOWN.keys()
    for name, matchers in re.findall(r"(celery_rate_limit_\w+)\{([^}]*)\}", text):
        assert set(re.findall(r"(\w+)\s*[=!]", matchers)) <= KNOWN[name]
    grouped = {label for labels in re.findall(r"\b(?:by|on) \(([^)]*)\)", text) for label in labels.split(", ")}
    assert grouped <= set().union(*(KNOWN[name] for name in named)) | {"instance"}


def test_the_dashboard_asks_for_nearly_all_that_workers_show():
    asked = {name for query in QUERIES for name in re.findall(r"celery_rate_limit_\w+", query)}
    unasked = {family.shown for family in WORKER if not any(name.startswith(family.shown) for name in asked)}
    assert {name.removeprefix("celery_rate_limit_") for name in unasked} <= {
        "declared_rate",  # the list of limits
        "near_limit",
        "shadow_wait_seconds",
        "config_reloads_total",
        "config_reload_failures_total",
        "config_timestamp_seconds",
    }


def test_panels_have_names_and_places_of_their_own():
    places = [tuple(panel["gridPos"].values()) for panel in DASHBOARD["panels"]]
    assert len(set(places)) == len(places)
    assert all(panel["title"] for panel in DASHBOARD["panels"])
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(places)


def test_each_query_is_promql(need_promtool, tmp_path):
    plain = [query.replace("$__rate_interval", "5m").replace("$limit", ".*") for query in QUERIES]
    plain += [part.strip() for part in re.split(r"#.*\n|\n\n|\n(?=max|sum)", OFTEN) if part.strip()]
    rules = [{"record": f"q{number}", "expr": query} for number, query in enumerate(plain)]
    file = tmp_path / "queries.yml"
    file.write_text(json.dumps({"groups": [{"name": "queries", "rules": rules}]}))
    promtool(need_promtool, "check", "rules", file)


def test_the_alerts_fire_when_they_should(need_promtool):
    promtool(need_promtool, "test", "rules", "rules.test.yml")


def test_prometheus_takes_the_config(need_promtool):
    promtool(need_promtool, "check", "config", EXAMPLE / "prometheus.yml")


def test_each_alert_is_tested():
    alerts = re.findall(r"alert: (\w+)", (EXAMPLE / "rules.yml").read_text())
    tested = re.findall(r"alertname: (\w+)", (HERE / "rules.test.yml").read_text())
    assert {*alerts} - {*tested} == set()
