"""The live tree and its pieces.

- a tree that fits is whole; one that does not never exceeds the window, and what fails and runs is in it
- a task says what it waits for, its attempt and its time; a message cannot move the cursor
- wide characters count two columns; without colour there is no escape
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from headrace.display.lines import change_line
from headrace.display.texts import Style, cells, clean, duration, fit, fit_end
from headrace.display.tree import render
from headrace.models import Attempt, Failure, Task, WaitingOn

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def task(path: str, state: str, parent: str = "", **more) -> Task:
    return Task(path=path, state=state, parent=parent, **more)


def loop(count: int, states: dict[int, str]) -> list[Task]:
    tasks = [task("each", "RUNNING", kind="LOOP", iteration_count=count)]
    for index in range(count):
        state = states.get(index, "SUCCEEDED")
        tasks.append(task(f"each[{index}]", "RUNNING" if state == "RUNNING" else state, "each"))
        tasks.append(task(f"each[{index}]/train", state, f"each[{index}]"))
    return tasks


def test_a_small_tree_is_whole():
    tasks = [
        task("load", "SUCCEEDED", started_at=NOW - timedelta(seconds=3), finished_at=NOW - timedelta(seconds=1)),
        *loop(2, {1: "RUNNING"}),
        task("report", "PENDING", waiting_on=WaitingOn("UPSTREAM", "", ("each",))),
    ]
    assert render(tasks, NOW, 80, 24, Style()) == [
        "✓ load  2.0s",
        "● each  2 iterations",
        "  ✓ [0]",
        "    ✓ train",
        "  ● [1]",
        "    ● train",
        "· report  waits for each",
    ]


@pytest.mark.parametrize("height", range(1, 40))
@pytest.mark.parametrize("count", [0, 1, 5, 500])
def test_it_never_exceeds_the_window(height, count):
    tasks = [task("load", "SUCCEEDED"), *loop(count, {3: "FAILED", 4: "RUNNING"}), task("end", "PENDING")]
    lines = render(tasks, NOW, 30, height, Style())
    assert len(lines) <= height
    assert all(cells(line) <= 30 for line in lines)


def test_a_big_loop_shows_what_failed_and_what_runs_and_counts_the_rest():
    lines = render(loop(500, {250: "FAILED", 400: "RUNNING"}), NOW, 80, 10, Style())
    assert any("[250]" in line for line in lines)
    assert any("[400]" in line for line in lines)
    assert lines[-1].strip().startswith("… and 4")
    assert "succeeded" in lines[-1]


def test_ended_groups_are_folded_before_anything_is_hidden():
    tasks = [*loop(20, {}), task("now", "RUNNING")]
    lines = render(tasks, NOW, 80, 5, Style())
    assert any(line.startswith("● now") for line in lines)


def test_a_failed_attempt_and_its_message():
    failed = task(
        "train",
        "FAILED",
        attempts=(Attempt(1, "FAILED"), Attempt(2, "FAILED")),
        error=Failure("UserError", "exit code 1\x1b[2J"),
    )
    (line,) = render([failed], NOW, 80, 5, Style())
    assert line == "✗ train  failed attempt 2 UserError: exit code 1�[2J"


def test_plain_terminals_get_ascii():
    lines = render([task("a" * 200, "SUCCEEDED")], NOW, 40, 5, Style(unicode=False))
    assert "".join(lines).isascii()


def test_colour_only_where_asked():
    assert "\x1b" not in "".join(render(loop(3, {}), NOW, 80, 24, Style(colour=False)))
    assert "\x1b[32m" in "".join(render(loop(3, {}), NOW, 80, 24, Style(colour=True)))


def test_a_change_is_one_line():
    waiting = task("train", "READY", waiting_on=WaitingOn("SLOTS", "waits for 4 of 2\nCPUs"))
    assert change_line(waiting) == "train  ready  waits for 4 of 2 CPUs"
    assert change_line(task("train", "SUCCEEDED", cached=True)) == "train  succeeded  cached"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0ms"), (0.25, "250ms"), (1.26, "1.3s"), (59.97, "1m00s"), (245, "4m05s"), (7620, "2h07m")],
)
def test_durations(seconds, text):
    assert duration(seconds) == text


def test_cutting_counts_columns():
    assert fit("日本語", 5) == "日本…"
    assert fit_end("branches/train", 8) == "…s/train"
    assert clean("a\x00b\x9bc\u202ed") == "a�b�c�d"


def test_a_linked_task_says_so_and_has_no_time_of_its_own():
    one = task("load", "SUCCEEDED", linked_from="run/load", started_at=NOW - timedelta(seconds=3), finished_at=NOW)
    assert render([one], NOW, 80, 24, Style()) == ["✓ load  linked"]
