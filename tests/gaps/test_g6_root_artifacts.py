"""G6: artifacts that a run is given."""

from __future__ import annotations

import pytest

from gaps.gap import Gap
from headrace.errors import BadInput

GAP = Gap(
    "G6",
    "Artifacts as inputs of the whole pipeline",
    kfp="declared, but a run cannot be given any",
    here="given by URI (`headrace run -a data=file:///…`, `root_artifacts` of a submission), with the "
    "type that the pipeline declares",
)


def test_the_pipeline_reads_what_the_run_gives_it(gaps, tmp_path):
    (tmp_path / "data.txt").write_text("hello")
    view = gaps.submit("g6", root_artifacts={"data": (tmp_path / "data.txt").as_uri()})
    assert (view.state, view.outputs) == ("SUCCEEDED", {"Output": "hello"})


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({}, "artifact 'data' (system.Dataset) is missing: give its URI"),
        ({"data": "nowhere"}, "artifact 'data' (system.Dataset) is 'nowhere': expected a URI such as file:///data/x"),
        ({"data": "s3://b/k", "date": "s3://b/k"}, "artifact 'date' is unknown: the pipeline takes data"),
    ],
)
def test_what_is_missing_or_wrong_is_said(gaps, given, sentence):
    with pytest.raises(BadInput) as refused:
        gaps.start("g6", root_artifacts=given)
    assert sentence in refused.value.message


def test_an_artifact_that_is_not_there_fails_its_reader(gaps):
    view = gaps.submit("g6", root_artifacts={"data": "file:///no/such/file"})
    assert view.state == "FAILED"
    assert "input artifact 'data' is missing: nothing is stored at file:///no/such/file" in view.tasks["read"].error
