"""In what two artifacts differ: themselves first, then what made them, then where they lie."""

from __future__ import annotations

from typing import Any

from headrace_apiserver.differing import differences
from headrace_protos.v1 import events_pb2 as ev
from headrace_protos.v1 import lineage_pb2 as pb


def graph(**changes: Any) -> pb.LineageGraph:
    told = {"digest": "sha256:m", "lr": "0.1", "data": "sha256:d", "metadata_json": '{"acc":0.9}', **changes}
    model = ev.Artifact(id=1, digest=told["digest"], schema_title="system.Model", metadata_json=told["metadata_json"])
    data = ev.Artifact(id=2, digest=told["data"], uri="s3://data")
    task = pb.LineageTask(id=3, run_id="r", path="train", component="comp-train", code_digest="sha256:c")
    task.parameters["lr"].json = told["lr"]
    return pb.LineageGraph(
        root=1,
        artifacts=[pb.ArtifactRecord(artifact=model), pb.ArtifactRecord(artifact=data)],
        tasks=[task],
        edges=[
            pb.ArtifactUse(artifact=1, task=3, name="model", output=True),
            pb.ArtifactUse(artifact=2, task=3, name="data"),
        ],
    )


def fields(first: pb.LineageGraph, second: pb.LineageGraph) -> list[tuple[str, str, str]]:
    return [(one.field, one.first, one.second) for one in differences(first, second)]


def test_the_same_differ_in_nothing():
    assert fields(graph(), graph()) == []


def test_each_field_that_differs_is_named_with_both_values():
    other = graph(digest="sha256:n", lr="0.2", data="", metadata_json='{"acc":0.8,"loss":1}')
    assert fields(graph(), other) == [
        ("digest", "sha256:m", "sha256:n"),
        ("metadata.acc", "0.9", "0.8"),
        ("made_by.parameters.lr", "0.1", "0.2"),
        ("made_by.inputs.data", "sha256:d", "s3://data"),
        ("metadata.loss", "", "1"),
    ]


def test_one_that_nobody_made_has_no_maker_to_compare():
    alone = pb.LineageGraph(root=1, artifacts=[pb.ArtifactRecord(artifact=ev.Artifact(id=1, digest="sha256:m"))])
    assert ("made_by.component", "comp-train", "") in fields(graph(), alone)
