"""Files and parameters that are wrong: every problem at once, exit code 2 or HTTP 400, nothing created."""

from __future__ import annotations

import io
import json
import urllib.error
import urllib.request
import zipfile
from pathlib import Path

import pytest

from builders.specs import container, dag_input, output, pipeline
from corpus import driving
from fixtures.platforms import Platform

RUNS = "/apis/v2beta1/runs"


def typed() -> dict:
    echo = container(["echo"], ["{{$.inputs.parameters['text']}}"], inputs={"text": "STRING"})
    flow = pipeline("typed").input("name", "STRING").input("count", "NUMBER_INTEGER")
    return flow.task("say", echo, {"text": dag_input("name")}).build()


def cyclic() -> dict:
    echo = container(["echo"], inputs={"text": "STRING"}, outputs={"Output": "STRING"})
    flow = pipeline("cyclic").task("a", echo, {"text": output("b")}).task("b", echo, {"text": output("a")})
    return flow.build()


def broken(**changes) -> dict:
    document = typed()
    for path, value in changes.items():
        node = document
        *parents, last = path.split("__")
        for name in parents:
            node = node[name]
        node[last] = value
    return document


def count(platform: Platform) -> int:
    return platform.get(RUNS).get("total_size", 0)


def submit(platform: Platform, tmp_path: Path, document: dict, *more: str) -> driving.Said:
    file = tmp_path / "pipeline.json"
    file.write_text(json.dumps(document))
    return driving.command("run", str(file), *more, "--no-wait", "--endpoint", platform.url)


@pytest.mark.parametrize(
    ("document", "sentences"),
    [
        (broken(schemaVersion="9.9.9"), ["schemaVersion", "2.1.0"]),
        (broken(pipelineInfo__nmae="x"), ["nmae", "name"]),
        (
            broken(root__dag__tasks__say__componentRef__name="comp-saay"),
            ["root.dag.tasks.say", "comp-saay", "comp-say"],
        ),
        (cyclic(), ["cycle", "a", "b"]),
    ],
    ids=["unknown schema version", "misspelt field", "unknown component", "cycle"],
)
def test_a_wrong_pipeline_is_refused_with_the_place(platform: Platform, tmp_path, document, sentences):
    before = count(platform)
    said = submit(platform, tmp_path, document, "-p", "name=x", "-p", "count=1")
    assert said.code == 2, said.stderr
    assert all(sentence in said.stderr for sentence in sentences), said.stderr
    assert count(platform) == before


def test_all_problems_at_once(platform: Platform, tmp_path):
    document = broken(schemaVersion="9.9.9", root__dag__tasks__say__componentRef__name="comp-none")
    said = submit(platform, tmp_path, document, "-p", "name=x", "-p", "count=1")
    assert said.code == 2
    assert "9.9.9" in said.stderr
    assert "comp-none" in said.stderr


@pytest.mark.parametrize(
    ("given", "sentences"),
    [
        (["-p", "name=x"], ["count", "NUMBER_INTEGER"]),
        (["-p", "name=x", "-p", "count=1", "-p", "nmae=y"], ["nmae"]),
        (["-p", "name=x", "-p", "count=many"], ["count", "NUMBER_INTEGER", "many"]),
        (["-p", "nmae=x", "-p", "count=many"], ["nmae", "name", "count"]),
    ],
    ids=["missing", "unknown", "wrongly typed", "all at once"],
)
def test_wrong_parameters_are_named_with_their_type(platform: Platform, tmp_path, given, sentences):
    before = count(platform)
    said = submit(platform, tmp_path, typed(), *given)
    assert said.code == 2, said.stderr
    assert all(sentence in said.stderr for sentence in sentences), said.stderr
    assert count(platform) == before


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("text.yaml", b"just a text", "pipeline"),
        ("broken.yaml", b"a: [", ""),
        ("argo.yaml", b"apiVersion: argoproj.io/v1alpha1\nkind: Workflow\n", "Argo"),
        ("source.py", b"import kfp\n", "defines no pipeline: decorate a function with @dsl.pipeline"),
        ("source.py", b"from kfp import dsl\n", "imports KFP's SDK, which is not installed here; with --as-kfp"),
        ("empty.yaml", b"", "empty"),
    ],
)
def test_a_file_that_is_no_pipeline(platform: Platform, tmp_path, name, content, sentence):
    file = tmp_path / name
    file.write_bytes(content)
    said = driving.command("run", str(file), "--no-wait", "--endpoint", platform.url)
    assert said.code == 2, said.stderr
    assert sentence in said.stderr
    assert "Traceback" not in said.stderr


def upload(platform: Platform, name: str, content: bytes) -> tuple[int, str]:
    boundary = "----headrace"
    head = f'--{boundary}\r\nContent-Disposition: form-data; name="uploadfile"; filename="{name}"\r\n'
    body = (
        head.encode() + b"Content-Type: application/octet-stream\r\n\r\n" + content + f"\r\n--{boundary}--\r\n".encode()
    )
    request = urllib.request.Request(
        f"{platform.url}/apis/v2beta1/pipelines/upload",
        data=body,
        headers={"Content-Type": f"multipart/form-data; boundary={boundary}"},
    )
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as refused:
        return refused.code, refused.read().decode()


def archive(entry: str) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as made:
        made.writestr(entry, json.dumps(typed()))
    return packed.getvalue()


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("up.zip", archive("../pipeline.yaml")),
        ("abs.zip", archive("/etc/pipeline.yaml")),
        ("big.yaml", b"#" * (33 << 20)),
    ],
    ids=["archive with ../", "absolute entry", "over 32 MiB"],
)
def test_uploads_that_are_refused(platform: Platform, name, content):
    before = platform.get("/apis/v2beta1/pipelines").get("total_size", 0)
    status, text = upload(platform, name, content)
    assert 400 <= status < 500, text
    assert platform.get("/apis/v2beta1/pipelines").get("total_size", 0) == before
