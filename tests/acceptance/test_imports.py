"""Artifacts of other stores, end to end: a platform with keys to an S3-compatible store, a mirror, and tasks without keys."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from builders.specs import artifact, container, importer, pipeline
from fixtures.fix_s3 import S3
from fixtures.platforms import Platform, running
from fixtures.records import Records

OUTPUT = "{{$.outputs.parameters['Output'].output_file}}"
INPUT = "{{$.inputs.artifacts['data'].path}}"


@pytest.fixture(scope="module")
def reaching(tmp_path_factory: pytest.TempPathFactory, s3: S3) -> Iterator[Platform]:
    """A platform that reaches the store, and has a folder as mirror of a public bucket."""
    mirror = tmp_path_factory.mktemp("mirror")
    (mirror / "play.txt").write_text("To be")
    rewrite = f"gs://public-bucket/={mirror.as_uri()}/"
    with running(
        "embedded", tmp_path_factory.mktemp("imports") / "home", HEADRACE_IMPORT_REWRITE=rewrite, **s3.environ
    ) as platform:
        yield platform


@pytest.fixture
def client(reaching: Platform) -> Iterator[Records]:
    with Records(reaching.url) as one:
        yield one


def outputs(client: Records, flow: object) -> dict[str, str]:
    """What each task of a run of FLOW puts out."""
    run = client.wait(client.submit(flow.build(), enable_cache=False).run_id, timeout=60)  # type: ignore[attr-defined]
    tasks = client.tasks(run.run_id)
    assert run.state == "SUCCEEDED", [task.error for task in tasks if task.error]
    return {task.path: task.outputs.get("Output", "") for task in tasks}


def reader(script: str):
    return (
        container(["sh", "-ec", script, OUTPUT, INPUT])
        .output("Output", "STRING")
        .input_artifact("data", "system.Dataset")
    )


def test_an_object_and_a_folder_of_a_store(client: Records, s3: S3) -> None:
    s3.bucket("acceptance", {"one.txt": b"one", "set/a.txt": b"a", "set/below/b.txt": b"b"})
    flow = pipeline("imports")
    flow.task("one", importer(), {"uri": "s3://acceptance/one.txt"})
    flow.task("set", importer(), {"uri": "s3://acceptance/set"})
    flow.task("read", reader('cat "$1" > "$0"'), {"data": artifact("one")})
    flow.task("list", reader('cd "$1"; cat a.txt below/b.txt > "$0"'), {"data": artifact("set")})
    flow.task("keys", reader('{ env | grep -c ^AWS_ || true; } > "$0"'), {"data": artifact("one")})
    found = outputs(client, flow)
    assert (found["read"], found["list"], found["keys"].strip()) == ("one", "ab", "0")


def test_a_mirror_stands_in_for_a_bucket(client: Records) -> None:
    flow = pipeline("mirrored").task("get", importer(), {"uri": "gs://public-bucket/play.txt"})
    flow.task("read", reader('cat "$1" > "$0"'), {"data": artifact("get")})
    assert outputs(client, flow)["read"] == "To be"


def test_what_code_says_to_lie_in_a_store_is_put_there(client: Records, s3: S3, tmp_path: Path) -> None:
    s3.bucket("acceptance", {})
    uri = "s3://acceptance/models/mine"
    said = (
        f'{{"artifacts":{{"data":{{"artifacts":[{{"name":"data","uri":"{uri}","custom_path":"{tmp_path}/model"}}]}}}}}}'
    )
    script = 'printf weights > "$2"; mkdir -p "$(dirname "$0")"; printf %s "$1" > "$0"'
    write = container(["sh", "-ec", script, "{{$.outputs.output_file}}", said, f"{tmp_path}/model"])
    flow = pipeline("puts").task("write", write.output_artifact("data", "system.Dataset"))
    flow.task("read", reader('cat "$1" > "$0"'), {"data": artifact("write", "data")})
    assert outputs(client, flow)["read"] == "weights"
    assert s3.client.get_object("acceptance", "models/mine").read() == b"weights"
