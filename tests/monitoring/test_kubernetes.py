"""The Kubernetes example and its page: they can be read, fit together, and ask for what there is."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from support.manifests import manifests

from limitkit.metrics.families import EXPORTER, WORKER

ROOT = Path(__file__).parents[2]
FILES = sorted((ROOT / "examples" / "kubernetes").glob("*.yaml"))
PAGE = (ROOT / "docs" / "kubernetes.md").read_text()
MANIFESTS = {(each["kind"], each["metadata"]["name"]): each for file in FILES for each in manifests(file.read_text())}
(ADAPTER,) = (manifests(text)[0] for text in re.findall(r"^```yaml\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL))
RULES = MANIFESTS["PrometheusRule", "limitkit"]["spec"]
LIMITS = MANIFESTS["ConfigMap", "ratelimits"]["data"]["ratelimits.toml"]
QUERIES = [
    *(trigger["metadata"].get("query") for trigger in MANIFESTS["ScaledObject", "workers"]["spec"]["triggers"]),
    *(rule[key] for rule in ADAPTER["externalRules"] for key in ("seriesQuery", "metricsQuery")),
    *re.findall(r"^```promql\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL),
]
PODS = [each["spec"]["template"] for (kind, _), each in MANIFESTS.items() if kind == "Deployment"]


def promtool(path, *arguments):
    done = subprocess.run([path, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("text", [PAGE, *(file.read_text() for file in FILES)], ids=["page", *(f.name for f in FILES)])
def test_each_metric_that_is_named_is_there(text):
    named = {*re.findall(r"celery_rate_limit_\w+", text)}
    assert named <= {family.shown for family in (*WORKER, *EXPORTER)}
    assert named <= {family.shown for family in EXPORTER} | {"celery_rate_limit_degraded"}, "one for each worker"


def test_the_page_shows_the_query_that_the_example_has():
    (shown,) = re.findall(r"^```promql\n(.*?)\n```", PAGE, re.MULTILINE | re.DOTALL)
    assert shown in QUERIES[:3]


def test_each_query_is_promql(need_promtool, tmp_path):
    rules = [{"record": f"q{number}", "expr": query} for number, query in enumerate(filter(None, QUERIES))]
    assert len(rules) == 4
    file = tmp_path / "queries.yml"
    file.write_text(json.dumps({"groups": [{"name": "queries", "rules": rules}]}))
    promtool(need_promtool, "check", "rules", file)


def test_the_limits_fit_the_app(tmp_path):
    file = tmp_path / "ratelimits.toml"
    file.write_text(LIMITS)
    env = {name: value for name, value in os.environ.items() if not name.startswith("LIMITKIT_")}
    command = [sys.executable, "-m", "limitkit", "validate", "--strict", "--app", "shop", str(file)]
    env = {**env, "PYTHONPATH": f"{ROOT}:{ROOT / 'examples'}"}
    said = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, env=env, check=False)
    assert (said.returncode, said.stderr) == (0, f"{file}: fine\n")


def test_a_deployment_has_the_pods_that_it_looks_for_and_they_have_the_limits():
    assert len(PODS) == 2
    for (kind, _), each in MANIFESTS.items():
        if kind == "Deployment":
            assert each["spec"]["selector"]["matchLabels"] == each["spec"]["template"]["metadata"]["labels"]
    for pod in PODS:
        (volume,) = pod["spec"]["volumes"]
        assert ("ConfigMap", volume["configMap"]["name"]) in MANIFESTS
        for container in pod["spec"]["containers"]:
            (mount,) = container["volumeMounts"]
            assert mount["name"] == volume["name"]
            assert "subPath" not in mount, "what is mounted so never changes"
            env = {each["name"]: each["value"] for each in container["env"]}
            assert env["LIMITKIT_CONFIG"] == f"{mount['mountPath']}/ratelimits.toml"


def test_ports_are_those_that_are_listened_on():
    worker, exporter = (
        MANIFESTS["Deployment", name]["spec"]["template"]["spec"]["containers"][0]
        for name in ("workers", "limitkit-exporter")
    )
    assert f"port = {worker['ports'][0]['containerPort']}\n" in LIMITS
    assert str(exporter["ports"][0]["containerPort"]) == exporter["command"][-1]
    for container in (worker, exporter):
        named = {port["name"] for port in container["ports"]}
        probes = [value for key, value in container.items() if key.endswith("Probe")]
        assert len(probes) == 2
        assert all(probe["httpGet"]["port"] in named for probe in probes)


def test_what_is_scaled_and_scraped_is_there():
    labels = [pod["metadata"]["labels"] for pod in PODS]
    for kind, name in (("PodMonitor", "workers"), ("Service", "limitkit-exporter")):
        selector = MANIFESTS[kind, name]["spec"]["selector"]
        assert selector.get("matchLabels", selector) in labels
    service = MANIFESTS["Service", "limitkit-exporter"]["metadata"]["labels"]
    assert MANIFESTS["ServiceMonitor", "limitkit-exporter"]["spec"]["selector"]["matchLabels"] == service
    hpa = MANIFESTS["HorizontalPodAutoscaler", "workers"]["spec"]
    for each in (hpa, MANIFESTS["ScaledObject", "workers"]["spec"]):
        assert ("Deployment", each["scaleTargetRef"]["name"]) in MANIFESTS
    assert hpa["minReplicas"] == 1, "nothing else keeps what is parked from being stranded"
    assert hpa["metrics"][0]["external"]["metric"]["name"] == ADAPTER["externalRules"][0]["name"]["as"]


def series(values):
    return [{"series": name, "values": f"{value}x20"} for name, value in values.items()]


@pytest.mark.parametrize(
    ("values", "fires"),
    [
        ({'celery_rate_limit_cluster_parked{limit="a"}': 3, 'celery_rate_limit_cluster_parked{limit="b"}': 4}, True),
        ({'celery_rate_limit_cluster_parked{limit="a"}': 7, 'celery_rate_limit_degraded{instance="w"}': 0}, False),
        ({'celery_rate_limit_cluster_parked{limit="a"}': 0}, False),
    ],
)
def test_the_alert_for_parked_tasks_without_workers(need_promtool, tmp_path, values, fires):
    (rule,) = (rule for group in RULES["groups"] for rule in group["rules"] if rule["alert"] == "ParkedWithoutWorkers")
    said = {**rule["annotations"], "summary": "7 tasks are parked, and no worker runs."}
    alert = {"alertname": rule["alert"], "eval_time": "10m"}
    alert["exp_alerts"] = [{"exp_labels": rule["labels"], "exp_annotations": said}] if fires else []
    check(need_promtool, tmp_path, values, alert)


@pytest.mark.parametrize("values", [{'celery_rate_limit_cluster_up{source="broker"}': 0}, {}])
def test_the_alert_for_an_exporter_that_is_gone(need_promtool, tmp_path, values):
    (rule,) = (rule for group in RULES["groups"] for rule in group["rules"] if rule["alert"] == "ExporterGone")
    alert = {"alertname": rule["alert"], "eval_time": "10m"}
    expected = {"exp_labels": rule["labels"], "exp_annotations": rule["annotations"]}
    alert["exp_alerts"] = [] if values else [expected]
    check(need_promtool, tmp_path, values, alert)


def check(promtool_path, folder, values, alert):
    (folder / "rules.json").write_text(json.dumps(RULES))
    test = {"interval": "1m", "input_series": series(values), "alert_rule_test": [alert]}
    (folder / "test.json").write_text(json.dumps({"rule_files": ["rules.json"], "tests": [test]}))
    promtool(promtool_path, "test", "rules", folder / "test.json")
