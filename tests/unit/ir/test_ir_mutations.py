"""Property: whatever is done to a valid spec, the answer is a Plan or problems, never a crash."""

from __future__ import annotations

import copy
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from builders.specs import artifact, artifact_input, container, dag, dag_input, final_status, importer, output, pipeline
from headrace_ir.plan import compile_plan
from headrace_ir.problems import Problem, SpecError
from headrace_ir.reading import read_spec
from headrace_ir.validating import validate
from headrace_protos.v1 import plan_pb2


def rich() -> dict[str, Any]:
    """A pipeline with every construct, and its platform document."""
    flow = pipeline("rich", config={"workspace": {"size": "1Gi"}}).input("rows", "LIST", default=[1.0])
    flow.input("n", "NUMBER_INTEGER", optional=True, literals=[1.0]).input_artifact("seed", optional=True)
    flow.task("fetch", importer(), {"uri": "s3://b/x"})
    make = container(
        outputs={"Output": "LIST"},
        output_artifacts={"d": "system.Dataset"},
        kubernetes={"tolerations": [{"key": "gpu"}]},
    )
    flow.task("make", make, cache=True, retry={"maxRetryCount": 1, "backoffDuration": "1s"})
    body = dag({"item": "STRING", "rows": "LIST"}).input_artifact("d")
    use = container(inputs={"x": "STRING"}, input_artifacts={"d": "system.Dataset"}, outputs={"Output": "STRING"})
    body.task(
        "use", use, {"x": dag_input("item"), "d": artifact_input("d")}, when="inputs.parameter_values['x'] != 'a'"
    )
    body.task("alt", use, {"x": dag_input("item").field("f"), "d": artifact_input("d")}, after=["use"])
    body.returns_one_of("out", ("use", "Output"), ("alt", "Output"), type_="LIST")
    flow.task("loop", body, {"rows": output("make"), "d": artifact("make", "d")}, over="rows", parallelism=2)
    flow.task("fixed", body, {"rows": [], "d": artifact("fetch")}, items='["a"]')
    status = container(inputs={"s": "TASK_FINAL_STATUS"}, resources={"resourceCpuLimit": "1"}, env={"A": "b"})
    flow.task("exit", status, {"s": final_status("loop")}, after=["loop"], on_completion=True)
    flow.returns("all", "loop", "out", type_="LIST")
    return {"pipeline_spec": flow.build(), "platform_spec": flow.platform()}


RICH = rich()

names = st.sampled_from(["make", "loop", "x", "d"])
scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | names
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3)
)


@st.composite
def mutated(draw: st.DrawFn) -> Any:
    document = copy.deepcopy(RICH)
    for _ in range(draw(st.integers(1, 6))):
        _mutate(draw, document)
    return document


def _mutate(draw: st.DrawFn, document: Any) -> None:
    """Walk down a random path, then change, remove, rename or copy what is there."""
    parent, key = None, None
    node = document
    for _ in range(draw(st.integers(1, 10))):
        keys = list(node) if isinstance(node, dict) else list(range(len(node))) if isinstance(node, list) else []
        if not keys:
            break
        parent, key = node, draw(st.sampled_from(keys))
        node = parent[key]
    if parent is None:
        return
    action = draw(st.sampled_from(["replace", "remove", "rename", "add"]))
    if action == "remove":
        del parent[key]
    elif action == "replace":
        parent[key] = draw(values)
    elif action == "rename" and isinstance(parent, dict):
        parent[draw(st.text(max_size=8)) or f"{key}s"] = parent.pop(key)
    elif isinstance(node, dict):
        node[draw(st.sampled_from(["dag", "executorLabel", "componentRef", "raw", "tasks", "z"]))] = draw(values)


def test_the_pipeline_that_is_mutated_is_valid():
    assert validate(read_spec(RICH)) == []


@settings(max_examples=300, deadline=None)
@given(mutated())
def test_a_mutated_spec_gives_problems_or_a_plan(document: Any) -> None:
    found: tuple[Problem, ...] = ()
    plan = None
    try:
        package = read_spec(document)
        found = tuple(validate(package))
        plan = compile_plan(package)
    except SpecError as error:
        found = error.problems
    if plan is None:
        assert found
        assert all(problem.message for problem in found)
        return
    assert found == ()
    assert plan_pb2.Plan.FromString(plan.SerializeToString()) == plan
    for template in plan.dags:
        for index, task in enumerate(template.tasks):
            assert all(dependency < index for dependency in task.dependencies)
