"""The waterfall of a trace, and where its time went.

- a row for each task, in a tree; phases are drawn where they were; groups, cached and linked tasks are marked, and the path
- of more rows than fit some are shown and the others counted, with those that the platform has folded already
- lines fit the width, colours are there only where they are wanted; open spans reach to now; no spans, no lines
- the critical path in a line and step by step; the time by cause; what is printed for programs
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from headrace.cli.spending import CAUSES, by_cause, critical_line, steps
from headrace.cli.tracing import trace_object
from headrace.cli.waterfall import waterfall
from headrace.display.texts import Style, cells
from headrace.models import CriticalStep, Span, SpanLink, TimeSpent, Trace
from headrace_protos.v1 import events_pb2 as ev

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
PLAIN = Style(unicode=False)


def at(seconds: float) -> datetime:
    return BEGIN + timedelta(seconds=seconds)


def span(path: str, phase: str, start: float, end: float | None, number: int = 1, **more) -> Span:
    until = None if end is None else at(end)
    return Span(f"{path}{phase}{number}", "", path, path, number, phase, at(start), until, **more)


def step(path: str, cause: str, start: float, end: float, attempt: int = 1, detail: str = "") -> CriticalStep:
    return CriticalStep(path, attempt, cause, at(start), at(end), detail)


SPANS = (
    span("", "run", 0, 10),
    span("load", "task", 0, 4, state="SUCCEEDED"),
    span("load", "attempt", 0, 4),
    span("load", "image", 0, 2),
    span("load", "running", 2, 4),
    span("each", "task", 4, 10, state="FAILED"),
    span("each[0]", "task", 4, 10, state="FAILED"),
    span("each[0]/train", "task", 4, 10, state="FAILED"),
    span("each[0]/train", "attempt", 6, 10, 2),
    span("each[0]/train", "waiting", 4, 6, attributes={"headrace.waiting_on": "accelerators"}),
    span("each[0]/train", "running", 6, 10, 2),
    span("old", "task", 4, 4, state="SUCCEEDED", attributes={"headrace.cached_from": "run/old"}),
    span("kept", "task", 4, 4, state="SUCCEEDED", attributes={"headrace.linked_from": "run/kept"}),
)
STEPS = (
    step("", "platform", 0, 0.5, 0),
    step("load", "image", 0.5, 2),
    step("load", "running", 2, 4),
    step("each", "platform", 4, 4, 0),
    step("each[0]/train", "accelerators", 4, 6, 0, "no node has 2 free H100"),
    step("each[0]/train", "running", 6, 10, 2),
)
TIMES = (
    TimeSpent("running", 6, 6, 2, "each[0]/train", 4),
    TimeSpent("accelerators", 2, 2, 1, "each[0]/train", 2),
    TimeSpent("platform", 0, 0.5, 0),
    TimeSpent("cache", 0.25, 0, 1, "old", 0.25),
)
TRACE = Trace("ab", SPANS, STEPS, TIMES)


def test_rows_and_phases():
    lines = waterfall(TRACE, BEGIN, 70, PLAIN)
    assert [line[:2] for line in lines[:6]] == [">+", ">x", " x", ">x", " +", " +"]
    assert [line[3:12].rstrip() for line in lines[:4]] == ["load", "each", "  [0]", "    train"]
    assert "e" * 5 in lines[0]
    assert lines[0].endswith("4.0s")
    assert "---" in lines[1]
    assert lines[3].index(".") > lines[0].index("#")
    assert lines[4].endswith("cached")
    assert lines[5].endswith("linked")
    assert "environment" in lines[6]
    assert "= cached or linked" in lines[6]
    assert "> on the critical path" in lines[6]
    assert "".join(lines).isascii()


def test_what_a_task_waited_for_is_told_where_it_is_long():
    lines = waterfall(TRACE, BEGIN, 120, PLAIN)
    assert lines[3].endswith("6.0s, 2 attempts, waited 2.0s: accelerators")


@pytest.mark.parametrize("width", [40, 60, 80, 200])
def test_lines_fit_the_width(width: int):
    long = tuple(span(f"a-rather-long-name-{i}/another-one/{'x' * i}", "task", 0, 10) for i in range(30))
    for unicode in (True, False):
        lines = waterfall(Trace("ab", (*SPANS, *long)), BEGIN, width, Style(unicode=unicode))
        assert max(cells(line) for line in lines[:-1]) <= width


def test_colours_only_where_they_are_wanted():
    assert "\x1b" not in "".join(waterfall(TRACE, BEGIN, 80, Style()) + by_cause(TRACE, 80, Style()))
    assert "\x1b[34m" in "".join(waterfall(TRACE, BEGIN, 80, Style(colour=True)))


def test_a_path_that_would_move_the_cursor_does_not():
    lines = waterfall(Trace("ab", (span("a\x1b[2J", "task", 0, 1),)), BEGIN, 80, Style())
    assert "\x1b" not in "".join(lines)


def loop(count: int, **failed: str) -> tuple[Span, ...]:
    made = [span("l", "task", 0, count)]
    for number in range(count):
        state = failed.get(f"n{number}", "SUCCEEDED")
        made += [
            span(f"l[{number}]", "task", number, number + 1 + number % 7, state=state),
            span(f"l[{number}]", "running", number, number + 1 + number % 7),
        ]
    return tuple(made)


def test_of_many_iterations_some_are_shown_and_the_others_counted():
    path = (step("l[77]", "running", 0, 1),)
    lines = waterfall(Trace("ab", loop(500, n123="FAILED"), path), BEGIN, 100, PLAIN)
    assert len(lines) <= 61
    shown = {line[3:].split()[0] for line in lines}
    assert {"l", "[77]", "[123]", "[6]"} <= shown
    (folded,) = [line for line in lines if " more " in line]
    hidden = 500 - sum(line[3:].strip().startswith("[") for line in lines)
    assert f"{hidden:,} more" in folded.replace("~ ", "")
    assert folded.endswith(f"{hidden} succeeded")


def test_all_rows_are_there_where_they_are_wanted():
    assert len(waterfall(Trace("ab", loop(500)), BEGIN, 100, PLAIN, None)) == 502


def test_what_the_platform_has_folded_is_counted_too():
    told = {"headrace.folded": "9900", "headrace.folded.succeeded": "9899", "headrace.folded.open": "1"}
    spans = (*loop(3), span("l", "folded", 3, None, attributes=told))
    lines = waterfall(Trace("ab", spans), at(10), 100, PLAIN)
    assert "9,900 more" in lines[4]
    assert lines[4].endswith("1 running, 9899 succeeded")


def test_open_spans_reach_to_now():
    spans = (span("", "run", 0, None), span("a", "task", 0, None), span("a", "running", 0, None))
    row, _legend = waterfall(Trace("ab", spans), at(3), 40, PLAIN)
    assert row.endswith("3.0s")


def test_a_task_that_was_retried_has_one_row():
    spans = (
        span("a", "task", 0, 1, 0, state="FAILED"),
        span("a", "running", 0, 1, 1),
        span("a", "task", 5, 6, 1, state="SUCCEEDED"),
        span("a", "running", 5, 6, 2),
    )
    row, _legend = waterfall(Trace("ab", spans), at(10), 60, PLAIN)
    assert row.startswith(" + a")
    assert row.count("#") >= 2
    assert " " in row[row.index("#") : row.rindex("#")]


def test_no_spans():
    assert waterfall(Trace("ab", ()), BEGIN, 80, PLAIN) == []
    assert waterfall(Trace("ab", (span("", "run", 0, 1),)), BEGIN, 80, PLAIN) == []
    assert critical_line(Trace("ab", ()), 80, PLAIN) == []
    assert by_cause(Trace("ab", ()), 80, PLAIN) == []
    assert steps(Trace("ab", ()), 80, PLAIN) == []


def test_the_critical_path_in_a_line():
    assert critical_line(TRACE, 80, PLAIN) == ["critical path 10.0s: load -> each[0]/train"]


def test_the_critical_path_step_by_step():
    lines = steps(TRACE, 100, PLAIN)
    assert [line.split() for line in lines] == [
        ["at", "took", "share", "task", "what"],
        ["+0ms", "500ms", "5.0%", "the", "run", "the", "platform", "itself"],
        ["+500ms", "1.5s", "15.0%", "load", "image", "or", "environment"],
        ["+2.0s", "2.0s", "20.0%", "load", "user", "code"],
        ["+4.0s", "0ms", "0.0%", "each", "the", "platform", "itself"],
        ["+4.0s", "2.0s", "20.0%", "each[0]/train", "accelerators:", *["no", "node", "has", "2", "free", "H100"]],
        ["+6.0s", "4.0s", "40.0%", "each[0]/train", "#2", "user", "code"],
    ]


def test_the_time_by_cause():
    assert [line.split("  ")[0].rstrip() for line in by_cause(TRACE, 100, PLAIN)] == [
        "time",
        "user code",
        "accelerators",
        "the platform itself",
        "the same task elsewhere (cache)",
    ]
    told = [line.split() for line in by_cause(TRACE, 100, PLAIN)]
    assert told[1] == ["user", "code", "6.0s", "6.0s", "2", "tasks,", "most", "each[0]/train"]
    assert told[3][-2:] == ["500ms", "-"]
    assert told[4][-6:] == ["-", "250ms", "1", "task,", "most", "old"]


def test_every_cause_that_a_task_can_tell_has_words():
    kinds = [name.lower().replace("cache_reservation", "cache") for name in ev.WaitCause.keys()[1:]]
    assert set(kinds) <= set(CAUSES)


def test_for_programs():
    linked = span("a", "task", 0, 1, links=(SpanLink("cd", "ef", "cached"),))
    told = trace_object(Trace("ab", (linked,), STEPS[:1], TIMES[:1], at(9), 3, True))
    assert (told["trace_id"], told["now"], told["folded"], told["partial"]) == (
        "ab",
        "2026-01-01T00:00:09.000000Z",
        3,
        True,
    )
    assert told["spans"][0]["links"] == [{"trace_id": "cd", "span_id": "ef", "kind": "cached"}]
    assert told["critical_path"][0]["cause"] == "platform"
    assert told["times"][0]["most_path"] == "each[0]/train"
