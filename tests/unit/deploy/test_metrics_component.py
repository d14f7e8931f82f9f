"""The component `metrics`: what it changes in the manifests, and that its dashboard and rules ask for what there is.

Expressions are parsed by a PromQL parser; that real services tell these metrics is tests/acceptance/test_metrics.py's.
"""

from __future__ import annotations

import re
from typing import Any

import promql_parser
import pytest
import yaml

from builders.promql import COMPONENT, dashboard, expressions, family, grouped, rules, selectors
from headrace_metrics.collecting import Accounts, Pools, Traces
from headrace_metrics.definitions import REGISTRY

BASE = COMPONENT.parents[1] / "base"
KUSTOMIZATION = yaml.safe_load((COMPONENT / "kustomization.yaml").read_text())
SERVICES = ("apiserver", "scheduler", "persistence", "cache")
ADDED = {"job", "instance", "le"}  # by Prometheus, and by histograms


def labels() -> dict[str, set[str]]:
    """The labels of each metric."""
    found = {}
    for collector in REGISTRY._collector_to_names:
        for metric in collector.collect():
            found[metric.name] = set(getattr(collector, "_labelnames", ()))
    for metric in (one for source in (Pools({"x": dict}), Traces(), Accounts()) for one in source.collect()):
        found[metric.name] = set(getattr(metric, "_labelnames", ()))
    return found


KNOWN = labels()


@pytest.mark.parametrize("name", sorted(expressions()))
def test_an_expression_parses_and_asks_for_what_there_is(name: str) -> None:
    text = expressions()[name]
    asked = list(selectors(text))
    assert asked
    for metric, matchers in asked:
        own = family(metric).removesuffix("_total")
        assert own in KNOWN, f"{metric} is told by no service"
        assert matchers.keys() <= KNOWN[own] | ADDED
    assert grouped(text) <= set().union(*(KNOWN[family(one).removesuffix("_total")] for one, _ in asked)) | ADDED


def test_what_is_wrong_is_found() -> None:
    with pytest.raises(ValueError, match="unclosed left parenthesis"):
        promql_parser.parse("sum by (rate(x[5m])")
    assert list(selectors('a{b="c"} / on() d > 1')) == [("a", {"b": "c"}), ("d", {})]


def test_every_metric_of_ours_is_shown() -> None:
    shown = {family(one).removesuffix("_total") for text in expressions().values() for one, _ in selectors(text)}
    assert KNOWN.keys() - shown == set()


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: rule["alert"])
def test_a_rule_says_how_bad_it_is_and_what_to_do(rule: dict[str, Any]) -> None:
    assert rule["labels"]["severity"] in ("critical", "warning", "info")
    assert rule["annotations"].keys() == {"summary", "description"}
    assert re.fullmatch(r"\d+[sm]", rule.get("for", "1m"))
    told = " ".join(rule["annotations"].values())
    known = set().union(*(KNOWN[family(one).removesuffix("_total")] for one, _ in selectors(rule["expr"])))
    assert set(re.findall(r"\$labels\.(\w+)", told)) <= known & grouped(rule["expr"])


def test_the_dashboard_is_whole() -> None:
    panels = dashboard()["panels"]
    assert len({one["id"] for one in panels}) == len(panels)
    places = [(one["gridPos"]["x"], one["gridPos"]["y"]) for one in panels]
    assert len(set(places)) == len(places)
    assert all(one["gridPos"]["x"] + one["gridPos"]["w"] <= 24 for one in panels)
    assert {one["name"] for one in dashboard()["templating"]["list"]} == {"datasource", "job"}


def add(document: Any, path: str, value: Any) -> None:
    """A JSON patch's `add`; a missing map on the way is a fault, as it is for kustomize."""
    *parents, last = path.strip("/").split("/")
    for key in parents:
        document = document[int(key) if isinstance(document, list) else key]
    if isinstance(document, list):
        assert last == "-"
        document.append(value)
    else:
        document[last] = value


def patched(service: str, file: str) -> dict[str, Any]:
    """A manifest of the base as the component leaves it."""
    made: dict[str, Any] = yaml.safe_load((BASE / service / file).read_text())
    for patch in KUSTOMIZATION["patches"]:
        target = patch["target"]
        if target["kind"] == made["kind"] and re.fullmatch(target["name"], made["metadata"]["name"]):
            for change in yaml.safe_load(patch["patch"]):
                assert change["op"] == "add"
                add(made, change["path"], change["value"])
    return made


@pytest.mark.parametrize("service", SERVICES)
def test_every_service_can_be_scraped_by_prometheus_alone(service: str) -> None:
    (setting,) = KUSTOMIZATION["configMapGenerator"][0]["literals"]
    assert setting == "HEADRACE_METRICS_ADDRESS=0.0.0.0:9464"
    template = patched(service, "deployment.yaml")["spec"]["template"]
    ports = {one["name"]: one["containerPort"] for one in template["spec"]["containers"][0]["ports"]}
    assert ports["metrics"] == 9464
    assert template["metadata"]["annotations"]["prometheus.io/port"] == "9464"
    before = yaml.safe_load((BASE / service / "networkpolicy.yaml").read_text())["spec"]["ingress"]
    *kept, new = patched(service, "networkpolicy.yaml")["spec"]["ingress"]
    assert kept == before
    assert new["ports"] == [{"port": 9464, "protocol": "TCP"}]
    assert new["from"][0]["podSelector"]["matchLabels"] == {"app.kubernetes.io/name": "prometheus"}


def test_the_operators_monitor_selects_every_service() -> None:
    (monitor,) = yaml.safe_load_all((COMPONENT.parent / "metrics-operator/podmonitor.yaml").read_text())
    wanted = monitor["spec"]["selector"]["matchLabels"]
    for service in SERVICES:
        assert wanted.items() <= patched(service, "deployment.yaml")["spec"]["template"]["metadata"]["labels"].items()
    assert [one["port"] for one in monitor["spec"]["podMetricsEndpoints"]] == ["metrics"]


def test_the_files_are_those_that_are_generated_from() -> None:
    generated = {name for one in KUSTOMIZATION["configMapGenerator"] for name in one.get("files", ())}
    assert generated == {path.name for path in COMPONENT.iterdir()} - {"kustomization.yaml"}
