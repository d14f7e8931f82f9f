"""From a file and what a user gives to the spec, the Plan and the run's inputs; and every sentence on the way."""

from __future__ import annotations

import json

import pytest

from builders.specs import artifact_input, container, dag_input, pipeline
from headrace_apiserver import specs
from headrace_apiserver.compiling import Compilations
from headrace_apiserver.specs import (
    compiled_document,
    compiled_file,
    compiled_text,
    parameters_of,
    parsed_texts,
    run_inputs,
)
from headrace_ir import values
from headrace_servicekit.errors import Reason, ServiceError

TRAIN = container(["python", "train.py"], inputs={"lr": "NUMBER_DOUBLE"}, outputs={"Output": "STRING"})


def document():
    flow = pipeline("demo").input("lr", "NUMBER_DOUBLE").input("epochs", "NUMBER_INTEGER", default=3)
    flow = (
        flow.input("names", "LIST", default=["a"])
        .input("fast", "BOOLEAN", default=False)
        .input("who", "STRING", default="x")
    )
    flow.task("train", TRAIN, {"lr": dag_input("lr")})
    return flow.build()


PLAN = compiled_document(document()).plan


def problems(given, artifacts=None, plan=PLAN):
    with pytest.raises(ServiceError) as caught:
        run_inputs(plan, given, artifacts or {})
    assert caught.value.reason == Reason.INVALID_PARAMETERS
    return caught.value


def test_a_file_and_its_object_compile_to_the_same_plan():
    text = json.dumps(document())
    compiled = compiled_file(text.encode(), "demo.json")
    assert compiled.name == "demo"
    assert compiled.plan == PLAN == compiled_text(compiled.spec_json).plan


def test_a_spec_is_compiled_once_however_it_comes(monkeypatch):
    made: list[str] = []
    original = specs.compile_plan
    monkeypatch.setattr(specs, "compile_plan", lambda package: made.append(package.spec.name) or original(package))
    monkeypatch.setattr(specs, "_COMPILATIONS", Compilations())
    text = json.dumps(document())
    first = compiled_file(text.encode(), "demo.json")
    assert compiled_file(text.encode(), "demo.json") is first
    assert compiled_text(first.spec_json) is first
    assert compiled_document(document()) is first
    assert made == ["demo"]


def test_a_wrong_spec_is_wrong_each_time():
    for _ in range(2):
        with pytest.raises(ServiceError, match="neither a pipeline spec"):
            compiled_text('{"a": 1}')


def test_an_inline_spec_is_as_large_as_a_file_may_be(monkeypatch):
    monkeypatch.setattr(specs, "MAX_SPEC_BYTES", 1 << 20)
    with pytest.raises(ServiceError, match=r"the spec is 2\.0 MiB large; at most 1 MiB are possible"):
        compiled_text('"' + "a" * (2 << 20) + '"')


def test_a_parameter_that_is_too_large_is_named(monkeypatch):
    monkeypatch.setattr(specs, "encode", lambda value: values.encode(value, 20))
    assert "parameter 'who' is 32 bytes long, above the limit of 20" in str(problems({"lr": 1, "who": "a" * 30}))


def test_a_spec_that_is_wrong_reports_every_problem_as_a_detail():
    wrong = document()
    wrong["root"]["dag"]["tasks"]["train"]["componentRef"]["name"] = "comp-nothing"
    wrong["schemaVersion"] = "2.0.0"
    with pytest.raises(ServiceError) as caught:
        compiled_document(wrong)
    assert caught.value.reason == Reason.INVALID_SPEC
    assert len(caught.value.details) >= 2
    assert "comp-nothing" in str(caught.value)


@pytest.mark.parametrize(
    ("data", "filename", "says"),
    [
        (b"print(1)", "flow.py", "compile it first"),
        (b"apiVersion: argoproj.io/v1alpha1\nkind: Workflow\n", "v1.yaml", "Argo Workflow"),
        (b": : :", "x.yaml", "not readable as YAML"),
        (b"\x00\x01", "x.bin", "not a pipeline package"),
    ],
)
def test_a_file_that_is_no_pipeline_says_what_to_do(data, filename, says):
    with pytest.raises(ServiceError, match=says) as caught:
        compiled_file(data, filename)
    assert caught.value.reason == Reason.INVALID_SPEC


def test_defaults_are_applied():
    inputs = run_inputs(PLAN, {"lr": 0.5}, {})
    got = {name: value.json for name, value in inputs.parameters.items()}
    assert got == {"lr": "0.5", "epochs": "3", "names": '["a"]', "fast": "false", "who": '"x"'}


def test_missing_unknown_and_wrong_parameters_are_reported_together():
    error = problems({"epochs": "three", "zz": 1})
    assert len(error.details) == 3
    for word in ("'lr'", "'zz'", "'epochs'", "NUMBER_INTEGER"):
        assert word in str(error)


def test_text_parameters_are_read_by_their_declared_type():
    texts = {"lr": "1e-3", "epochs": "5", "names": '["b", 1]', "fast": "true", "who": "5"}
    assert parsed_texts(PLAN, texts) == {"lr": 0.001, "epochs": 5, "names": ["b", 1], "fast": True, "who": "5"}


def test_text_that_cannot_be_read_is_judged_with_the_others():
    given = parsed_texts(PLAN, {"lr": "fast", "zz": "1"})
    assert given == {"lr": "fast", "zz": "1"}
    assert len(problems(given).details) == 2


@pytest.mark.parametrize(
    ("text", "says"),
    [("[1]", "must be a JSON object"), ("{", "parameters_json"), ('{"a": NaN}', "NaN"), ('{"a": "\\u0000"}', "NUL")],
)
def test_parameters_that_are_no_object_are_refused(text, says):
    with pytest.raises(ServiceError, match=says) as caught:
        parameters_of(text)
    assert caught.value.reason == Reason.INVALID_PARAMETERS


def with_artifact():
    flow = pipeline("demo").input_artifact("data", "system.Dataset")
    read = container(["cat"], input_artifacts={"data": "system.Dataset"})
    flow.task("read", read, {"data": artifact_input("data")})
    return compiled_document(flow.build()).plan


def test_root_artifacts_become_inputs():
    inputs = run_inputs(with_artifact(), {}, {"data": "s3://bucket/x.csv"})
    (artifact,) = inputs.artifacts["data"].artifacts
    assert (artifact.uri, artifact.schema_title) == ("s3://bucket/x.csv", "system.Dataset")


def test_a_root_artifact_is_one_artifact_for_all_runs_that_are_given_it():
    first, again, other = (
        run_inputs(with_artifact(), {}, {"data": uri}).artifacts["data"].artifacts[0].artifact_id
        for uri in ("s3://b/x", "s3://b/x", "s3://b/y")
    )
    assert first == again != other


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({}, r"artifact 'data' \(system.Dataset\) is missing: give its URI"),
        ({"data": "x.csv"}, "expected a URI"),
        ({"data": "s3://b/x", "more": "s3://b/y"}, "artifact 'more' is unknown: the pipeline takes data"),
    ],
)
def test_wrong_root_artifacts_are_named(given, says):
    with pytest.raises(ServiceError, match=says):
        run_inputs(with_artifact(), {}, given)
