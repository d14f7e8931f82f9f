"""Tolerations and affinities: what Kubernetes would refuse when the Pod is made."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from headrace_ir.checks.names import label_map_problems
from headrace_ir.problems import Problem, hint
from headrace_ir.schema import describe

Tree = Mapping[str, Any]

_OPERATORS: Final = ("Equal", "Exists", "Lt", "Gt")
_EFFECTS: Final = ("NoSchedule", "PreferNoSchedule", "NoExecute")
_NODE_OPERATORS: Final = ("In", "NotIn", "Exists", "DoesNotExist", "Gt", "Lt")
_POD_OPERATORS: Final = ("In", "NotIn", "Exists", "DoesNotExist")


def check_toleration(entry: Tree, path: str) -> Iterator[Problem]:
    """A toleration by fields, or by JSON that then stands for it."""
    if "toleration_json" in entry:
        constant = entry["toleration_json"].get("runtime_value", {}).get("constant")
        if constant is not None and not isinstance(constant, (dict, list)):
            place = f"{path}.tolerationJson.runtimeValue.constant"
            yield Problem(place, f"expected a toleration or a list of them, got {describe(constant)}")
        return
    operator, effect = entry.get("operator", ""), entry.get("effect", "")
    yield from _one_of(operator, _OPERATORS, f"{path}.operator", "operators")
    yield from _one_of(effect, _EFFECTS, f"{path}.effect", "effects")
    if not entry.get("key") and operator != "Exists":
        yield Problem(
            f"{path}.key", "required: the taint's key (operator 'Exists' without a key tolerates every taint)"
        )
    if operator == "Exists" and entry.get("value"):
        yield Problem(f"{path}.value", "operator 'Exists' takes no value")
    if "toleration_seconds" in entry and effect != "NoExecute":
        yield Problem(f"{path}.tolerationSeconds", "has a meaning with effect 'NoExecute' only")


def check_node_affinity(entry: Tree, path: str) -> Iterator[Problem]:
    """One term; its JSON form stands for itself."""
    constant = entry.get("node_affinity_json", {}).get("runtime_value", {}).get("constant")
    if constant is not None and not isinstance(constant, dict):
        place = f"{path}.nodeAffinityJson.runtimeValue.constant"
        yield Problem(place, f"expected an object, got {describe(constant)}")
    yield from _weight(entry, path)
    for field, shown in (("match_expressions", "matchExpressions"), ("match_fields", "matchFields")):
        yield from _requirements(entry.get(field, ()), _NODE_OPERATORS, f"{path}.{shown}")


def check_pod_affinity(entry: Tree, path: str) -> Iterator[Problem]:
    """One term of an affinity or, with `anti`, of an anti-affinity between Pods."""
    if not entry.get("topology_key"):
        yield Problem(f"{path}.topologyKey", "required: a node label such as 'kubernetes.io/hostname'")
    yield from _weight(entry, path)
    yield from _requirements(entry.get("match_pod_expressions", ()), _POD_OPERATORS, f"{path}.matchPodExpressions")
    namespaces = entry.get("match_namespace_expressions", ())
    yield from _requirements(namespaces, _POD_OPERATORS, f"{path}.matchNamespaceExpressions")
    yield from label_map_problems(entry.get("match_pod_labels", {}), f"{path}.matchPodLabels")
    yield from label_map_problems(entry.get("match_namespace_labels", {}), f"{path}.matchNamespaceLabels")


def _weight(entry: Tree, path: str) -> Iterator[Problem]:
    if "weight" in entry and not 1 <= entry["weight"] <= 100:
        yield Problem(f"{path}.weight", f"must be from 1 to 100, got {entry['weight']}")


def _requirements(entries: Any, operators: tuple[str, ...], path: str) -> Iterator[Problem]:
    for index, entry in enumerate(entries):
        place = f"{path}[{index}]"
        operator, values = entry.get("operator", ""), entry.get("values", [])
        if not entry.get("key"):
            yield Problem(f"{place}.key", "required: the label that is compared")
        if not operator:
            yield Problem(f"{place}.operator", f"required: one of {', '.join(operators)}")
        yield from _one_of(operator, operators, f"{place}.operator", "operators")
        if operator in ("In", "NotIn") and not values:
            yield Problem(f"{place}.values", f"operator '{operator}' needs at least one value")
        elif operator in ("Exists", "DoesNotExist") and values:
            yield Problem(f"{place}.values", f"operator '{operator}' takes no values")
        elif operator in ("Gt", "Lt") and operator in operators and not (len(values) == 1 and _is_integer(values[0])):
            yield Problem(f"{place}.values", f"operator '{operator}' needs exactly one whole number")


def _one_of(text: str, known: tuple[str, ...], path: str, kind: str) -> Iterator[Problem]:
    if text and text not in known and "{{$" not in text:
        yield Problem(path, f"unknown: '{text[:60]}'; {hint(text, known, kind=kind)}")


def _is_integer(text: str) -> bool:
    return text.removeprefix("-").isdigit() or "{{$" in text
