"""Compiling to files: what is written, what may be said otherwise, and what is refused."""

import json
import os
import stat
from pathlib import Path
from typing import Any

import pytest
import yaml

from headrace import dsl
from headrace.compiler import Compiler, KubernetesManifestOptions, Package
from headrace.dsl.annotations import Input
from headrace.dsl.artifacts import Dataset
from headrace.dsl.mistakes import DefinitionError
from headrace.dsl.pipelines import GraphComponent
from headrace.errors import BadInput


@dsl.component(base_image="python:3.11")
def greet(name: str, times: int = 1) -> str:
    """Say hello."""
    return name * times


@dsl.component(base_image="python:3.11")
def inspected(data: Input[Dataset]) -> str:
    return data.path


@dsl.pipeline(name="hello", description="Greets.\nTwice.", display_name="Hello!", pipeline_root="s3://here")
def hello(name: str, loud: bool = False, factor: float = 0.5) -> str:
    return greet(name=name).output


@dsl.pipeline(name="of-data")
def of_data(data: Input[Dataset]) -> str:
    return inspected(data=data).output


def compiled(target: Any, folder: Path, **options: Any) -> Package:
    Compiler().compile(target, folder / "out.yaml", **options)
    return Package.from_text((folder / "out.yaml").read_text(encoding="utf-8"))


def refused(*arguments: Any, **options: Any) -> str:
    """What the mistake says, without the place, which is here."""
    with pytest.raises(DefinitionError) as raised:
        Compiler().compile(*arguments, **options)
    place, _, sentence = str(raised.value).partition(": ")
    assert place.startswith(f"{__file__}:")
    return sentence


def test_a_pipeline_with_its_comment(tmp_path):
    package = compiled(hello, tmp_path)
    assert package == hello.package
    assert package.spec["pipelineInfo"] == {"name": "hello", "displayName": "Hello!", "description": "Greets.\nTwice."}
    assert package.spec["defaultPipelineRoot"] == "s3://here"
    assert (
        (tmp_path / "out.yaml")
        .read_text()
        .startswith(
            "# PIPELINE DEFINITION\n# Name: hello\n# Description: Greets.\n#              Twice.\n# Inputs:\n"
            "#    factor: float [Default: 0.5]\n#    loud: bool [Default: False]\n#    name: str\n# Outputs:\n"
            "#    Output: str\ncomponents:\n"
        )
    )


def test_a_component_alone(tmp_path):
    package = compiled(greet, tmp_path)
    assert package.spec["root"]["dag"]["tasks"]["greet"]["inputs"] == {
        "parameters": {"name": {"componentInputParameter": "name"}, "times": {"componentInputParameter": "times"}}
    }
    assert "# Description: Say hello.\n" in (tmp_path / "out.yaml").read_text()


def test_other_names_and_defaults(tmp_path):
    package = compiled(
        hello,
        tmp_path,
        pipeline_name="other",
        pipeline_display_name="Other",
        pipeline_parameters={"name": "Ada", "factor": 2, "loud": None},
    )
    assert package.spec["pipelineInfo"] == {"name": "other", "displayName": "Other", "description": "Greets.\nTwice."}
    assert package.spec["root"]["inputDefinitions"]["parameters"] == {
        "name": {"parameterType": "STRING", "defaultValue": "Ada"},
        "loud": {"parameterType": "BOOLEAN", "defaultValue": False, "isOptional": True},
        "factor": {"parameterType": "NUMBER_DOUBLE", "defaultValue": 2, "isOptional": True},
    }
    assert hello.package.spec["pipelineInfo"]["name"] == "hello"


def test_json(tmp_path):
    Compiler().compile(hello, str(tmp_path / "out.json"))
    assert json.loads((tmp_path / "out.json").read_text()) == hello.package.spec


def test_manifests_of_kubernetes(tmp_path):
    Compiler().compile(hello, tmp_path / "one.yaml", kubernetes_manifest_format=True)
    (version,) = yaml.safe_load_all((tmp_path / "one.yaml").read_text())
    assert version == {
        "apiVersion": "pipelines.kubeflow.org/v2beta1",
        "kind": "PipelineVersion",
        "metadata": {"name": "hello"},
        "spec": {
            "description": "Greets.\nTwice.",
            "displayName": "hello",
            "pipelineName": "hello",
            "pipelineSpec": hello.package.spec,
        },
    }
    options = KubernetesManifestOptions(
        pipeline_name="p", pipeline_version_name="v2", namespace="team", include_pipeline_manifest=True
    )
    Compiler().compile(
        hello, tmp_path / "two.yaml", kubernetes_manifest_options=options, kubernetes_manifest_format=True
    )
    pipeline, version = yaml.safe_load_all((tmp_path / "two.yaml").read_text())
    assert (pipeline["kind"], pipeline["metadata"]) == ("Pipeline", {"name": "p", "namespace": "team"})
    assert pipeline["spec"] == {"displayName": "p", "description": "Greets.\nTwice."}
    assert (version["metadata"]["name"], version["spec"]["pipelineName"]) == ("v2", "p")
    assert version["spec"]["displayName"] == "v2"


def test_the_file_is_replaced_whole_and_readable_as_others(tmp_path):
    path = tmp_path / "out.yaml"
    path.write_text("before")
    Compiler().compile(hello, path)
    other = tmp_path / "other"
    other.write_text("")
    assert stat.S_IMODE(path.stat().st_mode) == stat.S_IMODE(other.stat().st_mode)
    assert sorted(os.listdir(tmp_path)) == ["other", "out.yaml"]


def test_nothing_is_left_behind_where_the_file_cannot_be_put(tmp_path):
    (tmp_path / "out.yaml").mkdir()
    with pytest.raises(OSError, match=r"out\.yaml"):
        Compiler().compile(hello, tmp_path / "out.yaml")
    assert os.listdir(tmp_path) == ["out.yaml"]


def with_settings_of_a_platform() -> GraphComponent[Any]:
    @dsl.pipeline(name="set", pipeline_config=dsl.PipelineConfig(ttl_seconds_after_finished=60))
    def flow():
        greet(name="a")

    return flow


def downloading() -> GraphComponent[Any]:
    @dsl.pipeline(name="fetch")
    def flow():
        dsl.importer(artifact_uri="s3://b/k", artifact_class=Dataset, download_to_workspace=True)

    return flow


def test_mistakes(tmp_path):
    path = tmp_path / "out.yaml"
    assert refused(hello, "out.txt") == "'out.txt' is no name for a compiled pipeline; end it with .yaml."
    assert (
        refused(len, path) == "'len' is neither a pipeline nor a component; decorate the function with @dsl.pipeline."
    )
    assert refused(hello, path, pipeline_name="Hello") == (
        "'Hello' cannot name a pipeline; use up to 128 lower-case letters, digits and dashes, the first of them no dash."
    )
    assert refused(hello, path, pipeline_parameters={"nme": 1}) == (
        "The pipeline 'hello' has no parameter 'nme'; it has: factor, loud, name."
    )
    assert refused(hello, path, pipeline_parameters={"name": 1}) == (
        "'name' of the pipeline 'hello' is a text, but its default is to be 1."
    )
    assert refused(hello, path, pipeline_parameters={"factor": True}) == (
        "'factor' of the pipeline 'hello' is a number, but its default is to be True."
    )
    assert refused(of_data, path, pipeline_parameters={"data": "s3://b"}) == (
        "'data' of the pipeline 'of-data' is an artifact, which has no default; give it with the run."
    )
    missing = str(tmp_path / "missing" / "out.yaml")
    assert refused(hello, missing) == f"The folder of {missing!r} does not exist; make it first."
    assert refused(with_settings_of_a_platform(), tmp_path / "out.json") == (
        f"'set' has settings of a platform, which JSON has no place for; write {str(path)!r}."
    )
    assert refused(downloading(), path) == (
        "'importer' downloads to the workspace, but 'fetch' has none; give the pipeline "
        "pipeline_config=dsl.PipelineConfig(workspace=dsl.WorkspaceConfig(size='1Gi'))."
    )
    assert not path.exists()


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "The text holds no compiled pipeline; compile one with `headrace compile FILE.py`."),
        ("platforms: {}", "The text holds no compiled pipeline; compile one with `headrace compile FILE.py`."),
        ("- 1", "The text is no compiled pipeline: a document in it is not a mapping."),
        ("root: {}\n---\nroot: {}", "The text holds two pipelines; keep one of them."),
        (
            "platforms: {}\n---\nplatforms: {}",
            "The text holds two documents with settings of platforms; keep one of them.",
        ),
        ("b: 1\na: 2", "The text holds a document that is neither a pipeline nor settings of platforms (keys: a, b)."),
    ],
)
def test_texts_that_are_no_packages(text, sentence):
    with pytest.raises(BadInput) as raised:
        Package.from_text(text)
    assert str(raised.value) == sentence


def test_a_text_that_is_no_yaml():
    with pytest.raises(BadInput, match=r"^The text is not YAML: "):
        Package.from_text("a: [")


def test_both_documents_read_back():
    package = with_settings_of_a_platform().package
    assert package.platform == {"platforms": {"kubernetes": {"pipelineConfig": {"resourceTtlOnCompletion": 60}}}}
    assert Package.from_text(package.to_yaml()) == package
    with pytest.raises(BadInput) as raised:
        package.to_json()
    assert str(raised.value) == (
        "'set' has settings of a platform, and JSON holds one document only; write it to a .yaml file."
    )


def test_how_old_results_may_be_is_said_to_headrace_alone():
    def flow():
        greet(name="a").set_cache_max_age("12h")

    package = dsl.pipeline(flow, pipeline_config=dsl.PipelineConfig(cache_max_age_seconds=60)).package
    executors = {"exec-greet": {"cacheMaxAge": "43200s"}}
    assert package.platform == {
        "platforms": {"headrace": {"config": {"cacheMaxAge": "60s"}, "deploymentSpec": {"executors": executors}}}
    }
    assert "cacheMaxAge" not in str(package.spec)


@pytest.mark.parametrize("said", ["1", "true", "T", "yes", "y", "on "])
def test_caching_can_be_off_by_default(monkeypatch, said):
    def flow():
        greet(name="a")
        greet(name="b").set_caching_options(True)

    monkeypatch.setenv("KFP_DISABLE_EXECUTION_CACHING_BY_DEFAULT", said)
    tasks = dsl.pipeline(flow).package.spec["root"]["dag"]["tasks"]
    assert (tasks["greet"]["cachingOptions"], tasks["greet-2"]["cachingOptions"]) == ({}, {"enableCache": True})
    monkeypatch.setenv("KFP_DISABLE_EXECUTION_CACHING_BY_DEFAULT", "false")
    tasks = dsl.pipeline(flow).package.spec["root"]["dag"]["tasks"]
    assert tasks["greet"]["cachingOptions"] == {"enableCache": True}
