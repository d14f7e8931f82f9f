"""Importers: what a URI may be."""

from __future__ import annotations

import pytest

from headrace_scheduler.engine.commands import Import
from headrace_scheduler.importing import import_artifact

RUN = "01900000-0000-7000-8000-000000000000"


def imported(uri: str, schema_title: str = "system.Dataset"):
    return import_artifact(RUN, Import("imp", uri, {"schema_title": schema_title}, '{"a":1}', reimport=False))


@pytest.mark.parametrize("uri", ["gs://b/k", "s3://b/k", "https://host/f", "file:///data/f"])
def test_known_schemes(uri):
    artifact = imported(uri).artifact
    assert (artifact.uri, artifact.schema_title, artifact.metadata_json) == (uri, "system.Dataset", '{"a":1}')


def test_the_schema_is_kept_in_its_form():
    schema = {"schema_uri": "https://s/x.yaml", "schema_version": "1"}
    made = import_artifact(RUN, Import("imp", "s3://b/k", schema, "", reimport=False)).artifact
    assert (made.schema_title, made.schema_uri, made.schema_version) == ("", "https://s/x.yaml", "1")


def test_the_same_import_gives_the_same_artifact():
    assert imported("gs://b/k").artifact.artifact_id == imported("gs://b/k").artifact.artifact_id


@pytest.mark.parametrize(
    ("uri", "schema", "sentence"),
    [
        ("", "system.Dataset", "the importer's URI is empty"),
        ("hf://model", "system.Model", "its scheme is none of file://"),
        ("oci://image", "system.Dataset", "import it as system.Model"),
    ],
)
def test_what_cannot_be_imported_says_why(uri, schema, sentence):
    outcome = imported(uri, schema)
    assert outcome.artifact is None
    assert sentence in outcome.problem
