"""Limits, and what is accepted without effect: each says what was counted or where it stands."""

from __future__ import annotations

import pytest

from builders.specs import container, dag, importer, pipeline
from headrace_ir import limits
from headrace_ir.advice import advice
from headrace_ir.checks import sizes
from headrace_ir.reading import read_spec
from headrace_ir.validating import validate

T = "root.dag.tasks"


def problems(flow):
    return [str(problem) for problem in validate(read_spec(flow.build()))]


def nested(depth: int):
    inner = dag()
    inner.task("leaf", container())
    for _ in range(depth - 1):
        outer = dag()
        outer.task("in", inner)
        inner = outer
    return inner


def test_nesting_is_limited():
    assert problems(pipeline().task("a", nested(limits.MAX_NESTING - 1))) == []
    found = problems(pipeline().task("a", nested(limits.MAX_NESTING)))
    assert found == ["root: DAGs are nested 51 deep; at most 50 are possible"]


def test_a_run_that_would_explode_is_refused_without_counting_it():
    group = dag()
    group.task("leaf", container())
    for _ in range(30):
        outer = dag()
        outer.task("a", group).task("b", group)
        group = outer
    (found,) = problems(pipeline().task("top", group))
    assert found == "root: a run would have at least 3,221,225,471 tasks; at most 10,000,000 are possible"


def test_loops_over_known_lists_count(monkeypatch):
    monkeypatch.setattr(sizes, "MAX_RUN_TASKS", 100)
    body = dag({"item": "NUMBER_INTEGER"})
    body.task("a", container()).task("b", container())
    items = str(list(range(33)))
    assert problems(pipeline().task("loop", body, items=items)) == []
    found = problems(pipeline().task("loop", body, items=items).task("one", container()))
    assert found == ["root: a run would have at least 101 tasks; at most 100 are possible"]


def test_items_tasks_names_and_keys_are_limited(monkeypatch):
    monkeypatch.setattr(sizes, "MAX_ITERATIONS", 2)
    monkeypatch.setattr(sizes, "MAX_TASKS", 3)
    body = dag({"item": "NUMBER_INTEGER"})
    body.task("a", container())
    flow = pipeline().task("loop", body, items="[1, 2, 3]")
    flow.task("x" * 201, container()).task("a/b[0]", container(), cache_key="k" * 1025)
    assert problems(flow) == [
        f"{T}.loop.parameterIterator.items.raw: the list has 3 items; a loop can have 2 iterations",
        f"{T}.{'x' * 201}: the name has 201 characters; at most 200 are possible",
        f"{T}.a/b[0]: the name of a task cannot hold '/', which has a meaning in the paths of tasks",
        f"{T}.a/b[0].cachingOptions.cacheKey: has 1025 characters; at most 1024 are possible",
        "components: the pipeline has 4 tasks; at most 3 are possible in one spec",
    ]


def advised(flow, edit=None, platform=None):
    document = flow.build()
    if edit is not None:
        edit(document)
    given = platform or flow.platform()
    package = read_spec({"pipeline_spec": document, "platform_spec": given} if given else document)
    assert validate(package) == []
    return advice(package.spec)


def test_nothing_is_said_about_an_ordinary_pipeline():
    made = container(["echo", "{{$}}", "{{$.pipeline_job_name}}"], inputs={"x": "STRING"})
    assert advised(pipeline().task("a", made, {"x": "{{$.pipeline_root}}"}, cache=True, cache_key="k")) == []


def test_placeholders_in_a_cache_key_are_not_filled():
    keyed = pipeline().task("a", container(), cache=True, cache_key="{{$.inputs.parameters['x']}}")
    place = f"{T}.a.cachingOptions.cacheKey"
    assert advised(keyed) == [f"{place}: placeholders in it are not filled, so every run has the same key"]


def test_settings_without_effect_are_named():
    flow = pipeline()
    flow.task(
        "a",
        container(args=["{{$.pipeline_job_nam}}", "{{$.input.parameters['x']}}"]),
        cache_key="k",
        parallelism=2,
        on_completion=True,
    )
    flow.task("i", importer("s3://b/x", metadata={"p": "{{$.pipeline_google_cloud_project_id}}"}), {"uri": "unused"})
    flow.tasks["a"][1]["cachingOptions"] = {"cacheKey": "k"}

    def edit(document):
        document["deploymentSpec"]["executors"]["exec-a"]["container"]["lifecycle"] = {"preCacheCheck": {}}
        document["components"]["comp-a"] |= {
            "singlePlatformSpecs": [{"platform": "aws"}],
            "taskConfigPassthroughs": [{"field": "ENV"}],
        }

    kubernetes = {"deploymentSpec": {"executors": {"exec-i": {"imagePullPolicy": "Always"}}}}
    executors = "deploymentSpec.executors"
    assert advised(flow, edit, {"platforms": {"kubernetes": kubernetes, "aws": {}}}) == sorted(
        [
            "platforms.aws: settings for this platform have no effect",
            f"{executors}.exec-a.container.lifecycle: a pre-cache check has no effect",
            f"{executors}.exec-a.container.args[0]: '{{{{$.pipeline_job_nam}}}}' has no value here and stays as it is; "
            "did you mean '{{$.pipeline_job_name}}'?",
            f"{executors}.exec-a.container.args[1]: '{{{{$.input.parameters['x']}}}}' has no value here and stays as it is; "
            "did you mean '{{$.inputs.parameters['x']}}'?",
            f"platforms.kubernetes.{executors}.exec-i: has no effect, because an importer runs no container",
            f"{executors}.exec-i.importer.metadata.p: '{{{{$.pipeline_google_cloud_project_id}}}}' has no value here and "
            "stays as it is",
            "components.comp-a.singlePlatformSpecs: has no effect; platform settings are read from the platform document only",
            "components.comp-a.taskConfigPassthroughs: has no effect, because the component has no input of type TASK_CONFIG",
            f"{T}.a.triggerPolicy.strategy: has no effect, because the task waits for no other",
            f"{T}.a.iteratorPolicy: has no effect without an iterator",
            f"{T}.a.cachingOptions.cacheKey: has no effect without 'enableCache'",
        ]
    )


def test_what_the_sdk_fails_to_replace_is_named():
    """It does so for f-strings in variables."""
    flow = pipeline().task("a", container(env={"E": "{{channel:task=;name=key;type=String;}}!"}))
    assert advised(flow) == [
        "deploymentSpec.executors.exec-a.container.env[0].value: the value of 'key' is not there, because the SDK left its own "
        "mark ('{{channel:…}}') in the text; give the value as an input of the component"
    ]


def test_a_variable_that_is_set_twice_is_named():
    document = pipeline().task("a", container(env={"A": "1"})).build()
    env = document["deploymentSpec"]["executors"]["exec-a"]["container"]["env"]
    env += [{"name": "B", "value": "1"}, {"name": "A", "value": "2"}]
    place = "deploymentSpec.executors.exec-a.container.env[0]"
    assert advice(read_spec(document).spec) == [f"{place}: has no effect, because 'A' is set again after it"]


def test_an_unescaped_quote_is_read_as_the_sdk_means_it():
    condition = "!(inputs.parameter_values['x'] == 'it's') && inputs.parameter_values['x'] != 'o'clock'"
    flow = pipeline().task("a", container(inputs={"x": "STRING"}), {"x": "1"}, when=condition)
    place = f"{T}.a.triggerPolicy.condition"
    assert advised(flow) == [f"{place}: holds a quote or line end that is not escaped; read as the SDK means it"]


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("inputs.parameter_values['x'] == 'a'", None),
        ("has(inputs.artifacts.d) || size(outputs) == 0 || 1 < 2", None),
        ("int(inputs.parameter_values['x']) in [1, 2] ? true : bool(inputs.parameter_values['x'])", None),
        (
            "input.parameter_values['x'] == 'a'",
            "there is no variable 'input' here; did you mean 'inputs'? (at character 0)",
        ),
        (
            "inputs.parameterValues['x'] == 'a'",
            "'inputs' has no field 'parameterValues'; did you mean 'parameter_values'? (at character 6)",
        ),
        (
            "sise(inputs.parameter_values['x']) == 1",
            "there is no function 'sise'; did you mean 'size'? (at character 0)",
        ),
        ("size(1, 2) == 1", "size() takes 1 value(s), got 2 (at character 0)"),
        ("has(1)", "has() takes one field, such as has(inputs.parameter_values.x) (at character 0)"),
        ("'heads'", "this gives no true or false, whatever the inputs are (at character 0)"),
        (
            "inputs.parameter_values['x'] == 'a' && int(inputs.parameter_values['x'])",
            "this gives no true or false, whatever the inputs are (at character 39)",
        ),
        ("1 / 0 == 1", "division by zero (at character 2)"),
    ],
)
def test_conditions_that_can_never_work(condition, expected):
    step = container(inputs={"x": "STRING"}).input_artifact("d", optional=True)
    found = problems(pipeline().task("a", step, {"x": "1"}, when=condition))
    assert found == ([f"{T}.a.triggerPolicy.condition: {expected}"] if expected else [])


def test_selectors_that_can_never_work():
    flow = pipeline().input("o", "STRUCT")
    source = {"componentInputParameter": "o", "parameterExpressionSelector": 'parseJson(string_valu)["a"]'}
    flow.task("a", container(inputs={"x": "STRING"}), {"x": "1"}, raw={"inputs": {"parameters": {"x": source}}})
    place = f"{T}.a.inputs.parameters.x.parameterExpressionSelector"
    assert problems(flow) == [
        f"{place}: there is no variable 'string_valu' here; did you mean 'string_value'? (at character 10)"
    ]
