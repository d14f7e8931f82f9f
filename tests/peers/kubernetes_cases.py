"""Calls of the Kubernetes surface, run on KFP's SDK and on ours: `kubernetes_cases.py` prints what KFP's makes of them as JSON.

Runs inside the peer environment (.venv-kfp) as a program; test_kubernetes_surface.py imports it for the same calls on ours.
"""

# No postponed annotations here: kfp.dsl reads them.

import inspect
import json
from collections.abc import Callable
from typing import Any

CLAIMS = ("CreatePVC", "DeletePVC")
# Each takes the module `kubernetes`, the task that is set up, the outputs of earlier tasks (text, object) and the inputs of the
# pipeline (text, object).
CASES: dict[str, Callable[..., Any]] = {
    "secret as env": lambda k, task, *_: k.use_secret_as_env(task, "s", {"user": "USER", "word": "WORD"}),
    "secret as env, optional": lambda k, task, *_: k.use_secret_as_env(task, "s", {"user": "USER"}, optional=True),
    "secret as env, from a task": lambda k, task, text, *_: k.use_secret_as_env(task, text, {"user": "USER"}),
    "secret as env, from an input": lambda k, task, _t, _o, name, _d: k.use_secret_as_env(task, name, {"user": "USER"}),
    "secret as env, no keys": lambda k, task, *_: k.use_secret_as_env(task, "s", {}),
    "secret as volume": lambda k, task, *_: k.use_secret_as_volume(task, secret_name="s", mount_path="/s"),
    "secret as volume, from a task": lambda k, task, text, *_: k.use_secret_as_volume(task, text, "/s", True),
    "secret as volume, odd path": lambda k, task, *_: k.use_secret_as_volume(task, "s", "there"),
    "config map as env": lambda k, task, *_: k.use_config_map_as_env(task, "c", {"a": "A"}),
    "config map as env, from an input": lambda k, task, _t, _o, name, _d: k.use_config_map_as_env(
        task, name, {"a": "A"}
    ),
    "config map as volume": lambda k, task, *_: k.use_config_map_as_volume(task, "c", "/c", optional=True),
    "config map as volume, from a task": lambda k, task, text, *_: k.use_config_map_as_volume(task, text, "/c"),
    "field path": lambda k, task, *_: k.use_field_path_as_env(task, env_name="POD", field_path="metadata.name"),
    "claim": lambda k, task, *_: k.mount_pvc(task, pvc_name="data", mount_path="/data"),
    "claim, part": lambda k, task, *_: k.mount_pvc(task, "data", "/data", sub_path="a/b"),
    "claim, from a task": lambda k, task, text, *_: k.mount_pvc(task, text, "/data"),
    "claim, from an input": lambda k, task, _t, _o, name, _d: k.mount_pvc(task, name, "/data", "a"),
    "ephemeral volume": lambda k, task, *_: k.add_ephemeral_volume(task, "v", "/v", ["ReadWriteOnce"], "5Gi"),
    "ephemeral volume, whole": lambda k, task, *_: k.add_ephemeral_volume(
        task, "v", "/v", ["ReadWriteOnce", "ReadOnlyMany"], "5Gi", "fast", {"a": "b"}, {"c": ""}
    ),
    "ephemeral volume, no class": lambda k, task, *_: k.add_ephemeral_volume(task, "v", "/v", [], "5Gi", ""),
    "empty folder": lambda k, task, *_: k.empty_dir_mount(task, "v", "/v"),
    "empty folder, whole": lambda k, task, *_: k.empty_dir_mount(task, "v", "/v", medium="Memory", size_limit="1Gi"),
    "empty folder, empty texts": lambda k, task, *_: k.empty_dir_mount(task, "v", "/v", "", ""),
    "pull policy": lambda k, task, *_: k.set_image_pull_policy(task, "Never"),
    "pull secrets": lambda k, task, *_: k.set_image_pull_secrets(task, ["a", "b"]),
    "pull secrets, dynamic": lambda k, task, text, _o, name, _d: k.set_image_pull_secrets(task, ["a", name, text]),
    "pull secrets, none": lambda k, task, *_: k.set_image_pull_secrets(task, []),
    "time-out": lambda k, task, *_: k.set_timeout(task, 20),
    "no time-out": lambda k, task, *_: k.set_timeout(k.set_timeout(task, 20), 0),
    "user": lambda k, task, *_: k.set_security_context(task, 65534, run_as_non_root=True),
    "user 0": lambda k, task, *_: k.set_security_context(task, run_as_user=0, run_as_group=0, run_as_non_root=False),
    "label": lambda k, task, *_: k.add_pod_label(task, label_key="app", label_value="x"),
    "label, replaced": lambda k, task, *_: k.add_pod_label(k.add_pod_label(task, "app", "x"), "app", ""),
    "annotation": lambda k, task, *_: k.add_pod_annotation(task, annotation_key="a", annotation_value="b"),
    "node selector": lambda k, task, *_: k.add_node_selector(task, label_key="disk", label_value="ssd"),
    "node selector, object": lambda k, task, *_: k.add_node_selector_json(task, {"disk": "ssd"}),
    "node selector, from a task": lambda k, task, _t, found, *_: k.add_node_selector_json(task, found),
    "node selector, from an input": lambda k, task, _t, _o, _n, given: k.add_node_selector_json(task, given),
    "toleration": lambda k, task, *_: k.add_toleration(task, "gpu", "Equal", "yes", "NoExecute", 20),
    "toleration, 0 seconds": lambda k, task, *_: k.add_toleration(task, operator="Exists", toleration_seconds=0),
    "toleration, none": lambda k, task, *_: k.add_toleration(task),
    "toleration, object": lambda k, task, *_: k.add_toleration_json(
        task, {"key": "gpu", "operator": "Exists", "toleration_seconds": 3}
    ),
    "toleration, list": lambda k, task, *_: k.add_toleration_json(
        task, [{"key": "a"}, {"key": "b", "effect": "NoSchedule"}]
    ),
    "toleration, from an input": lambda k, task, _t, _o, _n, given: k.add_toleration_json(task, given),
    "node affinity": lambda k, task, *_: k.add_node_affinity(
        task, [{"key": "a", "operator": "In", "values": ["x", "y"]}], [{"key": "f", "operator": "Exists"}], weight=7
    ),
    "node affinity, none": lambda k, task, *_: k.add_node_affinity(task),
    "node affinity, object": lambda k, task, *_: k.add_node_affinity_json(
        task,
        {
            "requiredDuringSchedulingIgnoredDuringExecution": {
                "nodeSelectorTerms": [{"matchExpressions": [{"key": "a", "operator": "Gt", "values": ["3"]}]}]
            }
        },
    ),
    "node affinity, the last one stays": lambda k, task, _t, found, _n, given: k.add_node_affinity_json(
        k.add_node_affinity(k.add_node_affinity_json(task, found), weight=3), given
    ),
    "much at once": lambda k, task, text, _o, name, _d: [
        k.mount_pvc(task, text, "/a"),
        k.mount_pvc(task, name, "/b"),
        k.use_secret_as_env(task, "s", {"a": "A"}),
        k.add_pod_label(task, "a", "b"),
        k.add_pod_annotation(task, "a", "b"),
        k.add_node_selector(task, "a", "b"),
        k.add_node_selector_json(task, {"c": "d"}),
    ],
}


def signatures(kubernetes: Any) -> dict[str, list[list[Any]]]:
    """Name, default and kind of every parameter of every function of KFP's surface."""
    return {
        name: [
            [one.name, None if one.default is one.empty else repr(one.default), str(one.kind)]
            for one in inspect.signature(getattr(kubernetes, name)).parameters.values()
        ]
        for name in kubernetes.__all__
        if name not in CLAIMS
    }


def main() -> None:
    from google.protobuf import json_format
    from kfp import dsl, kubernetes

    @dsl.component
    def name() -> str:
        return "x"

    @dsl.component
    def labels() -> dict:
        return {}

    @dsl.component
    def work() -> None:
        pass

    found: dict[str, Any] = {}

    @dsl.pipeline
    def cases(text: str, given: dict) -> None:
        first, second = name(), labels()
        for title, case in CASES.items():
            task = work()
            case(kubernetes, task, first.output, second.output, text, given)
            found[title] = {"config": task.platform_config, "after": sorted(set(task.dependent_tasks))}

    claims = {name: json_format.MessageToDict(getattr(kubernetes, name).pipeline_spec) for name in CLAIMS}
    told = {"all": kubernetes.__all__, "cases": found, "signatures": signatures(kubernetes), "claims": claims}
    print(json.dumps(told))


if __name__ == "__main__":
    main()
