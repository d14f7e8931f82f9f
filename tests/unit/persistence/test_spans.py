"""Spans as a function of events: ids that never change, phases that add up, waits by cause, and links of what was retried,
resumed, cached or linked.
"""

from __future__ import annotations

from dataclasses import replace

from builders.runevents import created, event, finished, numbered, started, task_life
from headrace_persistence.tracing.messages import answer, exported, message, view
from headrace_persistence.tracing.records import Span
from headrace_persistence.tracing.spans import Tracer, traced
from headrace_protos import lifecycle
from headrace_protos.v1 import events_pb2 as ev
from headrace_protos.v1 import run_query_pb2 as rq

RUN_ID = "0190f0e0-0000-7000-8000-000000000001"


def answered(events: list[ev.Event], now_us: int) -> rq.GetTraceResponse:
    tracer = traced(RUN_ID, "r", events)
    return answer(tracer, view(tracer, now_us), tracer.all_spans(), now_us)


ORIGIN = "0190f0e0-0000-7000-8000-0000000000ff"


def trace(run_id: str, name: str, events: list[ev.Event]) -> list[Span]:
    return traced(run_id, name, events).all_spans()


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
    assert root.parent_id == ""
    assert group.parent_id == root.span_id
    assert task.parent_id == group.span_id
    assert spans["g/train", "attempt"].parent_id == task.span_id
    assert root.start_us < group.start_us < task.start_us < task.end_us < group.end_us < root.end_us


def test_an_open_run_has_open_spans() -> None:
    spans = trace(RUN_ID, "r", life()[:7])
    assert {(span.path, span.phase) for span in spans if not span.end_us} == {
        ("", "run"),
        ("g", "task"),
        ("g/train", "task"),
        ("g/train", "attempt"),
    }


def test_a_task_that_waits_shows_it_before_the_wait_has_ended() -> None:
    events = [*life()[:4], *numbered([created("g/after", upstream=["train"])], 4)]
    (wait,) = [span for span in trace(RUN_ID, "r", events) if span.phase == "waiting" and not span.end_us]
    assert (wait.path, wait.end_us, wait.attributes["headrace.waiting_on"]) == ("g/after", 0, "upstream")


def test_a_retry_is_a_new_root_linked_to_the_one_before() -> None:
    events = [*life(), *numbered([event(run_retried=ev.RunRetried()), event("g/train", task_reset=ev.TaskReset())], 12)]
    roots = [span for span in trace(RUN_ID, "r", events) if span.phase == "run"]
    assert [span.name for span in roots] == ["r", "r (retry 1)"]
    sent = exported(RUN_ID.replace("-", ""), RUN_ID, roots[1])
    assert sent.links == ((RUN_ID.replace("-", ""), roots[0].span_id),)
    tasks = [span for span in trace(RUN_ID, "r", events) if (span.path, span.phase) == ("g/train", "task")]
    assert [(one.span_id, one.kind) for one in tasks[1].links] == [(tasks[0].span_id, "retry")]


def test_each_span_ends_once() -> None:
    tracer, events = Tracer(RUN_ID, "r"), life()
    ended = [span.span_id for one in events for span in tracer.feed(one)]
    assert sorted(ended) == sorted(span.span_id for span in tracer.spans)
    forgetful = Tracer(RUN_ID, "r", keep=(), timed=False)
    assert [span for one in events for span in forgetful.feed(one)] == sorted_as(tracer.spans, ended)
    assert forgetful.spans == []
    assert forgetful.spent == tracer.spent


def sorted_as(spans: list[Span], ids: list[str]) -> list[Span]:
    """With all that they were told, in the order of their ends."""
    return sorted(spans, key=lambda span: ids.index(span.span_id))


def test_a_failure_is_the_status_of_the_exported_span() -> None:
    task = next(span for span in trace(RUN_ID, "r", life()) if (span.path, span.phase) == ("g/train", "task"))
    sent = exported(RUN_ID.replace("-", ""), RUN_ID, task)
    assert sent.status == "train ended with exit code 1"
    assert sent.attributes["headrace.source"] == "event"
    assert (sent.start_ns, sent.end_ns) == (task.start_us * 1000, task.end_us * 1000)


def test_what_took_no_time_is_exported_with_the_shortest_length() -> None:
    """Jaeger warns of a span that ends when it starts."""
    task = next(span for span in trace(RUN_ID, "r", life()) if (span.path, span.phase) == ("g/train", "task"))
    sent = exported(RUN_ID.replace("-", ""), RUN_ID, replace(task, end_us=task.start_us))
    assert sent.end_ns == sent.start_ns + 1


def test_phases_follow_each_other_in_the_order_of_their_ends() -> None:
    """An executor that stages before it has an environment loses no span."""
    times = ev.AttemptTimes(
        admitted_us=1010, scheduled_us=1010, staged_us=1020, image_ready_us=1030, started_us=1035, ended_us=1050
    )
    made = event("a", time_us=1000, task_created=ev.TaskCreated(kind=ev.RUNTIME))
    begun = event("a", 1, attempt_started=ev.AttemptStarted())
    ended = event("a", 1, attempt_finished=ev.AttemptFinished(state=ev.ATTEMPT_FAILED, times=times))
    begun.time_us, ended.time_us = 1000, 1060
    spans = trace(RUN_ID, "r", [made, begun, ended])
    assert [(span.phase, span.start_us, span.end_us) for span in spans[2:]] == [
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
            event(run_created=ev.RunCreated(resumed_from=ORIGIN)),
            event(run_started=ev.RunStarted()),
            created("a"),
            finished("a", linked_from=f"{ORIGIN}/a"),
            created("b"),
            finished("b", cached_from=f"{ORIGIN}/g/b"),
            created("c"),
            finished("c", cached_from="unknown"),
        ],
        0,
    )
    spans = {(span.path, span.phase): span for span in trace(RUN_ID, "r", events)}
    assert spans["", "run"].attributes["headrace.resumed_from"] == ORIGIN
    assert spans["a", "task"].attributes["headrace.linked_from"] == f"{ORIGIN}/a"
    assert spans["a", "task"].end_us > 0
    assert ("a", "attempt") not in spans
    trace_id = ORIGIN.replace("-", "")
    assert spans["", "run"].links == ((trace_id, lifecycle.span_id(ORIGIN, "", 0, "run"), "resumed"),)
    assert spans["a", "task"].links == ((trace_id, lifecycle.span_id(ORIGIN, "a", 0, "task"), "linked"),)
    assert spans["b", "task"].links == ((trace_id, lifecycle.span_id(ORIGIN, "g/b", 0, "task"), "cached"),)
    assert spans["c", "task"].links == ()
    told = message(RUN_ID, spans["a", "task"])
    assert [(one.trace_id, one.kind) for one in told.links] == [(trace_id, "linked")]


def said(cause: ev.WaitCause.ValueType, detail: str = "", resource: str = "") -> ev.TaskWaiting:
    return ev.TaskWaiting(waiting_on=ev.WaitingOn(cause=cause, detail=detail, resource=resource))


def waited() -> list[ev.Event]:
    """Task b waits for a, then for slots, its first attempt for an image; then it is tried again after a pause."""
    lost = ev.AttemptFinished(state=ev.ATTEMPT_LOST, error=ev.Error(reason="Lost"))
    return numbered(
        [
            event(time_us=1_000, run_created=ev.RunCreated()),
            event(time_us=1_010, run_started=ev.RunStarted()),
            event("a", time_us=1_010, task_created=ev.TaskCreated(kind=ev.RUNTIME)),
            event("b", time_us=1_010, task_created=ev.TaskCreated(kind=ev.RUNTIME, upstream=["a"])),
            event("a", time_us=1_100, task_finished=ev.TaskFinished(state=ev.TASK_SUCCEEDED)),
            event("b", time_us=1_110, task_waiting=said(ev.SLOTS, "needs 2 cores, 1 of 4 free", "cpu")),
            event("b", time_us=1_120, task_waiting=said(ev.SLOTS, "needs 2 cores, 0 of 4 free", "cpu")),
            event("b", time_us=1_200, task_started=ev.TaskStarted()),
            event("b", 1, time_us=1_200, attempt_started=ev.AttemptStarted()),
            event("b", 1, time_us=1_210, attempt_launched=ev.AttemptLaunched(handle="pod")),
            event("b", time_us=1_220, task_waiting=said(ev.LAUNCH, "the image is being pulled", "image")),
            event("b", time_us=1_300, task_waiting=ev.TaskWaiting()),
            event("b", 1, time_us=1_300, attempt_launched=ev.AttemptLaunched(handle="pod", node="n")),
            event("b", 1, time_us=1_350, attempt_finished=lost),
            event("b", time_us=1_350, task_waiting=said(ev.BACKOFF, "attempt 2")),
            event("b", 2, time_us=1_400, attempt_started=ev.AttemptStarted()),
            event("b", 2, time_us=1_450, attempt_finished=ev.AttemptFinished(state=ev.ATTEMPT_SUCCEEDED)),
            event("b", time_us=1_450, task_finished=ev.TaskFinished(state=ev.TASK_SUCCEEDED)),
            event(time_us=1_460, run_finished=ev.RunFinished(state=ev.RUN_SUCCEEDED)),
        ],
        0,
    )


def test_each_wait_has_a_span_with_its_cause() -> None:
    spans = trace(RUN_ID, "r", waited())
    ids = {span.span_id: span for span in spans}
    waits = [span for span in spans if span.phase == "waiting" and span.path == "b"]
    assert [
        (span.attributes["headrace.waiting_on"], span.start_us, span.end_us, ids[span.parent_id].phase)
        for span in waits
    ] == [
        ("upstream", 1_010, 1_100, "task"),
        ("platform", 1_100, 1_110, "task"),
        ("cpu", 1_110, 1_200, "task"),
        ("image", 1_220, 1_300, "attempt"),
        ("backoff", 1_350, 1_400, "task"),
    ]
    assert waits[2].attributes["headrace.waiting_detail"] == "needs 2 cores, 0 of 4 free"
    attempts = [span for span in spans if span.phase == "attempt"]
    assert [(one.span_id, one.kind) for one in attempts[1].links] == [(attempts[0].span_id, "retry")]
    assert len(ids) == len(spans)


def test_the_time_is_told_by_cause() -> None:
    told = answered(waited(), 0)
    assert [
        (one.path, one.attempt, one.cause, one.start_us - 1_000, one.end_us - 1_000) for one in told.critical_path
    ] == [
        ("", 0, "platform", 0, 10),
        ("a", 0, "platform", 10, 100),
        ("b", 0, "platform", 100, 110),
        ("b", 0, "cpu", 110, 200),
        ("b", 1, "platform", 200, 220),
        ("b", 1, "image", 220, 300),
        ("b", 1, "running", 300, 350),
        ("b", 0, "backoff", 350, 400),
        ("b", 2, "platform", 400, 450),
        ("", 0, "platform", 450, 460),
    ]
    times = {one.cause: (one.total_us, one.critical_us, one.tasks, one.most_path) for one in told.times}
    assert times == {
        "platform": (170, 190, 2, "a"),
        "cpu": (90, 90, 1, "b"),
        "image": (80, 80, 1, "b"),
        "running": (50, 50, 1, "b"),
        "backoff": (50, 50, 1, "b"),
        "upstream": (90, 0, 1, "b"),
    }


def test_of_a_run_that_goes_on_the_path_leads_to_what_goes_on() -> None:
    told = answered(waited()[:13], 1_500)
    assert [(one.path, one.cause, one.end_us - 1_000) for one in told.critical_path][-2:] == [
        ("b", "image", 300),
        ("b", "running", 500),
    ]
    assert not any(span.end_us for span in told.spans if span.phase in ("run", "attempt"))


def wide(iterations: int, failed: int) -> list[ev.Event]:
    """A loop of which one iteration fails and the last one takes longest."""
    at = 1_000_000
    events = [
        event(time_us=at, run_created=ev.RunCreated()),
        event(time_us=at, run_started=ev.RunStarted()),
        event("l", time_us=at, task_created=ev.TaskCreated(kind=ev.LOOP)),
        event("l", time_us=at, task_started=ev.TaskStarted(iteration_count=iterations)),
    ]
    for number in range(iterations):
        path = f"l[{number}]"
        state = ev.TASK_FAILED if number == failed else ev.TASK_SUCCEEDED
        events += [
            event(path, time_us=at + 1, task_created=ev.TaskCreated(kind=ev.RUNTIME)),
            event(path, 1, time_us=at + 2, attempt_started=ev.AttemptStarted()),
            event(path, 1, time_us=at + 10 + number, attempt_finished=ev.AttemptFinished(state=ev.ATTEMPT_SUCCEEDED)),
            event(path, time_us=at + 10 + number, task_finished=ev.TaskFinished(state=state)),
        ]
    events += [
        event("l", time_us=at + 5_000, task_finished=ev.TaskFinished(state=ev.TASK_FAILED)),
        event(time_us=at + 5_001, run_finished=ev.RunFinished(state=ev.RUN_FAILED)),
    ]
    return numbered(events, 0)


def test_of_a_wide_loop_some_iterations_stand_for_the_others() -> None:
    told = answered(wide(3_000, failed=1_234), 0)
    shown = {span.path for span in told.spans}
    assert {"l[0]", "l[24]", "l[1234]", "l[2999]"} <= shown
    assert "l[1000]" not in shown
    (stand_in,) = [span for span in told.spans if span.phase == "folded"]
    assert stand_in.parent_span_id == lifecycle.span_id(RUN_ID, "l", 0, "task")
    hidden = 3_000 - len(shown - {"", "l"})
    assert told.folded == hidden
    assert stand_in.name == f"{hidden:,} more"
    assert stand_in.attributes["headrace.folded.succeeded"] == str(hidden)
    assert {one.path for one in told.critical_path} == {"", "l", "l[2999]"}
    (spent,) = [one for one in told.times if one.cause == "platform"]
    assert (spent.tasks, spent.most_path, spent.critical_us) == (3_000, "l[2999]", 5_001)


def test_a_wide_run_is_told_by_two_readings_as_by_one() -> None:
    events = wide(3_000, failed=1_234)
    light = Tracer(RUN_ID, "r", keep=())
    for one in events:
        light.feed(one)
    seen = view(light, 0)
    assert seen.shown is not None
    again = Tracer(RUN_ID, "r", keep=seen.shown, timed=False)
    for one in events:
        again.feed(one)
    assert answer(light, seen, again.all_spans(), 0) == answered(events, 0)


def test_a_narrow_run_is_shown_whole() -> None:
    told = answered(wide(1_990, failed=3), 0)
    assert told.folded == 0
    assert len({span.path for span in told.spans}) == 1_992
