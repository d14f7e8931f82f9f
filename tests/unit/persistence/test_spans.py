"""Spans as a function of events: ids that never change, phases that add up, retries that are linked."""

from __future__ import annotations

from builders.runevents import created, event, finished, numbered, started, task_life
from headrace_persistence.tracing.exporting import exported_span
from headrace_persistence.tracing.spans import Tracer, trace
from headrace_protos import lifecycle
from headrace_protos.v1 import events_pb2 as ev

RUN_ID = "0190f0e0-0000-7000-8000-000000000001"


def life() -> list[ev.Event]:
    error = ev.Error(reason="UserError", message="train ended with exit code 1")
    return numbered(
        [
            event(run_created=ev.RunCreated()),
            event(run_started=ev.RunStarted()),
            created("g", ev.DAG),
            started("g"),
            created("g/train"),
            *task_life("g/train")[:3],
            event("g/train", 1, attempt_finished=ev.AttemptFinished(state=ev.ATTEMPT_FAILED, error=error)),
            finished("g/train", ev.TASK_FAILED, error=error),
            finished("g", ev.TASK_FAILED),
            event(run_finished=ev.RunFinished(state=ev.RUN_FAILED)),
        ],
        0,
    )


def test_ids_are_functions_of_the_run_and_never_change() -> None:
    first, again = trace(RUN_ID, "r", life()), trace(RUN_ID, "r", life())
    assert [span.span_id for span in first] == [span.span_id for span in again]
    assert len({span.span_id for span in first}) == len(first)
    attempt = next(span for span in first if span.phase == "attempt")
    assert attempt.span_id == lifecycle.span_id(RUN_ID, "g/train", 1, "attempt")


def test_spans_nest_as_tasks_do() -> None:
    spans = {(span.path, span.phase): span for span in trace(RUN_ID, "r", life())}
    root, group, task = spans["", "run"], spans["g", "task"], spans["g/train", "task"]
    assert root.parent_span_id == ""
    assert group.parent_span_id == root.span_id
    assert task.parent_span_id == group.span_id
    assert spans["g/train", "attempt"].parent_span_id == task.span_id
    assert root.start_us < group.start_us < task.start_us < task.end_us < group.end_us < root.end_us


def test_an_open_run_has_open_spans() -> None:
    spans = trace(RUN_ID, "r", life()[:7])
    assert {(span.path, span.phase) for span in spans if not span.end_us} == {
        ("", "run"),
        ("g", "task"),
        ("g/train", "task"),
        ("g/train", "attempt"),
    }


def test_a_retry_is_a_new_root_linked_to_the_one_before() -> None:
    events = [*life(), *numbered([event(run_retried=ev.RunRetried()), event("g/train", task_reset=ev.TaskReset())], 12)]
    roots = [span for span in trace(RUN_ID, "r", events) if span.phase == "run"]
    assert [span.name for span in roots] == ["r", "r (retry 1)"]
    assert roots[1].attributes["headrace.link"] == roots[0].span_id
    exported = exported_span(RUN_ID, roots[1])
    assert exported.links == ((RUN_ID.replace("-", ""), roots[0].span_id),)


def test_each_span_ends_once() -> None:
    tracer = Tracer(RUN_ID, "r")
    ended = [span.span_id for one in life() for span in tracer.feed(one)]
    assert sorted(ended) == sorted(span.span_id for span in tracer.spans)


def test_a_failure_is_the_status_of_the_exported_span() -> None:
    task = next(span for span in trace(RUN_ID, "r", life()) if (span.path, span.phase) == ("g/train", "task"))
    exported = exported_span(RUN_ID, task)
    assert exported.status == "train ended with exit code 1"
    assert exported.attributes["headrace.source"] == "event"
    assert (exported.start_ns, exported.end_ns) == (task.start_us * 1000, task.end_us * 1000)


def test_phases_follow_each_other_in_the_order_of_their_ends() -> None:
    """An executor that stages before it has an environment loses no span."""
    times = ev.AttemptTimes(
        admitted_us=1010, scheduled_us=1010, staged_us=1020, image_ready_us=1030, started_us=1035, ended_us=1050
    )
    begun = event("a", 1, attempt_started=ev.AttemptStarted())
    ended = event("a", 1, attempt_finished=ev.AttemptFinished(state=ev.ATTEMPT_FAILED, times=times))
    begun.time_us, ended.time_us = 1000, 1060
    spans = trace(RUN_ID, "r", [begun, ended])
    assert [(span.phase, span.start_us, span.end_us) for span in spans[1:]] == [
        ("admitted", 1000, 1010),
        ("scheduled", 1010, 1010),
        ("staging", 1010, 1020),
        ("image", 1020, 1030),
        ("running", 1035, 1050),
    ]


def test_a_retry_that_is_told_in_two_events_is_one() -> None:
    events = [
        *life(),
        *numbered(
            [
                event(run_retried=ev.RunRetried(more=True)),
                event("g", task_reset=ev.TaskReset(reopen=True)),
                event("g/train", task_reset=ev.TaskReset()),
                event(run_retried=ev.RunRetried()),
                event(run_finished=ev.RunFinished(state=ev.RUN_SUCCEEDED)),
            ],
            12,
        ),
    ]
    roots = [(span.name, span.state) for span in trace(RUN_ID, "r", events) if span.phase == "run"]
    assert roots == [("r", "FAILED"), ("r (retry 1)", "SUCCEEDED")]


def test_a_linked_task_is_a_short_span_that_names_where_its_results_are_from() -> None:
    events = numbered(
        [
            event(run_created=ev.RunCreated(resumed_from="origin")),
            event(run_started=ev.RunStarted()),
            created("a"),
            finished("a", linked_from="origin/a"),
        ],
        0,
    )
    spans = {(span.path, span.phase): span for span in trace(RUN_ID, "r", events)}
    assert spans["", "run"].attributes["headrace.resumed_from"] == "origin"
    assert spans["a", "task"].attributes["headrace.linked_from"] == "origin/a"
    assert spans["a", "task"].end_us > 0
    assert ("a", "attempt") not in spans
