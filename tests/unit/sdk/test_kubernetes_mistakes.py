"""What `headrace.kubernetes` refuses: each mistake is one sentence with the user's file and line."""

from __future__ import annotations

import pytest

from headrace import dsl
from headrace import kubernetes as k
from headrace.dsl.context import Construction, building
from headrace.dsl.mistakes import DefinitionError


@dsl.component
def work(number: int = 0) -> dsl.Model:
    raise NotImplementedError


@dsl.pipeline
def whole(number: int = 0):
    work(number=number)


def task(component=work):
    """A task of a pipeline that is being built."""
    with building(Construction("p")):
        return component()


def artifact():
    return task().output


def number():
    """An input of a pipeline, which is known when it runs."""
    found = []

    @dsl.pipeline
    def holding(number: int):
        found.append(number)
        work(number=number)

    return found[0]


MISTAKES = [
    (
        lambda: k.use_accelerator(task(), "H100|A100"),
        "kubernetes.use_accelerator() takes alternatives as a list of products, got 'H100|A100'",
    ),
    (
        lambda: k.use_accelerator(task(), "H100", count=0),
        "kubernetes.use_accelerator() takes a whole number of 1 or more as 'count', got 0",
    ),
    (
        lambda: k.use_accelerator(task(), memory="forty"),
        "kubernetes.use_accelerator() takes memory such as '40GiB' as 'memory', got 'forty'",
    ),
    (
        lambda: k.use_accelerator(task(), mig="1g"),
        "kubernetes.use_accelerator() takes a MIG profile such as '1g.10gb' as 'mig', got '1g'",
    ),
    (
        lambda: k.use_accelerator(task(), mig="1g.10gb", resource="amd.com/gpu"),
        "kubernetes.use_accelerator() takes 'mig' for 'nvidia.com/gpu' alone, got the resource 'amd.com/gpu'",
    ),
    (
        lambda: k.use_accelerator(task(), number()),
        "kubernetes.use_accelerator() takes 'product' only as a constant, and got 'number', which is known when the "
        "pipeline runs; write the text itself",
    ),
    (
        lambda: k.set_timeout("work", 3),
        "kubernetes.set_timeout() takes a task of a pipeline first, got 'work'; "
        "call a component inside a pipeline and hand over what it returns",
    ),
    (
        lambda: k.add_pod_label(task(whole), "a", "b"),
        "kubernetes.add_pod_label() cannot be used on 'whole', which is a whole pipeline and has no Pod of its own; "
        "use it on the tasks inside that pipeline",
    ),
    (
        lambda: k.use_secret_as_env(task(), 3, {}),
        "kubernetes.use_secret_as_env() takes text or a parameter of the pipeline as 'secret_name', got 3; "
        "pass a constant, an input of the pipeline or a task's output parameter",
    ),
    (
        lambda: k.mount_pvc(task(), artifact(), "/x"),
        "kubernetes.mount_pvc() takes text or a parameter of the pipeline as 'pvc_name', got an artifact; "
        "pass a constant, an input of the pipeline or a task's output parameter",
    ),
    (
        lambda: k.use_secret_as_env(task(), "s", {"key": 3}),
        "kubernetes.use_secret_as_env() takes a dict of texts as 'secret_key_to_env', got the pair 'key': 3; "
        "put both in quotes",
    ),
    (
        lambda: k.use_config_map_as_env(task(), "c", ["key"]),
        "kubernetes.use_config_map_as_env() takes a dict of texts as 'config_map_key_to_env', got a value of type list",
    ),
    (
        lambda: k.use_secret_as_volume(task(), "s", "/s", optional="yes"),
        "kubernetes.use_secret_as_volume() takes True or False as 'optional', got 'yes'",
    ),
    (
        lambda: k.add_pod_label(task(), "build", 7),
        "kubernetes.add_pod_label() takes text as 'label_value', got 7; put it in quotes",
    ),
    (
        lambda: k.add_pod_label(task(), "build", number()),
        "kubernetes.add_pod_label() takes 'label_value' only as a constant, and got 'number', which is known when the "
        "pipeline runs; write the text itself",
    ),
    (
        lambda: k.set_image_pull_secrets(task(), "one"),
        "kubernetes.set_image_pull_secrets() takes a list as 'secret_names', got 'one'; put it in brackets",
    ),
    (
        lambda: k.set_image_pull_policy(task(), "always"),
        "kubernetes.set_image_pull_policy() takes one of Always, Never, IfNotPresent as 'policy', got 'always'",
    ),
    (
        lambda: k.set_timeout(task(), -1),
        "kubernetes.set_timeout() takes a whole number of 0 or more as 'seconds', got -1",
    ),
    (lambda: k.set_timeout(task(), True), "kubernetes.set_timeout() takes a whole number as 'seconds', got True"),
    (
        lambda: k.set_security_context(task()),
        "kubernetes.set_security_context() was given nothing to set; "
        "pass 'run_as_user', 'run_as_group' or 'run_as_non_root'",
    ),
    (
        lambda: k.add_ephemeral_volume(task(), "v", "/v", "ReadWriteOnce", "5Gi"),
        "kubernetes.add_ephemeral_volume() takes a list of texts as 'access_modes', got 'ReadWriteOnce'",
    ),
    (
        lambda: k.add_toleration(task(), effect="Never"),
        "kubernetes.add_toleration() takes one of NoExecute, NoSchedule, PreferNoSchedule as 'effect', got 'Never'",
    ),
    (
        lambda: k.add_toleration_json(task(), [{"key": "a", "effects": "NoExecute"}]),
        "a toleration has no field 'effects'; it has key, operator, value, effect and tolerationSeconds",
    ),
    (
        lambda: k.add_toleration_json(task(), "gpu"),
        "kubernetes.add_toleration_json() takes a dict, a list of dicts or a parameter of the pipeline as 'toleration_json', "
        "got 'gpu'",
    ),
    (
        lambda: k.add_node_affinity(task(), weight=101),
        "kubernetes.add_node_affinity() takes a whole number from 1 to 100 as 'weight', got 101",
    ),
    (
        lambda: k.add_node_affinity(task(), [{"operator": "In"}]),
        "kubernetes.add_node_affinity() needs 'key' in 'match_expressions[0]'; it is missing or empty",
    ),
    (
        lambda: k.add_node_affinity(task(), match_fields=[{"key": "a", "operator": "Is"}]),
        "kubernetes.add_node_affinity() takes one of In, NotIn, Exists, DoesNotExist, Gt, Lt as 'match_fields[0].operator', "
        "got 'Is'",
    ),
    (
        lambda: k.add_node_affinity(task(), ["a"]),
        "kubernetes.add_node_affinity() takes a dict with 'key' and 'operator' as 'match_expressions[0]', got 'a'",
    ),
    (
        lambda: k.add_node_affinity_json(task(), {"required": []}),
        "an affinity to nodes has no field 'required'; it has requiredDuringSchedulingIgnoredDuringExecution and "
        "preferredDuringSchedulingIgnoredDuringExecution",
    ),
    (
        lambda: k.add_pod_affinity(task(), ""),
        "kubernetes.add_pod_affinity() needs a node's label as 'topology_key', such as 'kubernetes.io/hostname'",
    ),
    (
        lambda: k.add_init_container(task(), "", "busybox"),
        "kubernetes.add_init_container() needs a name for the container; pass 'name', such as 'fetch'",
    ),
    (
        lambda: k.add_init_container(task(), "main", "busybox"),
        "kubernetes.add_init_container() cannot use 'main', which is the platform's own container; choose another name",
    ),
    (
        lambda: k.add_init_container(task(), "fetch", ""),
        "kubernetes.add_init_container() needs an image for 'fetch'; pass 'image', such as 'busybox:1.37'",
    ),
    (
        lambda: k.add_init_container(k.add_init_container(task(), "fetch", "busybox"), "fetch", "busybox"),
        "this task has an init container called 'fetch' already; choose another name",
    ),
    (
        lambda: k.add_init_container(task(), "fetch", "busybox", volume_mounts={"data": "data"}),
        "kubernetes.add_init_container() mounts 'data' at 'data', which is no absolute path; begin it with '/'",
    ),
]


@pytest.mark.parametrize(("call", "message"), MISTAKES)
def test_mistakes(call, message):
    with pytest.raises(DefinitionError) as caught:
        call()
    assert str(caught.value) == f"{__file__}:{call.__code__.co_firstlineno}: {message}"


def test_what_only_ours_has():
    made = task()
    k.add_init_container(
        made, "fetch", "busybox", ["sh"], ["-c", "x"], {"A": "b"}, {"v": "/v"}, "Always", {"cpu": "1"}, {"cpu": "2"}
    )
    k.use_shared_memory(made, "2Gi")
    k.add_pod_affinity(made, "host", {"app": "x"}, weight=3, anti=True)
    assert made.platform_config["kubernetes"] == {
        "initContainers": [
            {
                "name": "fetch",
                "image": "busybox",
                "command": ["sh"],
                "args": ["-c", "x"],
                "env": [{"name": "A", "value": "b"}],
                "volumeMounts": [{"volumeName": "v", "mountPath": "/v"}],
                "restartPolicy": "Always",
                "resources": {"requests": {"cpu": "1"}, "limits": {"cpu": "2"}},
            }
        ],
        "enabledSharedMemory": {"volumeName": "shared-memory", "size": "2Gi"},
        "podAffinity": [{"topologyKey": "host", "matchPodLabels": {"app": "x"}, "weight": 3, "anti": True}],
    }


def test_a_toleration_may_be_spelled_as_kubernetes_spells_it():
    made = k.add_toleration_json(task(), {"key": "gpu", "effect": "NoExecute", "tolerationSeconds": 5})
    assert made.platform_config["kubernetes"]["tolerations"] == [
        {"key": "gpu", "effect": "NoExecute", "tolerationSeconds": "5"}
    ]
