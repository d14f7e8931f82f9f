"""The waterfall of a trace.

- each leaf has a row, groups have none; phases are drawn where they were; a cached task is marked
- the longest chain goes back by time to what can have been waited for, never to another iteration
- open spans reach to now; no spans, no lines
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from headrace.cli.chain import longest_chain
from headrace.cli.waterfall import waterfall
from headrace.display.texts import Style, cells
from headrace.models import Span

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
PLAIN = Style(unicode=False)


def span(path: str, phase: str, start: float, end: float | None, **more) -> Span:
    until = None if end is None else BEGIN + timedelta(seconds=end)
    return Span(f"{path}{phase}", "", path, path, 1, phase, BEGIN + timedelta(seconds=start), until, **more)


SPANS = [
    span("", "run", 0, 10),
    span("load", "task", 0, 4),
    span("load", "attempt", 0, 4),
    span("load", "image", 0, 2),
    span("load", "running", 2, 4),
    span("each", "task", 4, 10),
    span("each[0]/train", "task", 4, 10),
    span("each[0]/train", "attempt", 5, 10),
    span("each[0]/train", "waiting", 4, 5),
    span("each[0]/train", "running", 5, 10),
    span("old", "task", 4, 4, attributes={"headrace.cached_from": "run/old"}),
]
LINKED = span("kept", "task", 4, 4, attributes={"headrace.linked_from": "run/kept"})


def test_rows_and_phases():
    lines = waterfall(SPANS, BEGIN, 60, PLAIN)
    assert [line.split()[0] for line in lines[:3]] == ["load", "each[0]/train", "old"]
    assert "e" * 5 in lines[0]
    assert lines[0].endswith("4.0s")
    assert "." in lines[1]
    assert lines[1].index("#") > lines[0].index("#")
    assert lines[2].endswith("cached")
    assert "environment" in lines[3]
    assert all(cells(line) <= 62 for line in lines[:3])
    assert "".join(lines).isascii()


def test_the_longest_chain():
    assert [one.path for one in longest_chain(SPANS, BEGIN)] == ["load", "each[0]/train"]
    assert waterfall(SPANS, BEGIN, 60, PLAIN)[-1] == "longest chain 9.0s of 10.0s: load -> each[0]/train"


def attempt(path: str, start: float, end: float) -> Span:
    return span(path, "attempt", start, end)


def chain_of(*spans: Span) -> list[str]:
    return [one.path for one in longest_chain(spans, BEGIN)]


def test_iterations_of_a_loop_do_not_wait_for_each_other():
    flat = [attempt(f"loop[{index}]/t", index, index + 1) for index in range(5)]
    assert chain_of(*flat) == ["loop[4]/t"]
    assert chain_of(attempt("load", -1, 0), *flat, attempt("end", 5, 6)) == ["load", "loop[4]/t", "end"]


def test_within_an_iteration_the_chain_is_that_iterations():
    first = [attempt("loop[0]/a", 0, 1), attempt("loop[0]/b", 1, 4)]
    second = [attempt("loop[1]/a", 0, 2), attempt("loop[1]/b", 4, 5)]
    assert chain_of(*first, *second) == ["loop[1]/a", "loop[1]/b"]


def test_what_ended_after_the_group_began_is_no_dependency_of_what_is_in_it():
    began = span("group", "waiting", 0, 2)
    spans = [attempt("load", 0, 2), attempt("aside", 0, 3), began, attempt("group/t", 3, 5)]
    assert chain_of(*spans) == ["load", "group/t"]


def test_a_group_that_goes_on_is_no_dependency():
    spans = [attempt("loop[0]/t", 0, 1), attempt("loop[1]/t", 0, 9), attempt("aside", 2, 10)]
    assert chain_of(*spans) == ["aside"]


def test_an_attempt_follows_the_one_before_it():
    assert chain_of(attempt("load", 0, 1), attempt("t", 1, 2), attempt("t", 3, 4)) == ["load", "t", "t"]


def test_attempts_of_no_length_make_no_circle():
    assert chain_of(attempt("a", 0, 0), attempt("b", 0, 0)) == ["b", "a"]


def test_open_spans_reach_to_now():
    spans = [span("", "run", 0, None), span("a", "task", 0, None), span("a", "running", 0, None)]
    (row, _legend) = waterfall(spans, BEGIN + timedelta(seconds=3), 40, PLAIN)
    assert row.endswith("3.0s")


def test_no_spans():
    assert waterfall([], BEGIN, 80, PLAIN) == []
    assert waterfall([span("", "run", 0, 1)], BEGIN, 80, PLAIN) == []


def test_a_linked_task_has_a_row_that_says_so():
    lines = waterfall([*SPANS, LINKED], BEGIN, 60, PLAIN)
    assert next(line for line in lines if line.startswith("kept")).endswith("linked")
    assert next(line for line in lines if line.startswith("old")).endswith("cached")
    assert any("= cached or linked" in line for line in lines)
