"""A run's own waterfall on Pods: every part of an attempt is there, from admission to publishing, and none overlaps another."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from builders.specs import container, pipeline
from cluster.installation import Installation

PHASES = ["admitted", "scheduled", "image", "staging", "running", "publishing"]


def test_the_phases_of_an_attempt_follow_one_another(on_pods: Installation) -> None:
    work = container(["sh", "-c", "sleep 0.5"], image="alpine", inputs={"x": "STRING"})
    run_id = on_pods.submit(pipeline("traced").task("work", work, {"x": "1"}).build())
    assert on_pods.ended(run_id) == "SUCCEEDED"
    spans: list[dict[str, Any]] = on_pods.platform.get(f"/apis/headrace.v1/runs/{run_id}/trace")["spans"]
    for one in spans:
        one["start_us"], one["end_us"] = int(one["start_us"]), int(one["end_us"])
    (attempt,) = [one for one in spans if one["phase"] == "attempt"]
    within = [one for one in spans if one.get("parent_span_id") == attempt["span_id"]]
    parts = [one for one in within if one["phase"] != "waiting"]  # a slow image is told as a wait besides
    found = {one["phase"]: one for one in parts}
    assert sorted(found) == sorted(PHASES)
    parts.sort(key=lambda one: (one["start_us"], one["end_us"]))
    assert parts[0]["start_us"] == attempt["start_us"]
    assert parts[-1]["end_us"] <= attempt["end_us"]
    for before, after in pairwise(parts):
        assert before["end_us"] <= after["start_us"], (before["phase"], after["phase"])
    assert found["running"]["end_us"] - found["running"]["start_us"] >= 400_000
    assert next(one["phase"] for one in spans if one.get("path") == "work") == "task"
