"""Components from YAML are components as any other.

- compiled ones come back as they were; pipelines with their platform document; whatever KFP's SDK compiled
- old component files: every placeholder, every type, defaults
- from a file and from a server; what goes wrong is told in one sentence
"""

from __future__ import annotations

import base64
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from headrace import components, dsl
from headrace.compiler import Package
from headrace.compiler.compiling import compile_component
from headrace.dsl.components import ContainerImplementation, GraphImplementation
from headrace.dsl.interface import (
    ArtifactInput,
    ArtifactOutput,
    ArtifactType,
    ParameterInput,
    ParameterOutput,
    ParameterType,
)
from headrace.dsl.mistakes import DefinitionError

COMPILED = Path(__file__).parents[2] / "differential" / "compiled"

OLD = """
name: Train Model!
description: Trains.
inputs:
- {name: Train data, type: CSV, description: what it learns from}
- {name: Rate, type: Float, default: '0.5'}
- {name: epochs, type: Integer, default: '3'}
- {name: Verbose, type: Bool, default: 'no', optional: true}
- {name: settings, type: JsonObject, default: '{"a": [1]}'}
- {name: names, type: 'typing.List[str]', optional: true}
- {name: model, type: Model, optional: true}
- {name: vertex, type: google.VertexModel}
- {name: shape, type: {Tensor: {rank: 2}}}
- {name: title}
- {name: status, type: PipelineTaskFinalStatus}
outputs:
- {name: Trained model, type: Model}
- {name: score, type: Float}
implementation:
  container:
    image: busybox
    command: [run, {inputPath: Train data}, {inputUri: model}, {outputPath: Trained model}, {outputPath: score},
      {outputUri: Trained model}]
    args:
    - --rate
    - {inputValue: Rate}
    - {executorInput: null}
    - {concat: [a-, {inputValue: epochs}]}
    - {if: {cond: {isPresent: names}, then: [--names, {inputValue: names}], else: [--none]}}
    - {if: {cond: {isPresent: Verbose}, then: -v}}
    - 3
    env: {RATE: {inputValue: Rate}, A: b}
"""


@dsl.component
def add(a: int, b: int = 2) -> int:
    """Adds.

    Args:
        a: the first
    """
    return a + b


def wrong(text: str) -> str:
    with pytest.raises(DefinitionError) as raised:
        components.load_component_from_text(text)
    place, _, sentence = str(raised.value).partition(": ")
    assert place.startswith(f"{__file__}:")
    return sentence


def test_a_compiled_component_comes_back() -> None:
    text = compile_component(add).to_yaml()
    loaded = components.load_component_from_text(text)
    assert loaded.name == "add"
    assert loaded.interface.inputs == {
        "a": ParameterInput(ParameterType.NUMBER_INTEGER),
        "b": ParameterInput(ParameterType.NUMBER_INTEGER, 2, True),
    }
    assert loaded.interface.outputs == add.interface.outputs
    assert isinstance(loaded.implementation, ContainerImplementation)
    assert isinstance(add.implementation, ContainerImplementation)
    assert loaded.implementation.container == add.implementation.container
    assert loaded.description.startswith("Adds.")
    assert loaded.component_yaml == text


def test_a_loaded_component_makes_tasks() -> None:
    loaded = components.load_component_from_text(compile_component(add).to_yaml())

    @dsl.pipeline
    def twice(x: int) -> int:
        return loaded(a=loaded(a=x).output).output

    assert list(twice.package.spec["components"]) == ["comp-add", "comp-add-2"]


def test_a_pipeline_comes_back_as_a_component_with_its_platform() -> None:
    @dsl.pipeline
    def inner(x: int) -> int:
        task = add(a=x)
        task.platform_config["kubernetes"] = {"imagePullPolicy": "Always"}
        return task.output

    loaded = components.load_component_from_text(inner.package.to_yaml())
    assert isinstance(loaded.implementation, GraphImplementation)
    assert loaded.interface == inner.interface

    @dsl.pipeline
    def outer() -> int:
        return loaded(x=1).output

    assert outer.package.platform == {
        "platforms": {"kubernetes": {"deploymentSpec": {"executors": {"exec-add": {"imagePullPolicy": "Always"}}}}}
    }


@pytest.mark.parametrize("file", sorted(COMPILED.glob("*.yaml")), ids=lambda file: file.stem)
def test_what_kfp_compiled_can_be_loaded(file: Path) -> None:
    loaded = components.load_component_from_file(str(file))
    spec = Package.from_text(file.read_text()).spec
    parts = spec["root"].get("inputDefinitions", {})
    assert set(loaded.interface.inputs) == set(parts.get("parameters", {})) | set(parts.get("artifacts", {}))


def test_a_pipeline_of_one_task_that_does_more_stays_a_pipeline() -> None:
    @dsl.pipeline(name="add")
    def single(x: int) -> int:
        return add(a=x, b=5).output

    loaded = components.load_component_from_text(single.package.to_yaml())
    assert isinstance(loaded.implementation, GraphImplementation)
    assert list(loaded.interface.inputs) == ["x"]


def test_an_old_component() -> None:
    loaded = components.load_component_from_text(OLD)
    assert (loaded.name, loaded.description) == ("train-model", "Trains.")
    artifact = ArtifactType("system.Artifact", "0.0.1")
    model = ArtifactType("system.Model", "0.0.1")
    assert loaded.interface.inputs == {
        "train_data": ArtifactInput(artifact),
        "rate": ParameterInput(ParameterType.NUMBER_DOUBLE, 0.5, True),
        "epochs": ParameterInput(ParameterType.NUMBER_INTEGER, 3, True),
        "verbose": ParameterInput(ParameterType.BOOLEAN, False, True),
        "settings": ParameterInput(ParameterType.STRUCT, {"a": [1]}, True),
        "names": ParameterInput(ParameterType.LIST, optional=True),
        "model": ArtifactInput(model, optional=True),
        "vertex": ArtifactInput(ArtifactType("google.VertexModel", "0.0.1")),
        "shape": ArtifactInput(artifact),
        "title": ArtifactInput(artifact),
        "status": ParameterInput(ParameterType.TASK_FINAL_STATUS, optional=True),
    }
    assert loaded.interface.outputs == {
        "trained_model": ArtifactOutput(model),
        "score": ParameterOutput(ParameterType.NUMBER_DOUBLE),
    }


def test_the_command_of_an_old_component() -> None:
    loaded = components.load_component_from_text(OLD)
    assert isinstance(loaded.implementation, ContainerImplementation)
    assert loaded.implementation.container == {
        "image": "busybox",
        "command": [
            "run",
            "{{$.inputs.artifacts['train_data'].path}}",
            "{{$.inputs.artifacts['model'].uri}}",
            "{{$.outputs.artifacts['trained_model'].path}}",
            "{{$.outputs.parameters['score'].output_file}}",
            "{{$.outputs.artifacts['trained_model'].uri}}",
        ],
        "args": [
            "--rate",
            "{{$.inputs.parameters['rate']}}",
            "{{$}}",
            """{"Concat": ["a-", "{{$.inputs.parameters['epochs']}}"]}""",
            """{"IfPresent": {"InputName": "names", "Then": ["--names", "{{$.inputs.parameters['names']}}"], "Else": ["--none"]}}""",  # noqa: E501
            """{"IfPresent": {"InputName": "verbose", "Then": "-v"}}""",
            "3",
        ],
        "env": [{"name": "RATE", "value": "{{$.inputs.parameters['rate']}}"}, {"name": "A", "value": "b"}],
    }


OLD_HEAD = "inputs: [{name: text, type: String}, {name: data}]\noutputs: [{name: made, type: Model}]\n"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("a: [", "The text is no component: The text is not YAML: "),
        ("just words", "The text is no component: The text is no compiled pipeline: a document in it is not a mapping."),
        ("a: 1",
         "The text is no component: The text holds a document that is neither a pipeline nor settings of platforms (keys: a)."),
        ("", "The text is no component: The text holds no compiled pipeline; compile one with `headrace compile FILE.py`."),
        (
            "implementation: {graph: {}}",
            "The text holds an old component without a container's image; only containers can be loaded from such files.",
        ),
        ("inputs: [{type: String}]\nimplementation: {container: {image: a}}",
         "The text holds an input or output without a name: {'type': 'String'}; name it."),
        ("inputs: [{name: x, type: Integer, default: many}]\nimplementation: {container: {image: a}}",
         "The text holds the input 'x' of type Integer, whose default 'many' is none; correct the default."),
        (OLD_HEAD + "implementation: {container: {image: a, command: [{inputValue: other}]}}",
         "The text uses the input 'other' in its command, but has none of that name; add it."),
        (OLD_HEAD + "implementation: {container: {image: a, command: [{outputPath: other}]}}",
         "The text uses the output 'other' in its command, but has none of that name; add it."),
        (OLD_HEAD + "implementation: {container: {image: a, command: [{inputPath: text}]}}",
         "The text uses inputPath for 'text', which is a parameter; use inputValue, or change the input's type."),
        (OLD_HEAD + "implementation: {container: {image: a, command: [{inputValue: data}]}}",
         "The text uses inputValue for 'data', which is an artifact; use inputPath, or change the input's type."),
        (OLD_HEAD + "implementation: {container: {image: a, args: [{if: {then: a}}]}}",
         "The text holds an `if` without `cond: {isPresent: …}` and `then`; write both."),
        (OLD_HEAD + "implementation: {container: {image: a, args: [{whatever: a}]}}",
         "The text holds a command with {'whatever': 'a'}, which no command can hold; use inputValue, inputPath or the like."),
    ],
)  # fmt: skip
def test_what_is_no_component(text: str, sentence: str) -> None:
    assert wrong(text).startswith(sentence)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(DefinitionError, match="cannot be read") as raised:
        components.load_component_from_file(f"{tmp_path}/none.yaml")
    assert str(raised.value).endswith(
        f": The file '{tmp_path}/none.yaml' cannot be read (No such file or directory); name a component's YAML file."
    )
    (tmp_path / "bytes.yaml").write_bytes(b"\xff\xfe")
    with pytest.raises(DefinitionError, match="it is no text in UTF-8"):
        components.load_component_from_file(f"{tmp_path}/bytes.yaml")


@contextmanager
def server(text: str, needs: str = "") -> Iterator[str]:
    """The address of a server that answers TEXT, to whoever gives NEEDS as authorization."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            allowed = not needs or self.headers["Authorization"] == needs
            self.send_response(200 if allowed else 401)
            self.end_headers()
            self.wfile.write(text.encode() if allowed else b"")

        def log_message(self, *_: object) -> None: ...

    http = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=http.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{http.server_port}/component.yaml"
    finally:
        http.shutdown()
        thread.join()
        http.server_close()


def test_a_component_from_a_server() -> None:
    with server(OLD) as url:
        assert components.load_component_from_url(url).name == "train-model"
    needs = "Basic " + base64.b64encode(b"me:secret").decode()
    with server(OLD, needs) as url:
        assert components.load_component_from_url(url, auth=("me", "secret")).name == "train-model"
        with pytest.raises(DefinitionError) as raised:
            components.load_component_from_url(url)
    assert str(raised.value).endswith(f": '{url}' answers 401 Unauthorized; check the address and what you may read.")
    with pytest.raises(DefinitionError) as raised:
        components.load_component_from_url(url)
    assert f": '{url}' cannot be read (" in str(raised.value)


def test_an_address_that_is_none() -> None:
    with pytest.raises(DefinitionError) as raised:
        components.load_component_from_url("file:///etc/passwd")
    assert str(raised.value).endswith(
        ": 'file:///etc/passwd' is no address of a component; give one that begins with https://, http:// or gs://."
    )
