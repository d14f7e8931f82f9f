"""`headrace.comparing`: what means the same is equal however it is written, and every change of meaning is found at its place."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from builders.descriptions import pipeline_of
from builders.documents import rich_package
from builders.random_plans import random_flow
from headrace.comparing import ABSENT, Difference, as_package, differences, same
from headrace.compiler.package import Package
from headrace.errors import BadInput

ROOT = Path(__file__).resolve().parents[3]
COMPILED = sorted([*ROOT.glob("tests/differential/compiled/*.yaml"), *ROOT.glob("tests/gaps/compiled/*.yaml")])
RICH = rich_package()


def python_package() -> dict[str, Any]:
    """Python components, as KFP's SDK compiles them."""
    return {"pipeline_spec": yaml.safe_load((ROOT / "tests/differential/compiled/artifacts_folders.yaml").read_text())}


BOOTSTRAP = {"sdkVersion", "command", "args"}
DOCUMENTS = pytest.mark.parametrize(
    ("document", "ignored"), [(RICH, {"sdkVersion"}), (python_package(), BOOTSTRAP)], ids=["constructs", "python"]
)


def leaves(node: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The path of everything that holds nothing else."""
    inner = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    found = [(key, value) for key, value in inner]
    for key, value in found:
        yield from leaves(value, (*path, key))
    if not found:
        yield path


def at(document: Any, path: tuple[Any, ...]) -> Any:
    for key in path:
        document = document[key]
    return document


def changed(document: Any, path: tuple[Any, ...], value: Any) -> Any:
    made = copy.deepcopy(document)
    at(made, path[:-1])[path[-1]] = value
    return made


def another(value: Any) -> Any:
    """A value of the same kind that means something else."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, int | float):
        return value + 1
    return f"{value}x" if isinstance(value, str) else "x"


def shuffled(random: Random, node: Any) -> Any:
    if isinstance(node, dict):
        keys = random.sample(list(node), len(node))
        return {key: shuffled(random, node[key]) for key in keys}
    if isinstance(node, list):
        return [shuffled(random, one) for one in node]
    return float(node) if isinstance(node, int) and not isinstance(node, bool) and abs(node) < 2**53 else node


@pytest.mark.parametrize("path", COMPILED, ids=lambda path: path.stem)
def test_a_package_equals_itself_from_any_text(path):
    package = as_package(path)
    both = {"pipeline_spec": package.spec, "platform_spec": package.platform}
    assert differences(path, json.dumps(both)) == []
    written = yaml.safe_dump_all(
        [package.platform, package.spec] if package.platform else [package.spec], sort_keys=False
    )
    assert same(path, written)


@given(st.integers(0, 10**6))
def test_order_and_spelling_of_numbers_mean_nothing(seed):
    random = Random(seed)
    made = pipeline_of(random_flow(random)).build() if seed % 2 else RICH["pipeline_spec"]
    assert differences(made, shuffled(random, made)) == []


@DOCUMENTS
def test_every_change_that_matters_is_found(document, ignored):
    """Each value changed, alone; words of a bootstrap have tests of their own below."""
    missed = [
        path
        for path in leaves(document)
        if not set(path) & ignored and not differences(document, changed(document, path, another(at(document, path))))
    ]
    assert missed == []


@DOCUMENTS
def test_every_key_that_is_taken_away_is_missed(document, ignored):
    missed = []
    for path in leaves(document):
        less = copy.deepcopy(document)
        del at(less, path[:-1])[path[-1]]
        meant = at(document, path) not in ("", False, [], {}) or "constant" in path or "metadata" in path
        if meant and not set(path) & ignored and not differences(document, less):
            missed.append(path)
    assert missed == []


def spec(task: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"pipelineInfo": {"name": "p"}, "root": {"dag": {"tasks": {"train": task}}}, **more}


def test_a_difference_says_where_and_what():
    one, other = ({"inputs": {"parameters": {"lr": {"runtimeValue": {"constant": value}}}}} for value in (0.1, 0.2))
    (found,) = differences(spec(one), spec(other))
    assert found == Difference("root.dag.tasks.train.inputs.parameters.lr.runtimeValue.constant", 0.1, 0.2)
    assert str(found) == "root.dag.tasks.train.inputs.parameters.lr.runtimeValue.constant: 0.1 and 0.2"
    (found,) = differences(spec(one), spec({}))
    assert (found.path, found.b) == ("root.dag.tasks.train.inputs", ABSENT)
    assert str(found).endswith(" and (absent)")


def test_keys_that_are_no_words_are_quoted_in_a_path():
    def labelled(key: str) -> Package:
        config = {"podMetadata": {"labels": {key: "x"}}}
        return Package(spec({}), {"platforms": {"kubernetes": {"deploymentSpec": {"executors": {"exec-a": config}}}}})

    (one, other) = differences(labelled("a.b"), labelled("c"))
    assert one.path == "platforms.kubernetes.deploymentSpec.executors.exec-a.podMetadata.labels['a.b']"
    assert other.path == "platforms.kubernetes.deploymentSpec.executors.exec-a.podMetadata.labels.c"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"cachingOptions": {}}, {"cachingOptions": {"enableCache": False}}),
        ({"cachingOptions": {}}, {}),
        ({"triggerPolicy": {"strategy": "TRIGGER_STRATEGY_UNSPECIFIED"}}, {}),
        ({"triggerPolicy": {"strategy": 2}}, {"triggerPolicy": {"strategy": "ALL_UPSTREAM_TASKS_COMPLETED"}}),
        ({"dependentTasks": ["a", "b"]}, {"dependent_tasks": ["b", "a"]}),
        ({"dependentTasks": []}, {"dependentTasks": None}),
        ({"retryPolicy": {"backoffDuration": "3s"}}, {"retryPolicy": {"backoffDuration": "3.0s"}}),
        ({"parameterIterator": {"items": {"raw": "[1, 2]"}}}, {"parameterIterator": {"items": {"raw": "[1,2.0]"}}}),
    ],
)
def test_spellings_of_the_same(one, other):
    assert differences(spec(one), spec(other)) == []


def parameter(**said: Any) -> dict[str, Any]:
    """A component with one input parameter."""
    return {"inputDefinitions": {"parameters": {"x": said}}}


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"dag": {}}, {}),
        ({"dag": {}}, {"executorLabel": ""}),
        (parameter(), {}),
        (parameter(defaultValue=""), parameter()),
        (parameter(literals=[True]), parameter(literals=[1])),
        (parameter(literals=["1"]), parameter(literals=[1])),
    ],
)
def test_what_looks_alike_and_means_another_thing(one, other):
    assert differences(spec({}, components={"c": one}), spec({}, components={"c": other})) != []


def test_another_sdk_version_and_an_empty_platform_mean_nothing():
    empty = {"platforms": {"kubernetes": {"deploymentSpec": {"executors": {"exec-a": {}}}}}}
    assert same(Package(spec({}, sdkVersion="a")), Package(spec({}, sdkVersion="b"), empty))


def test_placeholders_that_are_json_may_be_spelt_otherwise():
    def made(word: str) -> dict[str, Any]:
        container = {"container": {"image": "i", "args": [word, "{}"]}}
        return spec({}, deploymentSpec={"executors": {"exec-a": container}})

    assert same(made('{"Concat": ["a", "b"]}'), made('{"Concat":["a","b"]}'))
    (found,) = differences(made('{"Concat": ["a", "b"]}'), made('{"Concat": ["a", "c"]}'))
    assert found.path == "deploymentSpec.executors.exec-a.container.args[0].Concat[1]"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("a: [", "this is neither YAML nor JSON: "),
        ("a: 1", "the text holds no pipeline: a document with `pipelineInfo` and `root` is needed"),
    ],
)
def test_what_is_no_package_is_refused(text, sentence):
    with pytest.raises(BadInput) as caught:
        as_package(text)
    assert str(caught.value).startswith(sentence)
