"""What expressions of dashboards and alert rules ask for, read by a parser of PromQL; for tests."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import promql_parser
import yaml

COMPONENT = Path(__file__).resolve().parents[2] / "deploy/kustomize/components/metrics"
VARIABLES = {"$__rate_interval": "5m", "$job": "x"}  # Grafana's, as it fills them in
PARTS = ("expr", "lhs", "rhs", "vector_selector", "param", "args")


def dashboard() -> dict[str, Any]:
    found: dict[str, Any] = json.loads((COMPONENT / "headrace.json").read_text(encoding="utf-8"))
    return found


def rules() -> list[dict[str, Any]]:
    groups = yaml.safe_load((COMPONENT / "headrace.yml").read_text(encoding="utf-8"))["groups"]
    return [rule for group in groups for rule in group["rules"]]


def expressions() -> dict[str, str]:
    """Every expression by the panel or alert that has it."""
    found = {rule["alert"]: rule["expr"] for rule in rules()}
    for panel in dashboard()["panels"]:
        for target in panel.get("targets", ()):
            text = target["expr"]
            for name, value in VARIABLES.items():
                text = text.replace(name, value)
            found[f"{panel['title']} {target['refId']}"] = text
    return found


def selectors(expression: str) -> Iterator[tuple[str, dict[str, str]]]:
    """The series that it asks for: their name and what labels must be."""
    yield from _walk(promql_parser.parse(expression))


def _walk(node: Any) -> Iterator[tuple[str, dict[str, str]]]:
    if isinstance(node, promql_parser.VectorSelector):
        yield node.name, {one.name: one.value for one in node.matchers.matchers}
    for part in PARTS:
        below = getattr(node, part, None)
        for one in below if isinstance(below, list) else [below]:
            if one is not None:
                yield from _walk(one)


def grouped(expression: str) -> set[str]:
    """The labels that it keeps, anywhere."""
    return {name.strip() for labels in re.findall(r"\bby \(([^)]*)\)", expression) for name in labels.split(",")}


def family(name: str) -> str:
    """The metric that a series belongs to, as `# TYPE` names it."""
    return re.sub(r"_(bucket|sum|count)$", "", name)
