"""Large parameters at the executor: stored with the outputs, fetched for inputs, and every limit with its sentence."""

from __future__ import annotations

import json
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from builders.launches import Watched, launch, store_in, succeeded, watching
from headrace_companion.folder_store import FolderStore
from headrace_companion.publishing import sealed
from headrace_ir.references import ValueRef, digest_of, reference_of, type_of_text
from headrace_protos.v1 import attempts_pb2
from headrace_scheduler.executors import port
from headrace_scheduler.executors.process.executor import ProcessExecutor
from headrace_scheduler.executors.process.reports import report

LONG = "ü" * 40_000
OUT = "{{$.outputs.parameters['x'].output_file}}"
METADATA = "{{$.outputs.output_file}}"


@pytest.fixture
def store(tmp_path: Path) -> FolderStore:
    return store_in(tmp_path)


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Outputs are read in a process of their own whatever their size."""
    monkeypatch.setattr("headrace_companion.reading.LARGE", -1)


@pytest.fixture
async def watched(tmp_path: Path, store: FolderStore) -> AsyncIterator[Watched]:
    executor = ProcessExecutor(tmp_path / "home", store, os.environ, grace_s=0.2, max_value_bytes=1_000_000)
    async with watching(executor) as one:
        yield one


def stored(store: FolderStore, value: object, name: str = "values/a") -> ValueRef:
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    kept = store.put_bytes(name, text.encode())
    return ValueRef(store.uri(name), kept.size, kept.digest, type_of_text(text))


def content(store: FolderStore, result: attempts_pb2.AttemptResult, name: str = "x") -> object:
    key = store.key(result.outputs.parameters[name].uri)
    assert key is not None
    return json.loads(store.read(key))


async def test_a_large_output_lies_with_the_attempts_outputs(watched: Watched, store: FolderStore) -> None:
    task = launch(store, "sh", "-c", 'printf %s "$1" > "$0"', OUT, LONG, outputs={"x": "STRING"})
    result = await watched.run(task)
    assert succeeded(result)
    ref = reference_of(result.outputs.parameters["x"])
    data = json.dumps(LONG, ensure_ascii=False).encode()
    uri = f"{task.task_root}/parameter-values/{digest_of(data).removeprefix('sha256:')}"
    assert ref == ValueRef(uri, len(data), digest_of(data), "STRING")
    assert content(store, result) == LONG
    again = sealed(task.task_root, store)
    assert again is not None
    assert report(task.attempt, again) == result


async def test_large_inputs_are_fetched_for_texts_and_for_the_executor_input(
    watched: Watched, store: FolderStore
) -> None:
    value = {"text": LONG, "list": [1, 2.5, None]}
    script = "import json, sys; w = json.loads(sys.argv[2]); json.dump([w, sys.argv[3]], open(sys.argv[1], 'w'))"
    texts = ("{{$.inputs.parameters['a']}}", '{{$.inputs.parameters["it\'s"]}}')
    argv = ("python3", "-c", script, OUT, *texts)
    references = {"a": stored(store, value), "it's": stored(store, LONG, "values/b")}
    result = await watched.run(launch(store, *argv, outputs={"x": "LIST"}, references=references))
    assert succeeded(result)
    assert content(store, result) == [value, LONG]


@pytest.mark.parametrize("spoil", ["gone", "changed", "elsewhere"])
async def test_a_large_input_that_is_not_there_or_not_the_same_fails(
    watched: Watched, store: FolderStore, spoil: str
) -> None:
    ref = stored(store, LONG)
    sentences = {
        "gone": f"input 'a' is missing: nothing is stored at {ref.uri}; run the task that makes it again",
        "changed": f"input 'a' is not what was stored: {ref.uri} has changed since",
        "elsewhere": f"input 'a' is at s3://bucket/a, outside the artifact store {store.root}",
    }
    if spoil == "gone":
        store.delete("values/a")
    elif spoil == "changed":
        store.put_bytes("values/a", b'"another"')
    else:
        ref = ValueRef("s3://bucket/a", ref.size, ref.digest, ref.type)
    result = await watched.run(launch(store, "true", references={"a": ref}))
    assert (result.error.reason, result.error.message) == ("MissingInput", sentences[spoil])


@pytest.mark.parametrize(
    ("script", "sentence"),
    [
        (
            'printf "%0999999d" 1 > "$0"',
            "output 'x' is 1000001 bytes long, above the limit of 1000000: write large data",
        ),
        (
            'printf "%01000001d" 1 > "$0"',
            "output 'x' is 1000001 bytes long, above the limit of 1000000: write large data",
        ),
        (
            'printf \'{"parameterValues":{"x":"%0999999d"}}\' 1 > "$1"',
            "output 'x' is 1000001 bytes long, above the limit of 1000000: write large data",
        ),
        (
            'printf 1 > "$0"; printf \'{"artifacts":{"m":{"artifacts":[{"metadata":{"a":"%02000000d"}}]}}}\' 1 > "$1"',
            "output artifact 'm' has 2000008 bytes of metadata, above the limit of 1048576: write it to its file",
        ),
    ],
)
async def test_what_is_too_large_says_so(watched: Watched, store: FolderStore, script: str, sentence: str) -> None:
    task = launch(
        store, "sh", "-c", script, OUT, METADATA, outputs={"x": "STRING"}, artifacts=[port.OutputArtifact("m")]
    )
    result = await watched.run(task)
    assert result.error.reason == "WrongOutput"
    assert result.error.message.startswith(sentence)


@pytest.mark.usefixtures("small")
async def test_outputs_that_another_process_reads_are_the_same(watched: Watched, store: FolderStore) -> None:
    said = {
        "parameterValues": {"l": [1, 2.5], "extra": None},
        "artifacts": {"m": {"artifacts": [{"metadata": {"a": 1}}]}},
    }
    task = launch(
        store,
        *("sh", "-c", 'printf %s "$2" > "$0"; printf %s "$3" > "$1"', OUT, METADATA, LONG, json.dumps(said)),
        outputs={"x": "STRING", "l": "LIST"},
        artifacts=[port.OutputArtifact("m")],
    )
    result = await watched.run(task)
    assert succeeded(result)
    assert content(store, result) == LONG
    assert {name: one.json for name, one in result.outputs.parameters.items()} == {
        "x": "",
        "l": "[1,2.5]",
        "extra": "null",
    }
    assert [one.metadata_json for one in result.outputs.artifacts["m"].artifacts] == ['{"a":1}']


@pytest.mark.usefixtures("small")
async def test_what_another_process_refuses_is_said_in_the_same_words(watched: Watched, store: FolderStore) -> None:
    result = await watched.run(launch(store, "sh", "-c", 'printf x > "$0"', OUT, outputs={"x": "LIST", "y": "STRING"}))
    assert result.error.reason == "WrongOutput"
    assert result.error.message == (
        "output 'x' is not JSON: Expecting value at character 0; output 'y' (STRING) was not written"
    )


async def test_an_output_artifact_may_not_take_the_place_of_values(watched: Watched, store: FolderStore) -> None:
    result = await watched.run(launch(store, "true", artifacts=[port.OutputArtifact("parameter-values")]))
    assert result.error.reason == "OutputPath"
