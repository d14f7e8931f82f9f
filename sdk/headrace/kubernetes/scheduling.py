"""Where a task's Pod may run: node labels, tolerations, affinity to nodes and to other Pods."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from headrace.dsl.channels import Channel
from headrace.dsl.mistakes import mistake
from headrace.dsl.tasks import PipelineTask
from headrace.kubernetes.settings import (
    Json,
    add,
    choice,
    flag,
    given,
    optional_text,
    reference,
    settings,
    shown,
    text,
    text_list,
    texts,
    whole,
)

_NODE_OPERATORS = ("In", "NotIn", "Exists", "DoesNotExist", "Gt", "Lt")
_POD_OPERATORS = ("In", "NotIn", "Exists", "DoesNotExist")
_AFFINITY = ("requiredDuringSchedulingIgnoredDuringExecution", "preferredDuringSchedulingIgnoredDuringExecution")


def add_node_selector(task: PipelineTask, label_key: str, label_value: str) -> PipelineTask:
    """Run only on nodes with this label."""
    function = "add_node_selector"
    pair = {text(label_key, function, "label_key"): text(label_value, function, "label_value")}
    settings(task, function).setdefault("nodeSelector", {}).setdefault("labels", {}).update(pair)
    return task


def add_node_selector_json(task: PipelineTask, node_selector_json: dict[str, str] | Channel) -> PipelineTask:
    """Run only on nodes with these labels, which may be known only when the pipeline runs. They win over `add_node_selector`."""
    function = "add_node_selector_json"
    made = settings(task, function)
    spec = reference(task, node_selector_json, function, "node_selector_json", dict)
    made.setdefault("nodeSelector", {})["nodeSelectorJson"] = spec
    return task


def add_toleration(
    task: PipelineTask,
    key: str | None = None,
    operator: str | None = None,
    value: str | None = None,
    effect: str | None = None,
    toleration_seconds: int | None = None,
) -> PipelineTask:
    """Let the Pod run on nodes with a matching taint."""
    function = "add_toleration"
    entry = given(
        key=optional_text(key, function, "key"),
        operator=None if not operator else choice(operator, function, "operator", "Equal", "Exists"),
        value=optional_text(value, function, "value"),
        effect=None
        if not effect
        else choice(effect, function, "effect", "NoExecute", "NoSchedule", "PreferNoSchedule"),
    )
    if toleration_seconds is not None:
        # Below 0 and 0 mean to Kubernetes: evict at once. 64 bits are text in the JSON of protobuf.
        entry["tolerationSeconds"] = str(whole(toleration_seconds, function, "toleration_seconds", least=-(2**63)))
    return add(task, function, "tolerations", entry)


def add_toleration_json(
    task: PipelineTask, toleration_json: Channel | list[dict[str, Any]] | dict[str, Any]
) -> PipelineTask:
    """Tolerations as Kubernetes writes them: one, a list, or a parameter that holds either when the pipeline runs."""
    function = "add_toleration_json"
    if isinstance(toleration_json, Channel):
        settings(task, function)
        spec = reference(task, toleration_json, function, "toleration_json", dict)
        return add(task, function, "tolerations", {"tolerationJson": spec})
    for one in toleration_json if isinstance(toleration_json, list) else [toleration_json]:
        add_toleration(task, **_toleration(one))
    return task


def _toleration(one: Any) -> dict[str, Any]:
    """The arguments of `add_toleration`: the names as Kubernetes or as Python spells them."""
    if not isinstance(one, Mapping):
        raise mistake(
            "kubernetes.add_toleration_json() takes a dict, a list of dicts or a parameter of the pipeline as 'toleration_json', "
            f"got {shown(one)}"
        )
    known = {"tolerationSeconds": "toleration_seconds"} | {
        name: name for name in ("key", "operator", "value", "effect", "toleration_seconds")
    }
    for name in one:
        if name not in known:
            names = "key, operator, value, effect and tolerationSeconds"
            raise mistake(f"a toleration has no field {shown(name)}; it has {names}")
    return {known[name]: value for name, value in one.items()}


def add_node_affinity(
    task: PipelineTask,
    match_expressions: list[dict[str, Any]] | None = None,
    match_fields: list[dict[str, Any]] | None = None,
    weight: int | None = None,
) -> PipelineTask:
    """One term of an affinity to nodes: required, or with a WEIGHT from 1 to 100 preferred."""
    function = "add_node_affinity"
    entry = given(
        matchExpressions=_requirements(match_expressions, function, "match_expressions", _NODE_OPERATORS),
        matchFields=_requirements(match_fields, function, "match_fields", _NODE_OPERATORS),
        weight=None if weight is None else whole(weight, function, "weight", least=1, most=100),
    )
    return add(task, function, "nodeAffinity", entry)


def add_node_affinity_json(task: PipelineTask, node_affinity_json: dict[str, Any] | Channel) -> PipelineTask:
    """An affinity to nodes as Kubernetes writes it, or a parameter that holds one; the last call replaces those before it."""
    function = "add_node_affinity_json"
    made = settings(task, function)
    if isinstance(node_affinity_json, dict):
        for name in node_affinity_json:
            if _lower(name) not in map(_lower, _AFFINITY):
                raise mistake(f"an affinity to nodes has no field {shown(name)}; it has {' and '.join(_AFFINITY)}")
    spec = reference(task, node_affinity_json, function, "node_affinity_json", dict)
    terms = [one for one in made.get("nodeAffinity", ()) if "nodeAffinityJson" not in one]
    made["nodeAffinity"] = [*terms, {"nodeAffinityJson": spec}]
    return task


def add_pod_affinity(
    task: PipelineTask,
    topology_key: str,
    match_pod_labels: dict[str, str] | None = None,
    match_pod_expressions: list[dict[str, Any]] | None = None,
    namespaces: list[str] | None = None,
    match_namespace_labels: dict[str, str] | None = None,
    match_namespace_expressions: list[dict[str, Any]] | None = None,
    weight: int | None = None,
    anti: bool = False,
) -> PipelineTask:
    """Run where matching Pods run (`anti=True`: where they do not): on a node with the same value of the label TOPOLOGY_KEY.

    Required, or with a WEIGHT from 1 to 100 preferred. Not in KFP's SDK. The IR has it, KFP's backend leaves it out.
    """
    function = "add_pod_affinity"
    if not text(topology_key, function, "topology_key"):
        raise mistake(
            f"kubernetes.{function}() needs a node's label as 'topology_key', such as 'kubernetes.io/hostname'"
        )
    expressions = {
        name: _requirements(value, function, name, _POD_OPERATORS)
        for name, value in (
            ("match_pod_expressions", match_pod_expressions),
            ("match_namespace_expressions", match_namespace_expressions),
        )
    }
    entry = given(
        topologyKey=topology_key,
        matchPodExpressions=expressions["match_pod_expressions"],
        matchPodLabels=texts(match_pod_labels or {}, function, "match_pod_labels"),
        namespaces=text_list(namespaces or [], function, "namespaces"),
        matchNamespaceExpressions=expressions["match_namespace_expressions"],
        matchNamespaceLabels=texts(match_namespace_labels or {}, function, "match_namespace_labels"),
        weight=None if weight is None else whole(weight, function, "weight", least=1, most=100),
    )
    if flag(anti, function, "anti"):
        entry["anti"] = True
    return add(task, function, "podAffinity", entry)


def _requirements(
    entries: list[dict[str, Any]] | None, function: str, parameter: str, operators: tuple[str, ...]
) -> list[Json]:
    made = []
    for index, one in enumerate(entries or ()):
        place = f"{parameter}[{index}]"
        if not isinstance(one, Mapping):
            raise mistake(
                f"kubernetes.{function}() takes a dict with 'key' and 'operator' as '{place}', got {shown(one)}"
            )
        for name in ("key", "operator"):
            if not one.get(name):
                raise mistake(f"kubernetes.{function}() needs '{name}' in '{place}'; it is missing or empty")
        operator = choice(one["operator"], function, f"{place}.operator", *operators)
        values = text_list(one.get("values") or [], function, f"{place}.values")
        made.append(given(key=text(one["key"], function, f"{place}.key"), operator=operator, values=values))
    return made


def _lower(name: Any) -> str:
    """The same for `requiredDuring…` and `required_during_…`, both of which KFP takes."""
    return str(name).replace("_", "").lower()
