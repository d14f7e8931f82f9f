"""Wide loops as they go out. Aspects, over runs of the engine in which a loop is wide from three iterations on (random
pipelines with nested loops, failures, attempts, retries, deaths of the scheduler): each trace is a tree of its own; a part
and its loop link to each other; no trace has more of a loop than a part; user code is given the trace that its attempt goes
out in; begun anew at any event the same spans come; without the parts' roots it is what is read back. And of a loop of
2,500 iterations what its span sums up; links to loops of other runs; loops that are not wide.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence

import pytest

from builders.runevents import created, event, finished, numbered, started
from builders.timed_runs import traced_run_of
from builders.worlds import RUN_ID
from headrace_persistence.tracing.spans import Tracer, traced
from headrace_persistence.tracing.splitting import named_loops, split
from headrace_protos import lifecycle
from headrace_protos.v1 import events_pb2 as ev
from headrace_servicekit.telemetry import Span

SEEDS, PARTS = 240, 8
ORIGIN = "0190f0e0-0000-7000-8000-0000000000ff"
OWN = RUN_ID.replace("-", "")


def sent(events: Sequence[ev.Event], after: int = 0) -> list[Span]:
    """What goes out of a run that was received up to AFTER."""
    tracer = Tracer(RUN_ID, "r", keep=(), timed=False)
    spans = [(one.seq, span) for one in events for span in split(tracer, tracer.feed(one))]
    return [span for seq, span in spans if seq > after]


def phase(span: Span) -> str:
    return str(span.attributes["headrace.phase"])


def path(span: Span) -> str:
    return str(span.attributes.get("headrace.path", ""))


@pytest.mark.parametrize("part", range(PARTS))
def test_random_runs(part: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lifecycle, "WIDE_LOOP", 2)
    split_runs = 0
    for seed in range(part, SEEDS, PARTS):
        events, traceparents = traced_run_of(seed)
        spans = sent(events)
        split_runs += len({span.trace_id for span in spans}) > 1
        check_trees(spans)
        check_parts(spans)
        check_read_back(spans, events)
        for span in spans:
            given = traceparents.get((path(span), int(str(span.attributes.get("headrace.attempt", 0)))))
            if phase(span) == "attempt" and given:  # of some, a scheduler died before it launched them
                assert given == f"00-{span.trace_id}-{span.span_id}-01", f"run {seed}"
        again = random.Random(seed).randint(1, len(events))
        assert sent(events, again) == [span for one, span in zip(seqs(events), spans, strict=True) if one > again], (
            f"run {seed}"
        )
    assert split_runs >= 3


def seqs(events: Sequence[ev.Event]) -> list[int]:
    """Of each span that goes out, the event that ended it."""
    tracer = Tracer(RUN_ID, "r", keep=(), timed=False)
    return [one.seq for one in events for _ in split(tracer, tracer.feed(one))]


def check_trees(spans: list[Span]) -> None:
    traces = {span.span_id: span.trace_id for span in spans}
    assert len(traces) == len(spans), "each once"
    for span in spans:
        if span.parent_id:
            assert traces[span.parent_id] == span.trace_id, span
        else:
            assert phase(span) == ("run" if span.trace_id == OWN else "part")


def check_parts(spans: list[Span]) -> None:
    known = {(span.trace_id, span.span_id): span for span in spans}
    for root in (span for span in spans if phase(span) == "part"):
        (there,) = root.links
        loop = known[there]
        assert (path(loop), phase(loop)) == (path(root), "task")
        assert (root.trace_id, root.span_id) in loop.links
        inside = [one for one in spans if one.parent_id == root.span_id]
        assert 1 <= len(inside) <= 2
        assert {one.trace_id for one in inside} == {root.trace_id}
        assert root.start_ns == min(one.start_ns for one in inside)
        assert root.end_ns // 1000 == max(one.end_ns for one in inside) // 1000  # the unit of events
        assert int(root.attributes["headrace.loop.iterations"]) == len(inside)


def check_read_back(spans: list[Span], events: list[ev.Event]) -> None:
    loops = {span.span_id: span.links[0][1] for span in spans if phase(span) == "part"}
    out = {
        (span.span_id, loops.get(span.parent_id, span.parent_id), span.name, span.start_ns // 1000, span.end_ns // 1000)
        for span in spans
        if span.span_id not in loops
    }
    back = traced(RUN_ID, "r", events).all_spans()
    assert out == {(one.span_id, one.parent_id, one.name, one.start_us, one.end_us) for one in back if one.end_us}


def loop(count: int, failed: int = -1) -> list[ev.Event]:
    """A loop whose iterations run one after the other for 2 ms each, with one task each, of which one fails."""
    at = 1_700_000_000_000_000
    events = [
        event(time_us=at, run_created=ev.RunCreated()),
        event(time_us=at, run_started=ev.RunStarted()),
        event("l", time_us=at, task_created=ev.TaskCreated(kind=ev.LOOP, iteration=-1)),
        event("l", time_us=at, task_started=ev.TaskStarted(iteration_count=count)),
    ]
    for number in range(count):
        one, begun, ended = f"l[{number}]", at + number * 2000, at + number * 2000 + 2000
        state = ev.TASK_FAILED if number == failed else ev.TASK_SUCCEEDED
        over = ev.TaskFinished(state=state)
        done = ev.AttemptFinished(times=ev.AttemptTimes(started_us=begun, ended_us=ended), state=ev.ATTEMPT_SUCCEEDED)
        events += [
            event(one, time_us=begun, task_created=ev.TaskCreated(kind=ev.LOOP_ITERATION, iteration=number)),
            event(one, time_us=begun, task_started=ev.TaskStarted()),
            event(f"{one}/t", time_us=begun, task_created=ev.TaskCreated(kind=ev.RUNTIME, iteration=-1)),
            event(f"{one}/t", time_us=begun, task_started=ev.TaskStarted()),
            event(f"{one}/t", 1, time_us=begun, attempt_started=ev.AttemptStarted()),
            event(f"{one}/t", 1, time_us=ended, attempt_finished=done),
            event(f"{one}/t", time_us=ended, task_finished=over),
            event(one, time_us=ended, task_finished=over),
        ]
    end = at + count * 2000
    return numbered(
        [
            *events,
            event("l", time_us=end, task_finished=ev.TaskFinished(state=ev.TASK_SUCCEEDED)),
            event(time_us=end, run_finished=ev.RunFinished(state=ev.RUN_SUCCEEDED)),
        ],
        0,
    )


def test_a_loop_of_2500_iterations_is_summed_up_and_has_three_traces() -> None:
    events = loop(2_500, failed=1_234)
    spans = sent(events)
    traces = Counter(span.trace_id for span in spans)
    roots = {span.trace_id: span for span in spans if phase(span) == "part"}
    assert [traces[lifecycle.trace_id(RUN_ID, ("l", number))] for number in range(3)] == [4001, 4001, 2001]
    assert traces[OWN] == 2
    assert sorted(span.name for span in roots.values()) == [
        "l [0] to [999]",
        "l [1000] to [1999]",
        "l [2000] to [2499]",
    ]
    assert [span.status for span in roots.values()] == ["", "FAILED", ""]
    (summary,) = [span for span in spans if (phase(span), path(span)) == ("task", "l")]
    told = {key: text for key, text in summary.attributes.items() if key.startswith("headrace.loop.")}
    assert told == {
        "headrace.loop.iterations": "2500",
        "headrace.loop.ended": "2500",
        "headrace.loop.failed": "1",
        "headrace.loop.traces": "3",
        "headrace.loop.first_start_us": str(events[0].time_us),
        "headrace.loop.last_end_us": str(events[-1].time_us),
        "headrace.loop.time_us.running": str(2_500 * 2000),
    }
    assert [trace_id for trace_id, _ in summary.links] == list(roots)


def test_a_loop_of_1000_iterations_stays_in_the_trace_of_its_run() -> None:
    spans = sent(loop(1_000))
    assert {span.trace_id for span in spans} == {OWN}
    assert not [key for span in spans for key in span.attributes if key.startswith("headrace.loop.")]


def test_a_link_to_an_iteration_of_another_run_names_the_trace_that_it_went_out_in() -> None:
    events = numbered(
        [
            event(run_created=ev.RunCreated()),
            event(run_started=ev.RunStarted()),
            created("a"),
            started("a"),
            finished("a", cached_from=f"{ORIGIN}/wide[1234]/narrow[5]/t"),
        ],
        0,
    )
    assert named_loops(events) == {(ORIGIN, "wide"), (ORIGIN, "wide[1234]/narrow")}
    tracer = Tracer(RUN_ID, "r")
    tracer.elsewhere = {(ORIGIN, "wide"): 1_500, (ORIGIN, "wide[1234]/narrow"): 6}
    (link,) = [link for one in events for span in split(tracer, tracer.feed(one)) for link in span.links]
    there = lifecycle.trace_id(ORIGIN, ("wide", 1))
    assert link == (there, lifecycle.span_id(ORIGIN, "wide[1234]/narrow[5]/t", 0, "task"))


def test_origins_that_are_no_runs_name_no_loops() -> None:
    assert named_loops([finished("a", cached_from="unknown"), finished("a", linked_from="x/l[1]")]) == set()
