"""Retention and erasing, by the real command and client on the real platform, in both topologies.

Policies are those of one pipeline each, because the platform is shared with other tests.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from builders.specs import Pipeline, artifact, container, importer, pipeline
from corpus import driving
from corpus.viewing import local_path
from fixtures.platforms import Platform
from fixtures.records import Records
from headrace import Client
from headrace.errors import NotFound

MADE = "{{$.outputs.artifacts['model'].path}}"
READ = "{{$.inputs.artifacts['data'].path}}"
OUTPUT = "{{$.outputs.parameters['said'].output_file}}"


@pytest.fixture
def client(platform: Platform) -> Iterator[Records]:
    with Records(platform.url) as found:
        yield found


def flow(name: str, folder: Path, word: str = "secret") -> Pipeline:
    """data (imported) → train → report, each of which writes down that it ran."""
    data = folder / "data.txt"
    data.write_text(word)
    train = container(["sh", "-ec", f'echo train >> {folder}/ran; echo {word}; cat "$1" > "$0"', MADE, READ])
    train.input_artifact("data", "system.Dataset").output_artifact("model", "system.Model")
    report = container(
        ["sh", "-ec", f'echo report >> {folder}/ran; cat "$2" > "$0"; cat "$2" > "$1"', MADE, OUTPUT, READ]
    )
    report.input_artifact("data", "system.Model").output_artifact("model", "system.HTML").output("said", "STRING")
    made = pipeline(name).task("load", importer(data.as_uri()), {"uri": "x"})
    made.task("train", train, {"data": artifact("load")}, cache=True)
    return made.task("report", report, {"data": artifact("train", "model")}, cache=True)


def said(platform: Platform, *arguments: str, code: int = 0) -> str:
    answer = driving.command(*arguments, "--endpoint", platform.url)
    assert answer.code == code, answer.stderr
    return answer.stdout if code == 0 else answer.stderr


def told(platform: Platform, *arguments: str, code: int = 0) -> Any:
    return json.loads(said(platform, *arguments, "-o", "json", code=code))


def finished(client: Records, flow: Pipeline) -> str:
    run_id = client.submit(flow.build()).run_id
    assert client.wait(run_id, timeout=90).state == "SUCCEEDED"
    return run_id


def ran(folder: Path) -> int:
    return len((folder / "ran").read_text().split())


def test_runs_go_by_number_and_what_is_used_stays(platform: Platform, client: Records, tmp_path: Path) -> None:
    name = "retention-by-number"
    first = finished(client, flow(name, tmp_path))
    model = next(one for one in client.artifacts(first) if one.task == "train")
    folder = local_path(model.uri).parent
    second = finished(client, flow(name, tmp_path))
    assert ran(tmp_path) == 2  # the second took the first's results
    scope = ("--namespace", "default", "--pipeline", name)
    assert said(platform, "retention", "set", "runs", "1", *scope).startswith(
        f"runs of default/{name}: of each pipeline the newest 1 stay (version "
    )
    said(platform, "retention", "set", "artifacts", "0d", *scope)
    planned = told(platform, "retention", "plan", "--namespace", "default")
    assert [(one["kind"], one["name"]) for one in planned["going"]] == [("runs", first)]
    assert {one["why"] for one in planned["kept"]} == {f"run {second} uses it"}
    done = told(platform, "retention", "run", "--namespace", "default")
    assert done["going"] == planned["going"]
    assert not (folder / "executor-logs").exists()
    assert local_path(model.uri).read_text() == "secret"
    with pytest.raises(NotFound):
        client.runs.get(first)
    third = finished(client, flow(name, tmp_path))
    assert ran(tmp_path) == 2  # a result of a run that is gone
    said(platform, "retention", "set", "runs", "0", *scope)
    said(platform, "retention", "set", "cache", "0", *scope)
    lines = said(platform, "retention", "run", "--namespace", "default").splitlines()
    assert lines[-1].startswith("2 cached results, 2 runs, 2 artifacts went, ")
    assert not folder.exists() or not any(folder.iterdir())
    with pytest.raises(NotFound):
        client.runs.get(third)
    finished(client, flow(name, tmp_path))
    assert ran(tmp_path) == 4
    for kind in ("runs", "artifacts", "cache"):
        said(platform, "retention", "set", kind, "none", *scope)
    assert name not in said(platform, "retention", "show")


def test_logs_and_traces_of_runs_that_stay(platform: Platform, client: Records, tmp_path: Path) -> None:
    name = "retention-of-logs"
    run_id = finished(client, flow(name, tmp_path))
    pinned = finished(client, flow(name, tmp_path, "pinned"))
    assert said(platform, "runs", "pin", pinned) == f"{pinned} is pinned: no retention policy takes it\n"
    with Client(platform.url) as calls:
        for kind in ("logs", "traces"):
            made = calls.retention.set(kind, namespace="default", pipeline=name, max_age=timedelta(0))
            assert (made.kind, made.max_age, made.declared) == (kind, timedelta(0), False)
        going = calls.retention.run(namespace="default").going
        assert [(one.kind, one.name) for one in going] == [("logs", run_id), ("traces", run_id)]
        assert calls.retention.run(namespace="default").going == ()
        for kind in ("logs", "traces"):
            calls.retention.remove(kind, namespace="default", pipeline=name)
    gone = said(platform, "runs", "logs", run_id, "--task", "train", code=2)
    assert f"the logs of run {run_id} were deleted on " in gone
    assert f"the trace of run {run_id} was deleted on " in said(platform, "trace", run_id, code=2)
    assert "pinned" in said(platform, "runs", "logs", pinned, "--task", "train")
    assert said(platform, "runs", "unpin", pinned) == f"{pinned} is not pinned any more\n"


def test_an_artifact_is_erased_with_all_that_was_made_of_it(
    platform: Platform, client: Records, tmp_path: Path
) -> None:
    run_id = finished(client, flow("erasing", tmp_path, "alice"))
    model, html = [one for one in client.artifacts(run_id) if one.task in ("train", "report")]
    planned = told(platform, "artifacts", "erase", model.artifact_id, "--derived", "--dry-run")
    assert {one["uri"] for one in planned["artifacts"]} == {model.uri, html.uri}
    refused = said(platform, "artifacts", "erase", model.artifact_id, "--derived", code=2)
    assert "2 artifacts would be erased for ever: look with --dry-run, then say --yes" in refused
    assert local_path(model.uri).exists()
    lines = said(
        platform, "artifacts", "erase", model.artifact_id, "--derived", "--yes", "--reason", "asked for"
    ).splitlines()
    assert "2 artifacts of 1 run are erased" in lines
    assert not local_path(model.uri).exists()
    assert not local_path(html.uri).exists()
    assert (tmp_path / "data.txt").read_text() == "alice"  # imported: its owner's
    record = told(platform, "artifacts", "erasures")[0]
    assert (record["artifact_id"], record["reason"], bool(record["finished_at"])) == (
        model.artifact_id,
        "asked for",
        True,
    )
    assert record["asked_by"].endswith(" (not verified)")
    assert (
        said(platform, "artifacts", "get", run_id, "train/model").splitlines()[0] == "train/model (Model)  (no place)"
    )
    why = "has no content: it was erased, or never had a place; `headrace artifacts erasures` says who erased what"
    for named in ((run_id, "train/model"), (model.artifact_id,)):
        assert f"{named[-1]} {why}\n" in said(platform, "artifacts", "download", *named, code=2)
    graph = told(platform, "artifacts", "lineage", html.artifact_id, "--up")
    assert {one["task"] for one in graph["tasks"]} == {"load", "train", "report"}
    assert "alice" not in json.dumps(told(platform, "runs", "get", run_id))
    finished(client, flow("erasing", tmp_path, "alice"))
    assert ran(tmp_path) == 4  # their cached results are gone with them


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (
            ("retention", "set", "runs", "soon"),
            "soon: 'soon' is neither an age such as 90d nor a number; `keep` keeps all, `none` says nothing here",
        ),
        (
            ("retention", "set", "runs", "9d", "--pipeline", "x"),
            "the policy for pipeline 'x' names no namespace; name it too, such as default/x",
        ),
        (
            ("retention", "set", "packages", "9d", "--pipeline", "x", "--namespace", "a"),
            "packages are shared by the pipelines of a namespace; set a policy for 'a' instead",
        ),
        (
            ("retention", "set", "runs", "9d", "--namespace", "nobody", "--version", "3"),
            "the policy for runs of nobody is not there, not version 3: look at it and set it again",
        ),
        (("artifacts", "erase", "nothing", "--dry-run"), "there is no artifact 'nothing': give its id, or its number"),
        (
            ("artifacts", "erase", "gs://bucket/x", "--dry-run"),
            "nothing is known of gs://bucket/x: give an artifact's id, or its number",
        ),
    ],
)
def test_each_mistake_is_a_sentence(platform: Platform, arguments: tuple[str, ...], sentence: str) -> None:
    assert sentence in said(platform, *arguments, code=2)
