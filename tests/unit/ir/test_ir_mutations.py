"""Properties: whatever is done to a valid spec, the answer is a Plan or problems with places, never a crash.

What is valid gives the same Plan whichever way it comes, and the Plan comes back from its bytes as it was.
"""

from __future__ import annotations

import copy
import json
from random import Random
from typing import Any

import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st

from builders.descriptions import pipeline_of
from builders.documents import rich_package
from builders.problem_paths import points_somewhere
from builders.random_plans import random_flow
from headrace_ir.advice import advice
from headrace_ir.plan import compile_plan
from headrace_ir.problems import Problem, SpecError
from headrace_ir.reading import read_package, read_spec
from headrace_ir.validating import validate
from headrace_protos.v1 import plan_pb2
from headrace_scheduler.engine.indexing import PlanIndex

RICH = rich_package()


def words(node: Any) -> set[str]:
    """Every key and text of a document, so that mutations mention what exists."""
    if isinstance(node, dict):
        return {*node, *(word for value in node.values() for word in words(value))}
    if isinstance(node, list):
        return {word for value in node for word in words(value)}
    return {node} if isinstance(node, str) else set()


names = st.sampled_from(sorted(words(RICH)))
scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | names
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names | st.text(max_size=6), inner, max_size=3),
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
    for _ in range(draw(st.integers(1, 14))):
        keys = list(node) if isinstance(node, dict) else list(range(len(node))) if isinstance(node, list) else []
        if not keys:
            break
        parent, key = node, draw(st.sampled_from(keys))
        node = parent[key]
    if parent is None:
        return
    action = draw(st.sampled_from(["replace", "name", "remove", "rename", "add", "misspell"]))
    if action == "remove":
        del parent[key]
    elif action == "replace":
        parent[key] = draw(values)
    elif action == "name" and isinstance(node, str):
        parent[key] = draw(names)
    elif action == "rename" and isinstance(parent, dict):
        parent[draw(names | st.text(max_size=8)) or f"{key}s"] = parent.pop(key)
    elif action == "misspell" and isinstance(parent, dict):
        at = draw(st.integers(0, len(key)))
        parent[key[:at] + draw(st.sampled_from(["x", "_", "A"])) + key[at:]] = parent.pop(key)
    elif isinstance(node, dict):
        node[draw(st.sampled_from(["dag", "executorLabel", "componentRef", "raw", "tasks", "z"]) | names)] = draw(
            values
        )


def judged(document: Any) -> tuple[tuple[Problem, ...], plan_pb2.Plan | None]:
    """The problems of a document, or its Plan; nothing else may happen."""
    found: tuple[Problem, ...] = ()
    try:
        package = read_spec(document)
        found = tuple(validate(package))
        advice(package.spec)
        return found, compile_plan(package)
    except SpecError as error:
        return found or error.problems, None


def test_the_pipeline_that_is_mutated_is_valid():
    package = read_spec(RICH)
    assert (validate(package), advice(package.spec)) == ([], [])


@settings(max_examples=400, deadline=None)
@given(mutated())
def test_a_mutated_spec_gives_problems_with_places_or_a_plan(document: Any) -> None:
    found, plan = judged(document)
    assert bool(found) == (plan is None)
    parts = [part for part in document.values() if isinstance(part, dict)] if isinstance(document, dict) else []
    for problem in found:
        assert problem.message
        assert problem.message == problem.message.strip()
        assert points_somewhere(problem.path, document, *parts), problem
    if plan is not None:
        check(plan)


def check(plan: plan_pb2.Plan) -> None:
    """A Plan comes back from its bytes as it was, its tasks in order; and the engine can read all of it."""
    data = plan.SerializeToString(deterministic=True)
    again = plan_pb2.Plan.FromString(data)
    assert again == plan
    assert again.SerializeToString(deterministic=True) == data
    for template in plan.dags:
        for index, task in enumerate(template.tasks):
            assert all(dependency < index for dependency in task.dependencies)
    read = PlanIndex(again)
    assert [len(dag.tasks) for dag in read.dags] == [len(template.tasks) for template in plan.dags]
    for dag_spec, template in zip(read.dags, plan.dags, strict=True):
        for task_spec, task in zip(dag_spec.tasks, template.tasks, strict=True):
            assert (task_spec.key, task_spec.dependencies) == (task.key, tuple(task.dependencies))
            assert all(task_spec.index in dag_spec.tasks[needed].dependents for needed in task_spec.dependencies)


@settings(max_examples=150, deadline=None)
@given(mutated(), st.booleans(), st.integers(0, 2**32))
def test_every_way_in_gives_the_same_answer(document: Any, both: bool, seed: int) -> None:
    """As an object, as JSON text, as YAML and with keys in another order: equal problems, or equal Plans."""
    parts = document.values() if both and isinstance(document, dict) else [document.get("pipeline_spec")]
    try:
        text = json.dumps(list(parts))
    except ValueError:
        return
    first, *rest = json.loads(text) or [None]  # a mutation may have taken every key away
    if not isinstance(first, dict) or "NaN" in text or "Infinity" in text:
        return
    whole = {"pipeline_spec": first, **({"platform_spec": rest[0]} if rest else {})}
    expected, plan = judged(whole)
    again, same = judged(json.loads(json.dumps(whole)))
    assert (again, same) == (expected, plan)
    shuffled, turned = judged(reordered(whole, Random(seed)))
    assert (bool(shuffled), turned) == (bool(expected), plan)
    if plan is None:
        return
    written = yaml.dump_all([first, *rest], Dumper=yaml.CSafeDumper, sort_keys=False).encode()
    assert compile_plan(read_package(written, "p.yaml")) == plan
    document_text = json.dumps(read_spec(whole).document).encode()
    assert compile_plan(read_package(document_text, "p.json")) == plan


@pytest.mark.parametrize("seed", range(40))
def test_any_valid_pipeline_has_one_plan_that_the_engine_can_read(seed: int) -> None:
    """Random pipelines of the engine's property tests: valid, without advice about themselves, whatever their order."""
    flow = pipeline_of(random_flow(Random(seed)))
    whole = {"pipeline_spec": flow.build(), **({"platform_spec": flow.platform()} if flow.platform() else {})}
    found, plan = judged(whole)
    assert found == ()
    assert plan is not None
    check(plan)
    assert judged(reordered(whole, Random(seed + 1))) == ((), plan)
    assert compile_plan(read_package(json.dumps(read_spec(whole).document).encode(), "p.json")) == plan


USERS = {"constant", "defaultValue", "literals", "metadata"}


def reordered(node: Any, random: Random) -> Any:
    """The same document with its keys in another order, but for values and texts of users, which have one."""
    if isinstance(node, dict):
        keys = list(node)
        random.shuffle(keys)
        return {key: node[key] if key in USERS else reordered(node[key], random) for key in keys}
    return [reordered(entry, random) for entry in node] if isinstance(node, list) else node


TEXT = yaml.dump_all(RICH.values(), Dumper=yaml.CSafeDumper, sort_keys=False).encode()


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """The YAML of a valid package with some bytes cut, changed or put in."""
    data = TEXT
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(data)))
        end = min(len(data), start + draw(st.integers(0, 20)))
        data = (
            data[:start]
            + draw(st.binary(max_size=4) | st.sampled_from([b"\n", b": ", b"- ", b"&a ", b"*a", b"[", b"!!"]))
            + data[end:]
        )
    return data


@settings(max_examples=150, deadline=None)
@given(damaged(), st.sampled_from(["p.yaml", "p.json", "p.zip", "p"]))
@example(b"\x1f\x8b" + TEXT[:50], "p.tgz")
@example(b"PK" + TEXT[:50], "p.zip")
def test_damaged_files_are_refused_with_a_sentence_or_read(data: bytes, name: str) -> None:
    found: tuple[Problem, ...] | list[Problem]
    try:
        package = read_package(data, name)
        found = validate(package) or [Problem("", "valid")]
    except SpecError as error:
        found = error.problems
    assert found
    assert all(problem.message for problem in found)


@pytest.mark.parametrize("kind", ["pipeline_spec", "platform_spec"])
def test_every_field_that_is_left_out_or_misspelt_gives_an_answer(kind):
    """Not by chance: each key of both documents, once without it and once misspelt."""
    for where in places(RICH[kind], ()):
        for change in ("remove", "misspell"):
            document = copy.deepcopy(RICH)
            parent = document[kind]
            for step in where[:-1]:
                parent = parent[step]
            removed = parent.pop(where[-1])
            if change == "misspell":
                parent[f"{where[-1]}x"] = removed
            found, plan = judged(document)
            assert bool(found) == (plan is None)
            for problem in found:
                assert points_somewhere(problem.path, document, *document.values()), (where, problem)


def places(node: Any, path: tuple[Any, ...]) -> list[tuple[Any, ...]]:
    """Every key of every object."""
    if isinstance(node, dict):
        inner = [place for key, value in node.items() for place in places(value, (*path, key))]
        return [(*path, key) for key in node] + inner
    if isinstance(node, list):
        return [place for index, value in enumerate(node) for place in places(value, (*path, index))]
    return []
