"""Kubernetes settings of a task, each field of kfp-semantics 7.1 to 7.3, with every way to give a name; and what they add to a
Launch in a run.
"""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from builders.specs import container, dag, pipeline
from builders.worlds import RUN_ID, World, values
from headrace_scheduler.engine.commands import AskCache
from headrace_scheduler.engine.placeholders import PlaceholderProblem, Scope
from headrace_scheduler.engine.platform_settings import AFFINITY_RULES, Around, resolve_settings, timeout_s
from headrace_scheduler.engine.problems import TaskProblem
from headrace_scheduler.executors.task_settings import EnvKind, EnvSource, Mount, MountKind, TaskSettings

GIVEN = {"name": "from-input", "number": 3, "tolerations": [{"key": "a", "operator": "Exists"}], "empty": ""}
MADE = {("make", "name"): "from-task", ("make", "selector"): {"disk": "ssd"}}
AROUND = Around(GIVEN.get, lambda task, key: MADE.get((task, key)))
SCOPE = Scope({"own": "mine {{$.inputs.parameters['x']}}", "x": "X"}, output_parameters=frozenset({"o"}))


def resolved(**fields: object) -> TaskSettings:
    return resolve_settings(json.dumps(fields), SCOPE, AROUND)


def refused(**fields: object) -> str:
    with pytest.raises(TaskProblem) as caught:
        resolved(**fields)
    assert caught.value.reason == "InputResolution"
    return caught.value.sentence


def constant(value: object) -> dict[str, object]:
    return {"runtimeValue": {"constant": value}}


FROM_INPUT = {"componentInputParameter": "name"}
FROM_TASK = {"taskOutputParameter": {"producerTask": "make", "outputParameterKey": "name"}}
MISSING = {"componentInputParameter": "not-given"}


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ({"secretNameParameter": constant("fixed")}, "fixed"),
        ({"secretNameParameter": FROM_INPUT}, "from-input"),
        ({"secretNameParameter": FROM_TASK}, "from-task"),
        ({"secretName": "older"}, "older"),
        ({"secret_name": "older"}, "older"),
        ({"secretName": "older", "secretNameParameter": constant("newer")}, "newer"),
        ({"secret_name_parameter": {"component_input_parameter": "name"}}, "from-input"),
        ({"secretNameParameter": {"runtimeValue": {"constantValue": {"stringValue": "legacy"}}}}, "legacy"),
        ({"secretNameParameter": constant("{{$.inputs.parameters['own']}}!")}, "mine {{$.inputs.parameters['x']}}!"),
    ],
)
def test_every_way_to_name_a_secret(given, name):
    pair = {"secretKey": "password", "envVar": "PASSWORD"}
    made = resolved(secretAsEnv=[{**given, "keyToEnv": [pair]}])
    assert made.env == (EnvSource("PASSWORD", EnvKind.SECRET, name, "password"),)


def test_variables_of_all_kinds():
    made = resolved(
        secretAsEnv=[
            {
                "secretName": "s",
                "optional": True,
                "keyToEnv": [{"secretKey": k, "envVar": k.upper()} for k in ("a", "b")],
            }
        ],
        configMapAsEnv=[{"configMapName": "c", "keyToEnv": [{"configMapKey": "k", "envVar": "K"}]}],
        fieldPathAsEnv=[{"name": "POD", "fieldPath": "metadata.name"}],
    )
    assert made.env == (
        EnvSource("A", EnvKind.SECRET, "s", "a", optional=True),
        EnvSource("B", EnvKind.SECRET, "s", "b", optional=True),
        EnvSource("K", EnvKind.CONFIG_MAP, "c", "k"),
        EnvSource("POD", EnvKind.FIELD, "metadata.name"),
    )


def test_mounts_of_all_kinds():
    made = resolved(
        secretAsVolume=[{"secretNameParameter": FROM_INPUT, "mountPath": "/s", "optional": True}],
        configMapAsVolume=[{"configMapName": "c", "mountPath": "/c"}],
        pvcMount=[{"pvcNameParameter": FROM_TASK, "mountPath": "/d", "subPath": "in"}],
        genericEphemeralVolume=[
            {"volumeName": "e", "mountPath": "/e", "accessModes": ["ReadWriteMany"], "size": "5Gi",
             "storageClassName": "", "metadata": {"labels": {"a": "b"}}}
        ],
        emptyDirMounts=[{"volumeName": "m", "mountPath": "/m", "medium": "Memory", "sizeLimit": "1Gi"}],
        enabledSharedMemory={"size": "2Gi"},
    )  # fmt: skip
    claim = {
        "metadata": {"labels": {"a": "b"}},
        "spec": {
            "accessModes": ["ReadWriteMany"],
            "resources": {"requests": {"storage": "5Gi"}},
            "storageClassName": "",
        },
    }
    assert made.mounts == (
        Mount(MountKind.SECRET, "from-input", "/s", optional=True),
        Mount(MountKind.CONFIG_MAP, "c", "/c"),
        Mount(MountKind.CLAIM, "from-task", "/d", sub_path="in"),
        Mount(MountKind.EPHEMERAL, "e", "/e", options=claim),
        Mount(MountKind.EMPTY_DIR, "m", "/m", options={"medium": "Memory", "sizeLimit": "1Gi"}),
        Mount(MountKind.EMPTY_DIR, "shared-memory", "/dev/shm", options={"medium": "Memory", "sizeLimit": "2Gi"}),
    )


def test_the_default_storage_class_is_left_out():
    entry = {"volumeName": "e", "mountPath": "/e", "size": "1Gi", "defaultStorageClass": True}
    options = resolved(genericEphemeralVolume=[entry]).mounts[0].options
    assert options == {"spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}}


@pytest.mark.parametrize(
    ("older", "name"),
    [({"constant": "fixed"}, "fixed"), (FROM_INPUT, "from-input"), (FROM_TASK, "from-task")],
)
def test_the_older_ways_to_name_a_claim(older, name):
    assert resolved(pvcMount=[{**older, "mountPath": "/d"}]).mounts == (Mount(MountKind.CLAIM, name, "/d"),)


def test_where_it_runs():
    term = {"matchExpressions": [{"key": "gpu", "operator": "Exists"}]}
    json_terms = {
        "requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [{"matchFields": ["f"]}]},
        "preferredDuringSchedulingIgnoredDuringExecution": [{"weight": 7, "preference": {}}],
    }
    made = resolved(
        nodeSelector={"labels": {"disk": "hdd"}, "nodeSelectorJson": {**FROM_TASK, "taskOutputParameter": {
            "producerTask": "make", "outputParameterKey": "selector"}}},
        tolerations=[
            {"key": "k", "operator": "Equal", "value": "v", "effect": "NoExecute", "tolerationSeconds": "60"},
            {"tolerationJson": {"componentInputParameter": "tolerations"}},
            {"tolerationJson": constant({"key": "b", "toleration_seconds": 5})},
            {"tolerationJson": constant([])},
            {"tolerationJson": MISSING},
        ],
        nodeAffinity=[term, {**term, "weight": 3}, {"nodeAffinityJson": constant(json_terms)}, {},
                      {"nodeAffinityJson": MISSING}],
        podAffinity=[
            {"matchPodLabels": {"app": "x"}, "topologyKey": "zone", "weight": 2, "anti": True},
            {"matchPodLabels": {"app": "y"}, "topologyKey": "host"},
        ],
    )  # fmt: skip
    assert made.node_selector == {"disk": "ssd"}
    assert made.tolerations == (
        {"key": "k", "operator": "Equal", "value": "v", "effect": "NoExecute", "tolerationSeconds": 60},
        {"key": "a", "operator": "Exists"},
        {"key": "b", "tolerationSeconds": 5},
    )
    required, preferred = json_terms
    assert made.affinity == {
        "nodeAffinity": {
            required: {"nodeSelectorTerms": [term, {"matchFields": ["f"]}]},
            preferred: [{"weight": 3, "preference": term}, {"weight": 7, "preference": {}}],
        },
        "podAntiAffinity": {
            preferred: [
                {
                    "weight": 2,
                    "podAffinityTerm": {"labelSelector": {"matchLabels": {"app": "x"}}, "topologyKey": "zone"},
                }
            ]
        },
        "podAffinity": {required: [{"labelSelector": {"matchLabels": {"app": "y"}}, "topologyKey": "host"}]},
    }


def test_the_rest():
    made = resolved(
        imagePullPolicy="Always",
        imagePullSecret=[{"secretNameParameter": FROM_INPUT}, {"secretNameParameter": MISSING}],
        podMetadata={"labels": {"a": "{{$.inputs.parameters['x']}}"}, "annotations": {"b": "2"}},
        securityContext={"runAsUser": "1000", "runAsNonRoot": True},
        initContainers=[
            {
                "name": "i",
                "image": "busybox",
                "command": ["true"],
                "volumeMounts": [{"volumeName": "v", "mountPath": "/v"}],
            }
        ],
    )
    assert (made.pull_policy, made.pull_secrets) == ("Always", ("from-input",))
    assert (made.labels, made.annotations) == ({"a": "X"}, {"b": "2"})
    assert made.security_context == {"runAsUser": 1000, "runAsNonRoot": True}
    mount = {"name": "v", "mountPath": "/v"}
    assert made.init_containers == ({"name": "i", "image": "busybox", "command": ["true"], "volumeMounts": [mount]},)


@pytest.mark.parametrize("text", ['{"activeDeadlineSeconds": "30"}', '{"active_deadline_seconds": 30}'])
def test_the_time_out(text):
    assert timeout_s(text) == 30
    assert timeout_s("") == timeout_s("{}") == 0


def test_entries_whose_name_was_not_given_are_left_out():
    pairs = [{"secretKey": "k", "configMapKey": "k", "envVar": "E"}]
    made = resolved(
        secretAsEnv=[{"secretNameParameter": MISSING, "keyToEnv": pairs}],
        configMapAsEnv=[{"configMapNameParameter": MISSING, "keyToEnv": pairs}],
        secretAsVolume=[{"secretNameParameter": MISSING, "mountPath": "/s"}],
        configMapAsVolume=[{"configMapNameParameter": MISSING, "mountPath": "/s"}],
        pvcMount=[{"pvcNameParameter": MISSING, "mountPath": "/d"}, {**MISSING, "mountPath": "/d"}],
        nodeSelector={"nodeSelectorJson": MISSING},
        imagePullSecret=[{"secretNameParameter": MISSING}],
    )
    assert made == TaskSettings()


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        (
            {"imagePullSecret": [{"secretNameParameter": {"componentInputParameter": "number"}}]},
            "imagePullSecret[0]: the name of a pull secret must be a text that is not empty, it is NUMBER_INTEGER 3",
        ),
        (
            {"pvcMount": [{"pvcNameParameter": {"componentInputParameter": "empty"}, "mountPath": "/d"}]},
            'the name of a claim must be a text that is not empty, it is STRING ""',
        ),
        (
            {"secretAsVolume": [{"mountPath": "/d"}]},
            "secretAsVolume[0]: the name of a secret is missing; give secretNameParameter or secretName",
        ),
        ({"secretAsVolume": [{"secretName": "s"}]}, "secretAsVolume[0].mountPath: expected a text that is not empty"),
        ({"secretAsVolume": [{"secretName": "s", "mountPath": "d"}]}, "'d' is not an absolute path"),
        (
            {"secretAsVolume": [{"secretNameParameter": {}, "mountPath": "/d"}]},
            "expected componentInputParameter, taskOutputParameter or a constant",
        ),
        (
            {
                "imagePullSecret": [
                    {
                        "secretNameParameter": {
                            "taskOutputParameter": {"producerTask": "make", "outputParameterKey": "none"}
                        }
                    }
                ]
            },
            "the task 'make' has no output 'none'",
        ),
        ({"tolerations": [{"tolerationJson": constant("text")}]}, "expected an object or a list of objects"),
        ({"tolerations": [{"tolerationSeconds": "soon"}]}, "tolerations[0].tolerationSeconds: expected a whole number"),
        ({"nodeSelector": {"nodeSelectorJson": constant({"a": 1})}}, "expected an object whose values are texts"),
        ({"nodeSelector": {"nodeSelectorJson": constant(["a"])}}, "expected an object whose values are texts"),
        (
            {"nodeAffinity": [{"nodeAffinityJson": constant([])}]},
            "nodeAffinity[0].nodeAffinityJson: expected an object",
        ),
        ({"nodeAffinity": [{"matchFields": [1], "weight": "x"}]}, "nodeAffinity[0].weight: expected a whole number"),
        ({"secretAsEnv": {"a": 1}}, "secretAsEnv: expected a list of objects"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(fields, sentence):
    said = refused(**fields)
    assert said.startswith("the platform setting ")
    assert sentence in said


REFERENCE = {"componentInputParameter": "n"}
SELECTED = {**REFERENCE, "parameterExpressionSelector": 'parseJson(string_value)["key"]'}
REFERRING = {
    "secretAsEnv": [{"secretNameParameter": REFERENCE, "keyToEnv": [{"secretKey": "k", "envVar": "K"}]}],
    "configMapAsVolume": [{"configMapNameParameter": REFERENCE, "mountPath": "/x"}],
    "pvcMount": [{**REFERENCE, "mountPath": "/d"}],
    "nodeSelector": {"nodeSelectorJson": REFERENCE},
    "tolerations": [{"tolerationJson": REFERENCE}, {"tolerationJson": SELECTED}],
    "nodeAffinity": [{"nodeAffinityJson": REFERENCE}],
    "imagePullSecret": [{"secretNameParameter": SELECTED}],
}
KEYS = ["key", "tolerationSeconds", "nodeSelectorTerms", "weight", *AFFINITY_RULES]
anything = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 99) | st.sampled_from(["", "x", "{{$}}"]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=3),
    max_leaves=8,
)


@hypothesis_settings(max_examples=200, deadline=None)
@given(st.sampled_from(sorted(REFERRING)), anything)
def test_whatever_a_run_gives_is_a_setting_or_a_sentence(field, value):
    around = Around(lambda name: value, lambda task, key: value)
    said = ""
    try:
        resolve_settings(json.dumps({field: REFERRING[field]}), Scope({}), around)
    except TaskProblem as problem:
        said = problem.sentence
    assert said == "" or said.startswith("the platform setting ")


def test_a_path_of_the_place_where_it_runs_cannot_be_a_setting():
    with pytest.raises(PlaceholderProblem, match="known only where the task runs"):
        resolved(podMetadata={"labels": {"a": "{{$.outputs.parameters['o'].output_file}}"}})


# ---- in a run


def secret_of(spec: dict[str, object]) -> dict[str, object]:
    return {"secretAsEnv": [{"secretNameParameter": spec, "keyToEnv": [{"secretKey": "k", "envVar": "K"}]}]}


def test_references_are_read_in_the_dag_around_the_task_and_order_it():
    worker = container(
        kubernetes=secret_of({"taskOutputParameter": {"producerTask": "z", "outputParameterKey": "Output"}})
    )
    inner = container(kubernetes=secret_of({"componentInputParameter": "item"}))
    body = dag({"item": "STRING"}).task("use", inner)
    flow = pipeline().task("a", worker).task("z", container(outputs={"Output": "STRING"}))
    flow.task("loop", body, items='["one", "two"]')
    world = World(flow).run()
    assert world.outcome == "SUCCEEDED"
    sources = {path: [one.source for one in launch.settings.env] for path, launch in world.launches.items()}
    assert sources == {"a#1": ["z"], "z#1": [], "loop[0]/use#1": ["one"], "loop[1]/use#1": ["two"]}
    assert list(world.launches).index("z#1") < list(world.launches).index("a#1")


def test_a_container_as_a_loops_body_sees_the_dag_around_the_loop():
    worker = container(inputs={"item": "STRING"}, kubernetes=secret_of({"componentInputParameter": "name"}))
    flow = pipeline().input("name").task("loop", worker, items='["one"]')
    world = World(flow, {"name": "s"}).run()
    assert [one.source for one in world.launches["loop[0]#1"].settings.env] == ["s"]


def test_an_optional_input_that_was_not_given_leaves_the_setting_out():
    flow = pipeline().input("name", optional=True)
    flow.task("use", container(kubernetes=secret_of({"componentInputParameter": "name"})))
    world = World(flow).run()
    assert (world.outcome, world.launches["use#1"].settings.env) == ("SUCCEEDED", ())


def test_a_setting_that_gets_no_name_fails_its_task():
    flow = pipeline().input("name")
    flow.task("use", container(kubernetes=secret_of({"componentInputParameter": "name"})))
    world = World(flow, {"name": ""}).run()
    assert world.outcome == "FAILED"
    assert world.error("use").message.startswith("the platform setting secretAsEnv[0]: the name of")


def test_resources_take_placeholders_anywhere_and_numbers():
    resources = {
        "resourceCpuLimit": "{{$.inputs.parameters['cpu']}}",
        "resourceMemoryRequest": "{{$.inputs.parameters['memory']}}Mi",
        "resourceMemoryLimit": "{{$.inputs.parameters['none']}}",
        "accelerator": {
            "resourceType": "{{$.inputs.parameters['vendor']}}/gpu",
            "resourceCount": "{{$.inputs.parameters['count']}}",
        },
    }
    types = {"cpu": "NUMBER_DOUBLE", "memory": "NUMBER_INTEGER", "vendor": "STRING", "count": "NUMBER_INTEGER"}
    step = container(inputs=types, resources=resources).input("none", optional=True)
    given = {"cpu": 1.5, "memory": 64, "vendor": "nvidia.com", "count": 2}
    launch = World(pipeline().task("a", step, given)).run().launches["a#1"]
    assert launch.settings.resources == {
        "limits": {"cpu": "1.5", "nvidia.com/gpu": "2"},
        "requests": {"memory": "64Mi"},
    }
    request = launch.request
    assert (request.cpu, request.memory, request.accelerators, request.accelerator_type) == (
        1.5, 64 * 1024**2, 2, "nvidia.com/gpu",
    )  # fmt: skip


def test_an_amount_that_is_no_quantity_fails_its_task():
    step = container(inputs={"cpu": "STRING"}, resources={"resourceCpuLimit": "{{$.inputs.parameters['cpu']}}"})
    world = World(pipeline().task("a", step, {"cpu": "lots"})).run()
    assert world.error("a").reason == "Resources"
    assert world.error("a").message.startswith("the CPU limit: 'lots' is no quantity")


@pytest.mark.parametrize(
    "given",
    [{"x": "{{$.workspace_path}}/a"}, {"x": "/kfp-workspace/b"}, {"y": {"deep": ["{{$.workspace_path}}"]}}, {}],
)
def test_a_task_that_names_the_workspace_has_its_claim(given):
    step = container().input("x", default="").input("y", "STRUCT", default={})
    launch = World(pipeline().task("a", step, given)).run().launches["a#1"]
    assert launch.settings.workspace_claim == (f"pipeline-{RUN_ID}-kfp-workspace" if given else "")


def test_the_workspace_is_where_the_executor_has_it():
    step = container(["ls", "{{$.workspace_path}}"], inputs={"x": "STRING"}, env={"W": "{{$.workspace_path}}/w"})
    world = World(pipeline().task("a", step, {"x": "{{$.workspace_path}}/x"}), workspaces="/home/w").run()
    launch = world.launches["a#1"]
    assert launch.command == [[{"t": "ls"}], [{"t": f"/home/w/{RUN_ID}"}]]
    assert launch.env == {"W": [{"t": f"/home/w/{RUN_ID}/w"}]}
    assert launch.parameters == {"x": f'"/home/w/{RUN_ID}/x"'}


def test_making_a_claim_is_never_cached():
    create = container([], image="argostub/createpvc", outputs={"name": "STRING"})
    del create.executor["container"]["command"]
    other = container(outputs={"name": "STRING"})
    flow = pipeline().task("create", create, cache=True).task("other", other, cache=True)
    hits = {path: values({"name": "found"}) for path in ("create", "other")}
    world = World(flow, hits=hits, enable_cache=None).run()
    assert set(world.launches) == {"create#1"}


def test_a_claims_task_is_told_what_it_was_given_and_not_its_components_defaults():
    create = container([], image="argostub/createpvc", inputs={"size": "STRING"}, outputs={"name": "STRING"})
    create.input("storage_class_name", default="")
    del create.executor["container"]["command"]
    flow = pipeline().task("create", create, {"size": "1Gi"})
    flow = flow.task("none", create, {"size": "1Gi", "storage_class_name": ""})
    launches = World(flow).run().launches
    assert launches["create#1"].parameters == {"size": '"1Gi"'}
    assert launches["none#1"].parameters == {"size": '"1Gi"', "storage_class_name": '""'}


def test_a_task_in_the_workspace_knows_what_its_pipeline_says_of_it():
    flow = pipeline(config={"workspace": {"size": "1Gi"}}).task("use", container(["ls", "{{$.workspace_path}}"]))
    settings = World(flow).run().launches["use#1"].settings
    assert settings.workspace_claim == f"pipeline-{RUN_ID}-kfp-workspace"
    assert settings.workspace_spec == {"resources": {"requests": {"storage": "1Gi"}}}


def test_the_cache_is_told_what_results_may_depend_on():
    settings = {
        **secret_of(constant("login")),
        "pvcMount": [{"constant": "data", "mountPath": "/d"}],
        "emptyDirMounts": [{"volumeName": "m", "mountPath": "/m"}],
        "tolerations": [{"key": "gpu"}],
    }
    named = container(["echo", "{{$.pipeline_job_uuid}}"], env={"W": "{{$.workspace_path}}"}, kubernetes=settings)
    flow = pipeline().task("named", named, cache=True).task("plain", container(["echo", "x"]), cache=True)
    world = World(flow, enable_cache=None)
    world.tell()
    asked = {one.path: dict(one.ingredients.context) for one in world.commands if isinstance(one, AskCache)}
    assert asked == {
        "named": {
            "pipeline_job_uuid": RUN_ID,
            "workspace_path": "/kfp-workspace",
            "workspace": f"pipeline-{RUN_ID}-kfp-workspace",
            "env K": "secret login k",
            "mount /d": "claim data ",
        },
        "plain": {},
    }


def test_which_accelerators_may_be_known_only_at_run_time_and_an_annotation_says_more():
    resources = {"accelerator": {"resourceType": "{{$.inputs.parameters['kind']}}", "resourceCount": "2"}}
    said = {"podMetadata": {"annotations": {"headrace.io/accelerator": "memory>=40GiB"}}}
    component = container(inputs={"kind": "STRING"}, resources=resources, kubernetes=said)
    flow = pipeline().task("a", component, {"kind": "H100|A100-80GB"})
    world = World(flow).run()
    request = world.launches["a#1"].request
    assert (request.accelerators, request.accelerator_type) == (2, "H100|A100-80GB memory>=40GiB")
    (started,) = [one.attempt_started for one in world.events if one.HasField("attempt_started")]
    assert (started.accelerators.count, started.accelerators.product) == (2, "H100|A100-80GB memory>=40GiB")
