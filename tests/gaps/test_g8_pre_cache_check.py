"""G8: a container's check before the cache is asked."""

from __future__ import annotations

from builders.specs import pipeline
from gaps.gap import Gap
from gaps.shells import say

GAP = Gap(
    "G8",
    "A container's preCacheCheck",
    kfp="ignored in silence",
    here="has no effect either, and a warning says so",
)


def test_a_warning_says_that_it_has_no_effect(gaps):
    document = pipeline("g8").task("a", say("x")).returns("Output", "a").build()
    lifecycle = {"preCacheCheck": {"command": ["false"]}}
    document["deploymentSpec"]["executors"]["exec-a"]["container"]["lifecycle"] = lifecycle
    place = "deploymentSpec.executors.exec-a.container.lifecycle"
    assert gaps.warnings(document) == [f"{place}: a pre-cache check has no effect"]
    assert gaps.run(document).outputs == {"Output": "x"}
