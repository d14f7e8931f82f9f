"""A run's trace in Jaeger: the phases of each Pod under the run's id, with the user's own spans nested in their attempt."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest

from builders.specs import container, output, pipeline
from cluster.bringup import jaeger
from cluster.installation import Installation

PHASES = ["admitted", "scheduled", "image", "staging", "running", "publishing"]
OUTPUT = "{{$.outputs.parameters['Output'].output_file}}"
# What an instrumented program sends: one span whose parent is the attempt that TRACEPARENT names.
PROGRAM = """
import json, os, pathlib, sys, time, urllib.request
_, trace, parent, _ = os.environ["TRACEPARENT"].split("-")
now = time.time_ns()
span = {"traceId": trace, "spanId": os.urandom(8).hex(), "parentSpanId": parent, "name": "user work", "kind": 1,
        "startTimeUnixNano": str(now - 1000000), "endTimeUnixNano": str(now)}
resource = {"attributes": [{"key": "service.name", "value": {"stringValue": "user"}}]}
body = {"resourceSpans": [{"resource": resource, "scopeSpans": [{"spans": [span]}]}]}
request = urllib.request.Request(sys.argv[1] + "/v1/traces", json.dumps(body).encode(), {"Content-Type": "application/json"})
urllib.request.urlopen(request, timeout=20).read()
pathlib.Path(sys.argv[2]).write_text(parent)
"""


@pytest.fixture
def collecting(tmp_path: Path) -> Iterator[None]:
    with jaeger.running(tmp_path):
        yield


def tags(span: dict[str, Any]) -> dict[str, Any]:
    return {one["key"]: one["value"] for one in span["tags"]}


def parent(span: dict[str, Any]) -> str:
    return next((one["spanID"] for one in span["references"] if one["refType"] == "CHILD_OF"), "")


@pytest.mark.timeout(900)  # with building Jaeger
@pytest.mark.usefixtures("collecting")
def test_a_runs_trace_shows_every_phase_of_its_pods(install: Callable[..., AbstractContextManager[Installation]]):
    program = ["python3", "-c", PROGRAM, jaeger.OTLP, OUTPUT]
    flow = pipeline("traced").task("first", container(program, image="python:3.11", outputs={"Output": "STRING"}))
    after = container(["sh", "-c", 'echo "$0"', "{{$.inputs.parameters['x']}}"], image="alpine", inputs={"x": "STRING"})
    flow.task("second", after, {"x": output("first")})
    with install(OTEL_EXPORTER_OTLP_ENDPOINT=jaeger.OTLP) as platform:
        run_id = platform.submit(flow.build())
        assert platform.ended(run_id) == "SUCCEEDED"
        spans: list[dict[str, Any]] = []

        def whole() -> bool:
            spans[:] = jaeger.trace(run_id.replace("-", ""))
            return any(tags(span).get("headrace.phase") == "run" for span in spans)

        platform.until("the run's trace in Jaeger", whole)
    by_phase = {(tags(one).get("headrace.phase"), tags(one).get("headrace.path", "")): one for one in spans}
    for path in ("first", "second"):
        attempt = by_phase["attempt", path]
        assert parent(attempt) == by_phase["task", path]["spanID"]
        assert {phase for phase in PHASES if (phase, path) in by_phase} == set(PHASES)
    assert ("waiting", "second") in by_phase  # a wait that took no time, as the first task's, has no span
    (users,) = [span for span in spans if span["operationName"] == "user work"]
    assert parent(users) == by_phase["attempt", "first"]["spanID"]
    said = [one for span in spans for one in span["warnings"] or ()]
    assert [one for one in said if "duration" in one] == []  # it says so of a span without length
    assert users["startTime"] >= by_phase["running", "first"]["startTime"]
