"""A run's trace as a collector gets it, in both topologies: spans from events and live ones, whole, nested, and each once.

The collector is a small one of the tests' own, at the edge; user code's TRACEPARENT is read from what it printed.
"""

from __future__ import annotations

import itertools
import json
from collections import Counter
from pathlib import Path

import pytest

from builders.specs import container, output, pipeline
from corpus import driving
from fixtures.collector import Collector, Received, collecting
from fixtures.platforms import TOPOLOGIES, Platform, faults_in_logs, running

PHASES = [
    "admitted",
    "scheduled",
    "staging",
    "image",
    "running",
    "publishing",
]  # as the process executor goes through them


def two_tasks(folder: Path) -> Path:
    """A pipeline of `first`, whose output is its TRACEPARENT, and `second`, which prints it."""
    out = "{{$.outputs.parameters['Output'].output_file}}"
    say = 'mkdir -p "$(dirname "$0")"; printf %s "$TRACEPARENT" > "$0"'
    first = container(["sh", "-c", say, out], outputs={"Output": "STRING"})
    second = container(["sh", "-c", 'echo "$0"', "{{$.inputs.parameters['text']}}"], inputs={"text": "STRING"})
    flow = pipeline("traced").task("first", first, cache=False).task("second", second, {"text": output("first")})
    file = folder / "traced.json"
    file.write_text(json.dumps(flow.build()))
    return file


def run(platform: Platform, file: Path) -> str:
    said = driving.command("run", str(file), "--no-cache", "-o", "json", "--endpoint", platform.url)
    assert said.code == 0, said.stderr
    told = json.loads(said.stdout)
    assert told["trace_id"] == told["run_id"].replace("-", "")
    trace_id: str = told["trace_id"]
    return trace_id


def only(spans: list[Received], phase: str, path: str = "") -> Received:
    (found,) = [span for span in spans if (span.phase, span.path) == (phase, path)]
    return found


def check_waterfall(spans: list[Received]) -> None:
    assert all(span.start_ns < span.end_ns for span in spans)
    root = only(spans, "run")
    assert root.parent_id == ""
    for path in ("first", "second"):
        task, attempt = only(spans, "task", path), only(spans, "attempt", path)
        assert task.parent_id == root.span_id
        assert attempt.parent_id == task.span_id
        waits = [span for span in spans if (span.phase, span.path) == ("waiting", path)]
        assert {span.parent_id for span in waits} <= {task.span_id}
        phases = [only(spans, phase, path) for phase in PHASES]
        assert {phase.parent_id for phase in phases} == {attempt.span_id}
        for before, after in itertools.pairwise(phases):
            assert before.end_us <= after.start_us
        for outer, inner in [(root, task), (task, attempt), *((attempt, phase) for phase in phases)]:
            assert outer.start_us <= inner.start_us <= inner.end_us <= outer.end_us, (outer.name, inner.name)
    first, second = only(spans, "task", "first"), only(spans, "attempt", "second")
    assert first.end_us <= second.start_us
    (wait,) = [span for span in spans if span.attributes.get("headrace.waiting_on") == "upstream"]
    assert (wait.path, wait.end_us) == ("second", first.end_us)


def repeated(spans: list[Received]) -> list[str]:
    return [span_id for span_id, times in Counter(span.span_id for span in spans).items() if times > 1]


@pytest.mark.timeout(180)
@pytest.mark.parametrize("topology", TOPOLOGIES)
def test_a_runs_trace(topology: str, tmp_path: Path) -> None:
    home, file = tmp_path / "home", two_tasks(tmp_path)
    with collecting() as collector:
        settings = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.endpoint}
        with running(topology, home, **settings) as platform:
            trace_id = run(platform, file)
            collector.wait_for(trace_id, "run")
        check_waterfall(collector.of(trace_id, "event"))
        check_live(collector, trace_id, topology)
        with running(topology, home, **settings) as platform:
            other = run(platform, file)
            collector.wait_for(other, "run")
        check_waterfall(collector.of(other, "event"))
        for one in (trace_id, other):
            for source in ("event", "live"):
                assert repeated(collector.of(one, source)) == []
    assert faults_in_logs(home) == []


def check_live(collector: Collector, trace_id: str, topology: str) -> None:
    live = collector.of(trace_id, "live")
    delivered = [span for span in live if span.name == "headrace.v1.RunStore/Deliver"]
    assert [span.service for span in delivered] == ["persistence"]
    assert delivered[0].parent_id == only(collector.of(trace_id, "event"), "run").span_id
    if (
        topology == "embedded"
    ):  # as processes, the scheduler may come up after the run was stored: then nobody was woken
        assert "headrace.v1.Scheduler/Wake" in {span.name for span in live}


@pytest.mark.parametrize("topology", TOPOLOGIES)
def test_user_code_gets_its_place_in_the_trace(topology: str, tmp_path: Path) -> None:
    with collecting() as collector:
        settings = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.endpoint}
        with running(topology, tmp_path / "home", **settings) as platform:
            trace_id = run(platform, two_tasks(tmp_path))
            log = driving.command("runs", "logs", trace_id[:8], "--endpoint", platform.url)
            collector.wait_for(trace_id, "run")
        attempt = only(collector.of(trace_id, "event"), "attempt", "first")
    assert f"00-{trace_id}-{attempt.span_id}-01" in log.stdout
