"""What a receiver of OTLP got of a run is what is read back from Postgres: the same spans with the same ids, parents, times,
links and attributes, for runs with attempts that failed, a loop with a limit, a cached task, a retry of the run and a run
that resumes another. The agent is restarted half-way, once as an operator does and once by SIGKILL; a receiver that hangs
holds up no run. Of a wide loop each thousand iterations come as a trace of their own, in which user code finds its attempt.
"""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from builders.specs import container, dag, dag_input, pipeline
from corpus import driving
from fixtures import counting
from fixtures.collector import Collector, Received, collecting
from fixtures.platforms import Platform, faults_in_logs, running
from headrace_protos import lifecycle

Told = tuple[Any, ...]
FAILS_FIRST = 'test -e "$0/tried" || { : > "$0/tried"; exit 3; }; sleep 0.3'
FAILS_UNTIL = 'test -e "$0/open"'


def flow(folder: Path) -> Path:
    """`kept` may come from the cache, `flaky` fails once, `each` has a limit, `last` fails until the folder says otherwise."""
    flaky = container(["sh", "-c", FAILS_FIRST, str(folder)])
    last = container(["sh", "-c", FAILS_UNTIL, str(folder)])
    work = container(["sh", "-c", "sleep 0.4", "{{$.inputs.parameters['item']}}"], inputs={"item": "STRING"})
    body = dag({"item": "STRING"}).task("work", work, {"item": dag_input("item")}, cache=False)
    made = (
        pipeline("traced")
        .task("kept", container(["true"]), cache=True)
        .task("flaky", flaky, after=["kept"], cache=False, retry={"maxRetryCount": 2})
        .task("each", body, after=["flaky"], items='["a", "b", "c"]', parallelism=2)
        .task("last", last, after=["each"], cache=False)
    )
    file = folder / "traced.json"
    file.write_text(json.dumps(made.build()))
    return file


def headrace(platform: Platform, *arguments: str) -> Any:
    said = driving.command(*arguments, "-o", "json", "--endpoint", platform.url)
    return json.loads(said.stdout)


def read_back(platform: Platform, run_id: str) -> list[Told]:
    spans: list[dict[str, Any]] = platform.get(f"/apis/headrace.v1/runs/{run_id}/trace")["spans"]
    return sorted(
        (
            one["span_id"],
            one.get("parent_span_id", ""),
            one["name"],
            one["phase"],
            int(one["start_us"]),
            int(one["end_us"]),
            tuple((link["trace_id"], link["span_id"]) for link in one.get("links", ())),
            tuple(sorted(one["attributes"].items())),
        )
        for one in spans
    )


def received(spans: list[Received]) -> list[Told]:
    """The same of what a receiver got; what it is told by attributes alone is not among the others."""
    own = ("headrace.phase", "headrace.state", "headrace.attempt")
    return sorted(
        (
            one.span_id,
            one.parent_id,
            one.name,
            one.phase,
            one.start_us,
            one.end_us,
            one.links,
            tuple(sorted((key, text) for key, text in one.attributes.items() if key not in own)),
        )
        for one in spans
    )


def check(platform: Platform, collector: Collector, run_id: str, *, repeated: bool = False) -> list[Told]:
    trace_id = run_id.replace("-", "")
    counting.until("all spans", lambda: len(ids(collector, trace_id)) >= len(read_back(platform, run_id)), platform)
    found = received(collector.of(trace_id, "event"))
    if repeated:  # whatever came twice is the same
        found = sorted(set(found))
    expected = read_back(platform, run_id)
    assert found == expected
    assert all(end for *_, end, _links, _attributes in expected), "nothing is open"
    return expected


def ids(collector: Collector, trace_id: str) -> set[str]:
    return {span.span_id for span in collector.of(trace_id, "event")}


@pytest.mark.timeout(240)
def test_the_same_tree_is_exported_and_read_back(tmp_path: Path) -> None:
    home, file = tmp_path / "home", flow(tmp_path)
    with collecting() as collector:
        with running("processes", home, OTEL_EXPORTER_OTLP_ENDPOINT=collector.endpoint) as platform:
            first = headrace(platform, "run", str(file), "--no-wait")["run_id"]
            collector.wait_for(first.replace("-", ""), "attempt", "flaky")
            platform.stop("persistence")  # half-way
            platform.start_again("persistence")
            assert counting.wait_until_ended(platform, first) == "RUN_FAILED"
            spans = check(platform, collector, first)
            assert Counter(phase for _, _, _, phase, *_ in spans)["attempt"] == 7  # kept, flaky twice, three, last
            (tmp_path / "open").touch()
            check_retried(platform, collector, first)
            check_cached_and_resumed(platform, collector, file, first)
        trace_id = first.replace("-", "")
        assert max(Counter(span.span_id for span in collector.of(trace_id, "event")).values()) == 1
    assert faults_in_logs(home) == []


def check_retried(platform: Platform, collector: Collector, run_id: str) -> None:
    headrace(platform, "runs", "retry", run_id)
    assert counting.wait_until_ended(platform, run_id) == "RUN_SUCCEEDED"
    spans = check(platform, collector, run_id)
    roots = [one for one in spans if one[3] == "run"]
    assert len(roots) == 2
    linked = {link for one in roots for _, link in one[6]}
    assert linked < {one[0] for one in roots}


def check_cached_and_resumed(platform: Platform, collector: Collector, file: Path, origin: str) -> None:
    again = headrace(platform, "run", str(file), "--no-wait")["run_id"]
    collector.wait_for(again.replace("-", ""), "task", "kept")
    platform.kill("persistence")
    platform.start_again("persistence")
    assert counting.wait_until_ended(platform, again) == "RUN_SUCCEEDED"
    spans = check(platform, collector, again, repeated=True)
    (kept,) = [one for one in spans if dict(one[7]).get("headrace.cached_from")]
    assert [trace_id for trace_id, _ in kept[6]] == [origin.replace("-", "")]
    assert kept[6][0][1] in {one[0] for one in read_back(platform, origin)}
    resumed = headrace(platform, "resume", origin, "--from", "last")["run_id"]
    spans = check(platform, collector, resumed, repeated=True)
    links = {link for one in spans for link in one[6]}
    assert {trace_id for trace_id, _ in links} == {origin.replace("-", "")}
    assert {span_id for _, span_id in links} <= {one[0] for one in read_back(platform, origin)}


SAYS = 'printf %s "$TRACEPARENT" > "$0/$1"; until test "$1" != last || test -e "$0/open"; do sleep 0.05; done'
AT = {
    "first": 0,
    "before": 999,
    "after": 1000,
    "last": 1099,
}  # the iterations that run user code; the others skip theirs


def wide_flow(folder: Path) -> Path:
    names = {index: name for name, index in AT.items()}
    says = container(["sh", "-c", SAYS, str(folder), "{{$.inputs.parameters['item']}}"], inputs={"item": "STRING"})
    when = "inputs.parameter_values['item'] != 'skip'"
    body = dag({"item": "STRING"}).task("work", says, {"item": dag_input("item")}, cache=False, when=when)
    items = json.dumps([names.get(index, "skip") for index in range(1100)])
    file = folder / "wide.json"
    file.write_text(json.dumps(pipeline("wide").task("each", body, items=items).build()))
    return file


@pytest.mark.timeout(240)
def test_a_wide_loop_comes_in_linked_traces(tmp_path: Path) -> None:
    home, file = tmp_path / "home", wide_flow(tmp_path)
    with collecting() as collector:
        with running("processes", home, OTEL_EXPORTER_OTLP_ENDPOINT=collector.endpoint) as platform:
            run_id = headrace(platform, "run", str(file), "--no-wait")["run_id"]
            parts = [lifecycle.trace_id(run_id, ("each", number)) for number in range(2)]
            collector.wait_for(parts[0], "attempt", "each[0]/work")
            platform.stop("persistence")  # half-way: the last one goes on
            platform.start_again("persistence")
            (tmp_path / "open").touch()
            assert counting.wait_until_ended(platform, run_id) == "RUN_SUCCEEDED"
            own = run_id.replace("-", "")
            collector.wait_for(own, "run")
        spans = [span for trace_id in (own, *parts) for span in collector.of(trace_id, "event")]
    assert max(Counter(span.span_id for span in spans).values()) == 1
    known = {(span.trace_id, span.span_id): span for span in spans}
    assert all(not span.parent_id or (span.trace_id, span.parent_id) in known for span in spans)
    (summary,) = [span for span in spans if (span.path, span.phase) == ("each", "task")]
    assert [(known[link].phase, known[link].links) for link in summary.links] == [
        ("part", ((own, summary.span_id),))
    ] * 2
    told = {key.removeprefix("headrace.loop."): text for key, text in summary.attributes.items()}
    assert (told["iterations"], told["failed"], told["traces"]) == ("1100", "0", "2")
    assert int(told["time_us.running"]) > 0
    for name, index in AT.items():
        _, trace_id, span_id, _ = (tmp_path / name).read_text().split("-")
        assert trace_id == parts[index // 1000]
        assert (known[trace_id, span_id].path, known[trace_id, span_id].phase) == (f"each[{index}]/work", "attempt")
    assert faults_in_logs(home) == []


@pytest.mark.timeout(180)
@pytest.mark.parametrize("topology", ["embedded", "processes"])
def test_a_receiver_that_hangs_holds_up_no_run(topology: str, tmp_path: Path) -> None:
    (tmp_path / "open").touch()
    file = flow(tmp_path)
    with collecting() as collector:
        collector.hang()
        with running(topology, tmp_path / "home", OTEL_EXPORTER_OTLP_ENDPOINT=collector.endpoint) as platform:
            told = headrace(platform, "run", str(file))
            assert told["state"] == "SUCCEEDED"
            assert collector.asked(), "it was asked, and did not answer"
            trace = headrace(platform, "trace", told["run_id"])
            assert {span["phase"] for span in trace["spans"]} >= {"run", "task", "attempt", "running", "waiting"}
            assert {step["path"] for step in trace["critical_path"]} >= {"flaky", "last"}
            collector.answer()
            check(platform, collector, told["run_id"], repeated=True)
