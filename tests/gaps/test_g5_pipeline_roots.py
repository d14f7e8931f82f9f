"""G5: the pipeline root of the spec."""

from __future__ import annotations

import pytest

from builders.specs import container, pipeline
from gaps.gap import Gap
from headrace.errors import BadInput

GAP = Gap(
    "G5",
    "defaultPipelineRoot in the spec",
    kfp="never read",
    here="used where the run names no root of its own; the server's comes last. On one machine any folder "
    "(`file://…`) can be a root",
)


def flow(name, root):
    extra = {"defaultPipelineRoot": root} if root else {}
    make = container(["sh", "-ec", 'echo data > "$0"', "{{$.outputs.artifacts['data'].path}}"])
    make.output_artifact("data", "system.Dataset")
    return pipeline(name, **extra).task("make", make)


def uri_of(gaps, run_id):
    (task,) = [one for one in gaps.client.tasks(run_id) if one.path == "make"]
    return task.artifacts["data"][0].uri


def test_the_runs_root_comes_before_the_specs_and_that_before_the_servers(gaps, tmp_path):
    of_spec, of_run = f"file://{tmp_path}/spec", f"file://{tmp_path}/run"
    for root, given, wanted in (
        (of_spec, "", of_spec),
        (of_spec, of_run, of_run),
        ("", of_run, of_run),
        ("", "", (gaps.platform.home / "artifacts").as_uri()),
    ):
        run_id = gaps.start(flow("g5", root), pipeline_root=given, enable_cache=False)
        assert gaps.view(run_id).tasks["make"].outputs["data"][0].content == {"text": "data\n"}
        assert uri_of(gaps, run_id) == f"{wanted}/g5/{run_id}/make/1/data"


def test_a_root_of_the_spec_that_cannot_be_used_is_told(gaps):
    (said,) = gaps.warnings(flow("g5", "s3://change/me"))
    assert said.startswith(
        "defaultPipelineRoot 's3://change/me' cannot be used: runs of this platform publish to file://"
    )


def test_a_root_that_cannot_be_used_is_refused_at_once(gaps):
    with pytest.raises(BadInput) as refused:
        gaps.start(flow("g5", ""), pipeline_root="s3://bucket/runs")
    assert refused.value.message.startswith(
        "pipeline_root 's3://bucket/runs' cannot be used: runs of this platform publish to file://"
    )
