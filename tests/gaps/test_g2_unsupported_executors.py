"""G2: executors of kinds that only Vertex AI knows."""

from __future__ import annotations

import pytest

from builders.specs import pipeline
from gaps.gap import Gap
from gaps.shells import say

GAP = Gap(
    "G2",
    "Resolvers and custom jobs",
    kfp="uploads are taken; creating a run fails with an internal text",
    here="refused at upload, with what to use instead",
)


@pytest.mark.parametrize(
    ("kind", "sentence"),
    [
        (
            "resolver",
            "resolver executors are not supported: import the artifact with an importer (dsl.importer) instead",
        ),
        (
            "customJob",
            "Vertex AI custom jobs are not supported: use a container executor with the job's image and command",
        ),
    ],
)
def test_they_are_refused_with_what_to_use_instead(gaps, kind, sentence):
    document = pipeline("g2").task("a", say("x")).build()
    document["deploymentSpec"]["executors"]["exec-a"] = {kind: {}}
    assert gaps.refused(document) == [f"deploymentSpec.executors.exec-a.{kind}: {sentence}"]
