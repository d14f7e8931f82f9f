"""Kubernetes settings of an executor: fields, names, paths, modes and quantities that Kubernetes would refuse later.

Texts that hold placeholders are judged when they have a value. What the settings do is decided where Pods are built.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from headrace_ir.checks.kubernetes_scheduling import check_node_affinity, check_pod_affinity, check_toleration
from headrace_ir.checks.names import env_problem, label_map_problems, name_problem, volume_problem
from headrace_ir.checks.quantities import quantity_problem
from headrace_ir.kubernetes_fields import camel
from headrace_ir.problems import Problem, hint
from headrace_ir.schema import describe, read_message

Tree = Mapping[str, Any]

ACCESS_MODES: Final = ("ReadWriteOnce", "ReadOnlyMany", "ReadWriteMany", "ReadWriteOncePod")
_PULL_POLICIES: Final = ("Always", "Never", "IfNotPresent")
_RESERVED_CONTAINERS: Final = ("main", "companion", "kfp-launcher")
_FIELD_PATH: Final = re.compile(
    r"metadata\.(name|namespace|uid)|metadata\.(labels|annotations)\['[^']+'\]"
    r"|spec\.(nodeName|serviceAccountName)|status\.(hostIPs?|podIPs?)"
)
_MEDIUM: Final = re.compile(r"|Memory|HugePages(-.+)?")
# Field of the settings, of the name in it, and what the name is of.
_NAMED: Final = {
    "secret_as_volume": ("secret_name", "secret"),
    "secret_as_env": ("secret_name", "secret"),
    "config_map_as_volume": ("config_map_name", "config map"),
    "config_map_as_env": ("config_map_name", "config map"),
    "image_pull_secret": ("secret_name", "secret"),
    "pvc_mount": ("pvc_name", "volume claim"),
}
_KEYS: Final = {"secret_as_env": "secret_key", "config_map_as_env": "config_map_key"}
_MOUNTED: Final = (
    "secret_as_volume",
    "config_map_as_volume",
    "pvc_mount",
    "generic_ephemeral_volume",
    "empty_dir_mounts",
)


def check_settings(settings: Tree, path: str) -> Iterator[Problem]:
    """Every problem of the settings of one executor."""
    found: list[Problem] = []
    tree = read_message(settings, "KubernetesExecutorConfig", path, found)
    yield from found
    for field, (name, what) in _NAMED.items():
        for place, entry in _entries(tree, field, path):
            yield from _reference(entry, name, what, place)
            if field in _KEYS:
                yield from _keys(entry, _KEYS[field], place)
    yield from _mounts(tree, path)
    yield from _volumes(tree, path)
    yield from _environment(tree, path)
    yield from _scheduling(tree, path)
    yield from _pod(tree, path)
    yield from _init_containers(tree, path)


def _entries(tree: Tree, field: str, path: str) -> Iterator[tuple[str, Tree]]:
    for index, entry in enumerate(tree.get(field, ())):
        yield f"{path}.{camel(field)}[{index}]", entry


def _reference(entry: Tree, name: str, what: str, path: str) -> Iterator[Problem]:
    """The name of a secret, config map or claim: given as text, or by an input parameter."""
    parameter = f"{name}_parameter"
    texts = {f"{path}.{camel(key)}": entry[key] for key in (name, "constant") if entry.get(key)}
    if parameter in entry:
        place, given = f"{path}.{camel(parameter)}", entry[parameter]
        constant = given.get("runtime_value", {}).get("constant")
        if constant is not None:
            texts[f"{place}.runtimeValue.constant"] = constant
        elif not given.keys() & {"component_input_parameter", "task_output_parameter"}:
            sources = "'componentInputParameter', 'taskOutputParameter' or 'runtimeValue' with a constant"
            yield Problem(place, f"has no source for the name of the {what}: expected {sources}")
    elif not texts and not entry.keys() & {"component_input_parameter", "task_output_parameter"}:
        yield Problem(f"{path}.{camel(parameter)}", f"required: the name of the {what}")
    for place, text in texts.items():
        problem = name_problem(text, f"the name of a {what}")
        if problem:
            yield Problem(place, problem)


def _keys(entry: Tree, key: str, path: str) -> Iterator[Problem]:
    for index, pair in enumerate(entry.get("key_to_env", ())):
        place = f"{path}.keyToEnv[{index}]"
        if not pair.get(key):
            yield Problem(f"{place}.{camel(key)}", "required: the key whose value the variable gets")
        problem = env_problem(pair.get("env_var", ""))
        if problem:
            yield Problem(f"{place}.envVar", problem)


def _mounts(tree: Tree, path: str) -> Iterator[Problem]:
    first: dict[str, str] = {}
    for field in _MOUNTED:
        for place, entry in _entries(tree, field, path):
            mount = entry.get("mount_path", "")
            problem = _path_problem(mount)
            if problem:
                yield Problem(f"{place}.mountPath", problem)
            elif mount.rstrip("/") in first:
                other = first[mount.rstrip("/")].removeprefix(f"{path}.")
                yield Problem(f"{place}.mountPath", f"'{mount}' is mounted already, by {other}")
            else:
                first[mount.rstrip("/")] = place
            sub_path = entry.get("sub_path", "")
            if sub_path.startswith("/") or ".." in sub_path.split("/"):
                yield Problem(f"{place}.subPath", f"expected a path within the volume, got '{sub_path[:60]}'")


def _path_problem(path: str) -> str | None:
    if "{{$" in path:
        return None
    if not path:
        return "required: where the volume is mounted, such as '/data'"
    if not path.startswith("/") or ":" in path:
        return f"expected an absolute path without ':', got '{path[:60]}'"
    return None


def _volumes(tree: Tree, path: str) -> Iterator[Problem]:
    shared = tree.get("enabled_shared_memory")
    places = [*_entries(tree, "generic_ephemeral_volume", path), *_entries(tree, "empty_dir_mounts", path)]
    first: dict[str, str] = {}
    for place, entry in [*places, *([(f"{path}.enabledSharedMemory", shared)] if shared is not None else [])]:
        name = entry.get("volume_name", "")
        problem = volume_problem(name)
        if problem is None and name in first:
            problem = f"the volume '{name}' exists already, by {first[name].removeprefix(f'{path}.')}"
        first.setdefault(name, place)
        if problem:
            yield Problem(f"{place}.volumeName", problem)
        for field in ("size", "size_limit"):
            if entry.get(field) and (wrong := quantity_problem(entry[field], positive=True)):
                yield Problem(f"{place}.{camel(field)}", wrong)
        if not _MEDIUM.fullmatch(entry.get("medium", "")):
            yield Problem(f"{place}.medium", f"expected 'Memory' or nothing, got '{entry['medium'][:60]}'")
    for place, entry in _entries(tree, "generic_ephemeral_volume", path):
        if not entry.get("size"):
            yield Problem(f"{place}.size", "required: the size of the volume, such as '10Gi'")
        yield from access_mode_problems(entry.get("access_modes", []), f"{place}.accessModes")
        metadata = entry.get("metadata", {})
        yield from label_map_problems(metadata.get("labels", {}), f"{place}.metadata.labels")


def access_mode_problems(modes: Any, path: str) -> Iterator[Problem]:
    """At least one access mode, each a known one."""
    if not isinstance(modes, list) or not modes:
        yield Problem(path, f"expected a list with at least one access mode, got {describe(modes or [])}")
        return
    for index, mode in enumerate(modes):
        if mode not in ACCESS_MODES and "{{$" not in str(mode):
            text = mode if isinstance(mode, str) else ""
            end = hint(text, ACCESS_MODES, kind="access modes")
            yield Problem(f"{path}[{index}]", f"unknown access mode {describe(mode)}; {end}")


def _environment(tree: Tree, path: str) -> Iterator[Problem]:
    for place, entry in _entries(tree, "field_path_as_env", path):
        problem = env_problem(entry.get("name", ""))
        if problem:
            yield Problem(f"{place}.name", problem)
        field = entry.get("field_path", "")
        if not _FIELD_PATH.fullmatch(field) and "{{$" not in field:
            example = "expected a field of the Pod such as 'metadata.name', \"metadata.labels['x']\" or 'spec.nodeName'"
            yield Problem(f"{place}.fieldPath", f"{example}, got {describe(field)}")


def _scheduling(tree: Tree, path: str) -> Iterator[Problem]:
    for place, entry in _entries(tree, "tolerations", path):
        yield from check_toleration(entry, place)
    for place, entry in _entries(tree, "node_affinity", path):
        yield from check_node_affinity(entry, place)
    for place, entry in _entries(tree, "pod_affinity", path):
        yield from check_pod_affinity(entry, place)
    selector = tree.get("node_selector", {})
    yield from label_map_problems(selector.get("labels", {}), f"{path}.nodeSelector.labels")
    constant = selector.get("node_selector_json", {}).get("runtime_value", {}).get("constant")
    if constant is not None:
        place = f"{path}.nodeSelector.nodeSelectorJson.runtimeValue.constant"
        if isinstance(constant, dict):
            yield from label_map_problems(constant, place)
        elif not (isinstance(constant, str) and "{{$" in constant):
            yield Problem(place, f"expected an object of labels and their values, got {describe(constant)}")
    for place, entry in _entries(tree, "pod_resource_claims", path):
        if not entry.get("resource_claim_template_name") and not entry.get("resource_claim_json"):
            yield Problem(f"{place}.resourceClaimTemplateName", "required: the name of a resource claim template")


def _pod(tree: Tree, path: str) -> Iterator[Problem]:
    policy = tree.get("image_pull_policy", "")
    if policy and policy not in _PULL_POLICIES and "{{$" not in policy:
        yield Problem(f"{path}.imagePullPolicy", f"expected one of {', '.join(_PULL_POLICIES)}, got {describe(policy)}")
    if tree.get("active_deadline_seconds", 0) < 0:
        yield Problem(f"{path}.activeDeadlineSeconds", "must be 0 (none) or more")
    metadata = tree.get("pod_metadata", {})
    yield from label_map_problems(metadata.get("labels", {}), f"{path}.podMetadata.labels")
    yield from label_map_problems(metadata.get("annotations", {}), f"{path}.podMetadata.annotations", values=False)
    context = tree.get("security_context", {})
    for field in ("run_as_user", "run_as_group"):
        if context.get(field, 0) < 0:
            yield Problem(f"{path}.securityContext.{camel(field)}", "must be 0 or more")
    if context.get("run_as_non_root") is True and context.get("run_as_user") == 0:
        message = "runAsUser is 0 (root) and runAsNonRoot is true; only one of them can hold"
        yield Problem(f"{path}.securityContext", message)


def _init_containers(tree: Tree, path: str) -> Iterator[Problem]:
    seen: set[str] = set()
    for place, entry in _entries(tree, "init_containers", path):
        name = entry.get("name", "")
        problem = name_problem(name, "the name of a container", label=True) if name else "required: a name of its own"
        if name in _RESERVED_CONTAINERS:
            problem = f"'{name}' is a container of the platform's own; choose another name"
        elif name in seen:
            problem = f"another init container is called '{name}' already"
        seen.add(name)
        if problem:
            yield Problem(f"{place}.name", problem)
        yield from _init_container(entry, place)


def _init_container(entry: Tree, place: str) -> Iterator[Problem]:
    if not entry.get("image"):
        yield Problem(f"{place}.image", "required: the image that the container runs")
    for index, variable in enumerate(entry.get("env", ())):
        if wrong := env_problem(variable.get("name", "")):
            yield Problem(f"{place}.env[{index}].name", wrong)
    for index, mount in enumerate(entry.get("volume_mounts", ())):
        if not mount.get("volume_name"):
            yield Problem(f"{place}.volumeMounts[{index}].volumeName", "required: the volume that is mounted")
        if wrong := _path_problem(mount.get("mount_path", "")):
            yield Problem(f"{place}.volumeMounts[{index}].mountPath", wrong)
    if entry.get("restart_policy", "") not in ("", "Always"):
        expected = "expected 'Always' (it then runs beside the task) or nothing"
        yield Problem(f"{place}.restartPolicy", f"{expected}, got {describe(entry['restart_policy'])}")
    for kind, amounts in entry.get("resources", {}).items():
        for key, amount in amounts.items():
            if wrong := quantity_problem(amount):
                yield Problem(f"{place}.resources.{kind}.{key}", wrong)
