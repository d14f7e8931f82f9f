"""Importers: what a URI may be, and which artifact is linked instead of a new one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from headrace_protos.v1 import events_pb2, run_query_pb2
from headrace_scheduler import importing
from headrace_scheduler.engine.commands import Import
from headrace_scheduler.importing import Importer
from headrace_servicekit.errors import Reason, ServiceError

RUN = "01900000-0000-7000-8000-000000000000"
OLD = events_pb2.Artifact(artifact_id="old", uri="gs://b/k")


class Query:
    """RunQuery with one artifact, or away for a while."""

    def __init__(self, found: events_pb2.Artifact | None = None, away: int = 0) -> None:
        self.found = found
        self.away = away
        self.asked: list[run_query_pb2.ArtifactQuery] = []

    async def FindArtifacts(self, request: Any) -> run_query_pb2.FindArtifactsResponse:  # noqa: N802  # the rpc's name
        if self.away:
            self.away -= 1
            raise ServiceError(Reason.UNAVAILABLE, "away")
        self.asked.extend(request.queries)
        return run_query_pb2.FindArtifactsResponse(
            found=[run_query_pb2.FoundArtifact(artifact=self.found) for _ in request.queries]
        )


async def imported(
    uri: str,
    schema: dict[str, str] | None = None,
    *,
    reimport: bool = True,
    local: bool = True,
    query: Query | None = None,
    metadata: str = '{"a":1}',
):
    command = Import(
        "imp", uri, schema or {"schema_title": "system.Dataset"}, metadata, reimport, "default", "p", "got"
    )
    ((run_id, fact),) = await Importer(query or Query(), local).ask([(RUN, command)])
    assert (run_id, fact.path) == (RUN, "imp")
    return fact


@pytest.mark.parametrize("uri", ["gs://b/k", "s3://b/k", "minio://b/k", "https://host/f", "http://host/f", "file:///"])
async def test_known_schemes(uri):
    artifact = (await imported(uri)).artifact
    assert (artifact.name, artifact.uri, artifact.schema_title) == ("got", uri, "system.Dataset")
    assert artifact.metadata_json == '{"a":1}'


async def test_the_schema_is_kept_in_its_form():
    for schema in ({"schema_uri": "https://s/x.yaml", "schema_version": "1"}, {"instance_schema": "title: x\n"}):
        made = (await imported("s3://b/k", schema)).artifact
        kept = {
            name: getattr(made, name) for name in ("schema_title", "schema_uri", "schema_version", "instance_schema")
        }
        assert {name: value for name, value in kept.items() if value} == schema


async def test_the_same_import_gives_the_same_artifact_and_another_one_another():
    first, again = await imported("gs://b/k"), await imported("gs://b/k")
    other = await imported("gs://b/k", metadata="")
    assert first.artifact.artifact_id == again.artifact.artifact_id != other.artifact.artifact_id


async def test_an_artifact_that_is_there_is_linked_unless_a_new_one_is_wanted():
    query = Query(OLD)
    assert (await imported("gs://b/k", reimport=False, query=query)).artifact.artifact_id == "old"
    asked = query.asked[0]
    assert (asked.namespace, asked.pipeline_name, asked.uri) == ("default", "p", "gs://b/k")
    assert (asked.schema_title, asked.metadata_json) == ("system.Dataset", '{"a":1}')
    assert (await imported("gs://b/k", query=query)).artifact.artifact_id != "old"
    assert len(query.asked) == 1


async def test_importers_wait_for_persistence(monkeypatch):
    monkeypatch.setattr(importing, "AGAIN_S", 0.0)
    assert (await imported("gs://b/k", reimport=False, query=Query(OLD, away=2))).artifact.artifact_id == "old"


@pytest.mark.parametrize(
    ("uri", "schema", "sentence"),
    [
        ("", "system.Dataset", "the importer's URI is empty"),
        ("s3://b/k\n", "system.Dataset", "it holds a character that cannot be printed"),
        ("hf://model", "system.Model", "its scheme is none of file://"),
        ("oci://image", "system.Dataset", "import it as system.Model"),
        ("file://data/x", "system.Dataset", "write file:///absolute/path"),
        ("FILE:///data", "system.Dataset", "write file:///absolute/path"),
        ("file:///dev/zero", "system.Dataset", "/dev/zero is neither a file nor a folder"),
        ("file:///no/such/file", "system.Dataset", "there is no file or folder /no/such/file on this machine"),
        ("file:///dev/null/a", "system.Dataset", "there is no file or folder /dev/null/a on this machine"),
        (f"file:///{'a' * 300}", "system.Dataset", "aaa': File name too long"),
    ],
)
async def test_what_cannot_be_imported_says_why(uri, schema, sentence):
    outcome = await imported(uri, {"schema_title": schema})
    assert outcome.artifact is None
    assert sentence in outcome.problem


async def test_a_clusters_disk_is_nobodys(tmp_path: Path):
    outcome = await imported(tmp_path.as_uri(), local=False)
    assert "tasks do not run on the platform's machine" in outcome.problem
