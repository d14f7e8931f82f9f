"""Resolving an executor's Kubernetes settings for one task (kfp-semantics 7.1 to 7.3): names from constants, DAG inputs
and siblings' outputs, placeholders in strings, and the shapes that executors read. Pure.

References are read in the DAG around the task, as KFP does; placeholders name the task's own inputs. A reference to a DAG
input that was not given leaves its entry out. Called by launching.py.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from headrace_ir.conditions import ConditionProblem, parse, select
from headrace_ir.values import Value, describe
from headrace_scheduler.engine.placeholders import Scope, substitute_value
from headrace_scheduler.engine.problems import TaskProblem
from headrace_scheduler.executors.task_settings import EnvKind, EnvSource, Mount, MountKind, TaskSettings

Json = Mapping[str, Any]
SHARED_MEMORY = "/dev/shm"  # noqa: S108 - the path that the setting is about, nothing is written here
LEGACY_VALUES = ("stringValue", "intValue", "doubleValue")
AFFINITY_RULES = (
    "requiredDuringSchedulingIgnoredDuringExecution",
    "preferredDuringSchedulingIgnoredDuringExecution",
)


@dataclass(frozen=True, slots=True)
class Around:
    """The DAG around a task: its inputs, and its tasks' outputs (task, key); None where there is no value."""

    component_input: Callable[[str], Value]
    task_output: Callable[[str, str], Value]


def resolve_settings(platform_json: str, scope: Scope, around: Around) -> TaskSettings:
    """The settings of one task. Raises TaskProblem and PlaceholderProblem."""
    document: Any = json.loads(platform_json)
    if "{{$" in platform_json:
        document = substitute_value(document, scope)
    read = _Reader(around)
    metadata = _object(document, "podMetadata")
    return TaskSettings(
        env=tuple(read.env(document)),
        mounts=tuple(read.mounts(document)),
        node_selector=read.node_selector(_object(document, "nodeSelector")),
        tolerations=tuple(read.tolerations(_list(document, "tolerations"))),
        affinity=read.affinity(document),
        pull_policy=get(document, "imagePullPolicy") or "",
        pull_secrets=tuple(
            name
            for place, entry in _list(document, "imagePullSecret")
            if (name := read.name(entry, "secretName", place, "a pull secret"))
        ),
        labels=_texts(get(metadata, "labels"), "podMetadata.labels"),
        annotations=_texts(get(metadata, "annotations"), "podMetadata.annotations"),
        security_context=_security_context(_object(document, "securityContext")),
        init_containers=tuple(_init_container(entry) for _, entry in _list(document, "initContainers")),
    )


def timeout_s(platform_json: str) -> float:
    """The time-out of each attempt; 0: none."""
    if "ctiveDeadlineSeconds" not in platform_json and "active_deadline_seconds" not in platform_json:
        return 0.0
    return float(get(json.loads(platform_json), "activeDeadlineSeconds") or 0)


def workspace_spec(platform_json: str) -> Json:
    """What a pipeline's config says of the claim behind its runs' workspaces, in Kubernetes' shape; {}: it has none."""
    found = get(json.loads(platform_json), "workspace") if "workspace" in platform_json else None
    if not found or not get(found, "size"):
        return {}
    patch = get(get(found, "kubernetes") or {}, "pvcSpecPatch") or {}
    chosen = _given({name: get(patch, name) for name in ("accessModes", "storageClassName")})
    return {**chosen, "resources": {"requests": {"storage": get(found, "size")}}}


def get(entry: Json, name: str) -> Any:
    """A field under its JSON name or its proto name."""
    if not isinstance(entry, Mapping):
        raise _problem(name, f"expected to be in an object, got {describe(entry)}")
    if name in entry:
        return entry[name]
    return entry.get("".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name))


@dataclass(frozen=True, slots=True)
class _Reader:
    around: Around

    # ---- references

    def value(self, spec: Json, place: str) -> Value:
        """What an InputParameterSpec gives; None: a DAG input that was not given."""
        value = self._source(spec, place)
        selector = get(spec, "parameterExpressionSelector")
        if selector and value is not None:
            try:
                return select(parse(selector), value)
            except ConditionProblem as problem:
                raise _problem(place, f"its selector cannot be applied: {problem}") from None
        return value

    def _source(self, spec: Json, place: str) -> Value:
        if (name := get(spec, "componentInputParameter")) is not None:
            return self.around.component_input(str(name))
        if (output := get(spec, "taskOutputParameter")) is not None:
            task, key = str(get(output, "producerTask")), str(get(output, "outputParameterKey"))
            value = self.around.task_output(task, key)
            if value is None:
                raise _problem(place, f"the task '{task}' has no output '{key}'")
            return value
        runtime = get(spec, "runtimeValue")
        if runtime is not None:
            return _constant(runtime)
        raise _problem(place, "expected componentInputParameter, taskOutputParameter or a constant")

    def name(self, entry: Json, field: str, place: str, what: str) -> str:
        """A name that is given by a reference or, in older documents, as it is; "": a DAG input that was not given."""
        spec = get(entry, f"{field}Parameter")
        if spec is None:
            plain = get(entry, field)
            if not plain:
                raise _problem(place, f"the name of {what} is missing; give {field}Parameter or {field}")
            value: Value = plain
        else:
            value = self.value(spec, f"{place}.{field}Parameter")
            if value is None:
                return ""
        if not isinstance(value, str) or not value:
            raise _problem(place, f"the name of {what} must be a text that is not empty, it is {describe(value)}")
        return value

    def claim(self, entry: Json, place: str) -> str:
        """The claim of a mount, in the newer form or one of the older ones."""
        if get(entry, "pvcNameParameter") is None:
            older = {key: entry[key] for key in entry if key not in ("mountPath", "mount_path", "subPath", "sub_path")}
            if "constant" in older:
                older = {"runtimeValue": older}
            entry = {"pvcNameParameter": older}
        return self.name(entry, "pvcName", place, "a claim")

    # ---- environment and mounts

    def env(self, document: Json) -> Iterator[EnvSource]:
        for field, kind, key, named in (
            ("secretAsEnv", EnvKind.SECRET, "secretKey", "secretName"),
            ("configMapAsEnv", EnvKind.CONFIG_MAP, "configMapKey", "configMapName"),
        ):
            for place, entry in _list(document, field):
                source = self.name(entry, named, place, f"a {kind}")
                for inner, pair in _list(entry, "keyToEnv", place) if source else ():
                    variable = _text(pair, "envVar", inner)
                    yield EnvSource(variable, kind, source, _text(pair, key, inner), bool(get(entry, "optional")))
        for place, entry in _list(document, "fieldPathAsEnv"):
            yield EnvSource(_text(entry, "name", place), EnvKind.FIELD, _text(entry, "fieldPath", place))

    def mounts(self, document: Json) -> Iterator[Mount]:
        for field, kind, named in (
            ("secretAsVolume", MountKind.SECRET, "secretName"),
            ("configMapAsVolume", MountKind.CONFIG_MAP, "configMapName"),
        ):
            for place, entry in _list(document, field):
                if source := self.name(entry, named, place, f"a {kind}"):
                    yield Mount(kind, source, _path(entry, place), optional=bool(get(entry, "optional")))
        for place, entry in _list(document, "pvcMount"):
            if claim := self.claim(entry, place):
                yield Mount(MountKind.CLAIM, claim, _path(entry, place), sub_path=get(entry, "subPath") or "")
        for place, entry in _list(document, "genericEphemeralVolume"):
            name = _text(entry, "volumeName", place)
            yield Mount(MountKind.EPHEMERAL, name, _path(entry, place), options=_claim_template(entry, place))
        for place, entry in _list(document, "emptyDirMounts"):
            options = {"medium": get(entry, "medium"), "sizeLimit": get(entry, "sizeLimit")}
            name = _text(entry, "volumeName", place)
            yield Mount(MountKind.EMPTY_DIR, name, _path(entry, place), options=_given(options))
        shared = get(document, "enabledSharedMemory")
        if shared is not None:
            options = {"medium": "Memory", "sizeLimit": get(shared, "size")}
            name = get(shared, "volumeName") or "shared-memory"
            yield Mount(MountKind.EMPTY_DIR, name, SHARED_MEMORY, options=_given(options))

    # ---- where it runs

    def node_selector(self, entry: Json) -> Mapping[str, str]:
        spec = get(entry, "nodeSelectorJson")
        if spec is None:
            return _texts(get(entry, "labels"), "nodeSelector.labels")
        place = "nodeSelector.nodeSelectorJson"
        return _texts(self.value(spec, place), place)

    def tolerations(self, entries: Iterable[tuple[str, Json]]) -> Iterator[Json]:
        for place, entry in entries:
            spec = get(entry, "tolerationJson")
            if spec is None:
                yield _toleration(entry, place)
                continue
            inner = f"{place}.tolerationJson"
            value = self.value(spec, inner)
            for one in value if isinstance(value, list) else [value]:
                if one is not None and not isinstance(one, dict):
                    raise _problem(inner, f"expected an object or a list of objects, got {describe(one)}")
                if one:
                    yield _toleration(one, inner)

    def affinity(self, document: Json) -> Json:
        rules: dict[str, dict[str, list[Any]]] = {}
        for place, entry in _list(document, "nodeAffinity"):
            self._node_affinity(entry, place, rules.setdefault("nodeAffinity", {}))
        for place, entry in _list(document, "podAffinity"):
            kind = "podAntiAffinity" if get(entry, "anti") else "podAffinity"
            _pod_affinity(entry, place, rules.setdefault(kind, {}))
        made: dict[str, dict[str, Any]] = {kind: dict(rule) for kind, rule in rules.items() if rule}
        if terms := made.get("nodeAffinity", {}).get(AFFINITY_RULES[0]):
            made["nodeAffinity"][AFFINITY_RULES[0]] = {"nodeSelectorTerms": terms}
        return made

    def _node_affinity(self, entry: Json, place: str, rules: dict[str, list[Any]]) -> None:
        required, preferred = AFFINITY_RULES
        term = _given({name: get(entry, name) for name in ("matchExpressions", "matchFields")})
        weight = get(entry, "weight")
        if term and weight is not None:
            rules.setdefault(preferred, []).append({"weight": _whole(weight, f"{place}.weight"), "preference": term})
        elif term:
            rules.setdefault(required, []).append(term)
        spec = get(entry, "nodeAffinityJson")
        if spec is None:
            return
        place = f"{place}.nodeAffinityJson"
        value = self.value(spec, place)
        if value is None:
            return
        if not isinstance(value, dict):
            raise _problem(place, f"expected an object, got {describe(value)}")
        own = value.get(required)
        if own is not None:
            terms = own.get("nodeSelectorTerms") if isinstance(own, dict) else own
            rules.setdefault(required, []).extend(_sequence(terms, f"{place}.{required}"))
        if value.get(preferred) is not None:
            rules.setdefault(preferred, []).extend(_sequence(value[preferred], f"{place}.{preferred}"))


# ---- shapes


def _toleration(entry: Json, place: str) -> Json:
    made: dict[str, Any] = _given({name: get(entry, name) for name in ("key", "operator", "value", "effect")})
    seconds = get(entry, "tolerationSeconds")
    if seconds is not None:
        made["tolerationSeconds"] = _whole(seconds, f"{place}.tolerationSeconds")
    return made


def _pod_affinity(entry: Json, place: str, rules: dict[str, list[Any]]) -> None:
    """One term; KFP's backend ignores the field, its message says what it means."""
    term = _given(
        {
            "labelSelector": _selector(get(entry, "matchPodExpressions"), get(entry, "matchPodLabels")),
            "topologyKey": _text(entry, "topologyKey", place),
            "namespaces": get(entry, "namespaces"),
            "namespaceSelector": _selector(get(entry, "matchNamespaceExpressions"), get(entry, "matchNamespaceLabels")),
        }
    )
    weight = get(entry, "weight")
    if weight is None:
        rules.setdefault(AFFINITY_RULES[0], []).append(term)
    else:
        weighed = {"weight": _whole(weight, f"{place}.weight"), "podAffinityTerm": term}
        rules.setdefault(AFFINITY_RULES[1], []).append(weighed)


def _selector(expressions: Any, labels: Any) -> Json:
    return _given({"matchExpressions": expressions, "matchLabels": labels})


def _claim_template(entry: Json, place: str) -> Json:
    """The claim of a generic ephemeral volume: metadata and spec."""
    spec: dict[str, Any] = {
        "accessModes": get(entry, "accessModes") or ["ReadWriteOnce"],
        "resources": {"requests": {"storage": _text(entry, "size", place)}},
    }
    if not get(entry, "defaultStorageClass"):
        spec["storageClassName"] = get(entry, "storageClassName") or ""
    metadata = get(entry, "metadata") or {}
    return _given({"metadata": _given(dict(metadata)), "spec": spec})


def _security_context(entry: Json) -> Json:
    made: dict[str, Any] = {}
    for name in ("runAsUser", "runAsGroup"):
        if get(entry, name) is not None:
            made[name] = _whole(get(entry, name), f"securityContext.{name}")
    if get(entry, "runAsNonRoot") is not None:
        made["runAsNonRoot"] = bool(get(entry, "runAsNonRoot"))
    return made


def _init_container(entry: Json) -> Json:
    names = ("name", "image", "command", "args", "env", "restartPolicy", "resources")
    mounts = [
        {"name": get(one, "volumeName"), "mountPath": get(one, "mountPath")} for one in get(entry, "volumeMounts") or ()
    ]
    return _given({**{name: get(entry, name) for name in names}, "volumeMounts": mounts})


# ---- reading


def _constant(runtime: Json) -> Value:
    if "constant" in runtime:
        value: Value = runtime["constant"]
        return value
    legacy = get(runtime, "constantValue") or {}
    return next((get(legacy, name) for name in LEGACY_VALUES if get(legacy, name) is not None), None)


def _object(document: Json, name: str) -> Json:
    value = get(document, name) or {}
    if not isinstance(value, Mapping):
        raise _problem(name, f"expected an object, got {describe(value)}")
    return value


def _list(document: Json, name: str, inside: str = "") -> list[tuple[str, Json]]:
    """The entries of a list, each with its place."""
    place = f"{inside}.{name}" if inside else name
    return [(f"{place}[{number}]", one) for number, one in enumerate(_sequence(get(document, name) or [], place))]


def _sequence(value: Any, place: str) -> Sequence[Any]:
    if not isinstance(value, list) or not all(isinstance(one, Mapping) for one in value):
        raise _problem(place, f"expected a list of objects, got {describe(value)}")
    return value


def _text(entry: Json, name: str, place: str) -> str:
    value = get(entry, name)
    if not isinstance(value, str) or not value:
        raise _problem(f"{place}.{name}", f"expected a text that is not empty, got {describe(value)}")
    return value


def _whole(value: Any, place: str) -> int:
    try:
        return int(value)
    except (TypeError, ValueError):
        raise _problem(place, f"expected a whole number, got {describe(value)}") from None


def _path(entry: Json, place: str) -> str:
    path = _text(entry, "mountPath", place)
    if not path.startswith("/"):
        raise _problem(f"{place}.mountPath", f"'{path}' is not an absolute path")
    return path


def _texts(value: Any, place: str) -> Mapping[str, str]:
    if value is None:
        return {}
    if not isinstance(value, Mapping) or not all(isinstance(one, str) for one in value.values()):
        raise _problem(place, f"expected an object whose values are texts, got {describe(value)}")
    return dict(value)


def _given(entry: Mapping[str, Any]) -> dict[str, Any]:
    """Without what is null or empty."""
    return {name: value for name, value in entry.items() if value not in (None, "", [], {})}


def _problem(place: str, sentence: str) -> TaskProblem:
    return TaskProblem("InputResolution", f"the platform setting {place}: {sentence}")
