"""How results are printed.

- large values by where they lie, in text and in JSON
- a big loop shows what failed or runs and counts the rest; failures and artifacts are bounded; it is said how to see all
"""

from __future__ import annotations

import json
from datetime import UTC, datetime

from headrace.cli.results import as_object, as_text, failures, printed, shown
from headrace.display.texts import Style
from headrace.models import Artifact, Failure, Run, Task, Trace, ValueReference

BIG = ValueReference("file:///v", 40_000, "sha256:0", "LIST")
RUN = Run("0190", "SUCCEEDED", outputs={"big": BIG, "n": [1]}, created_at=datetime(2026, 1, 1, tzinfo=UTC))


def test_text_says_how_large_a_value_is_and_where():
    lines = shown(RUN, [], 200, Style(), datetime(2026, 1, 2, tzinfo=UTC))
    assert lines[-2:] == ["  big = LIST of 40000 bytes at file:///v", "  n = [1]"]


def test_json_shows_a_reference_where_the_value_was_not_fetched():
    told = json.loads(printed(as_object(RUN, [Task("a", "SUCCEEDED", outputs={"big": BIG})], [])))
    reference = {"uri": "file:///v", "size": 40_000, "digest": "sha256:0", "type": "LIST"}
    assert told["outputs"] == {"big": reference, "n": [1]}
    assert told["tasks"][0]["outputs"] == {"big": reference}


NOW = datetime(2026, 1, 2, tzinfo=UTC)
ALL = "headrace runs get 0190 --output json"


def looped(count: int, **states: int) -> list[Task]:
    """A loop of COUNT iterations of one task each; those named by STATES are not SUCCEEDED."""
    by_index = {index: state for state, index in states.items()}
    tasks = [Task("wide", "RUNNING", kind="LOOP", iteration_count=count)]
    for index in range(count):
        state, here = by_index.get(index, "SUCCEEDED"), f"wide[{index}]"
        tasks += [Task(here, state, "wide", kind="LOOP_ITERATION"), Task(f"{here}/t", state, here)]
    return tasks


def test_a_loop_up_to_twenty_iterations_is_whole():
    lines = shown(RUN, looped(20), 200, Style(), NOW)
    assert [line.split()[1] for line in lines if "[" in line and "=" not in line] == [f"[{n}]" for n in range(20)]
    assert not any(ALL in line for line in lines)


def test_of_a_larger_loop_what_failed_or_runs_is_shown_and_the_rest_counted():
    lines = shown(RUN, looped(5_000, FAILED=4_000, RUNNING=7, PENDING=4_999), 200, Style(), NOW)
    assert lines[1:-3] == [
        "  ● wide  5000 iterations",
        "    ● [7]",
        "      ● t",
        "    ✗ [4000]  failed",
        "      ✗ t  failed",
        "    … 4,998 more iterations: 1 pending, 4997 succeeded",
        f"  not every task is shown; all: {ALL}",
    ]


def test_a_loop_whose_iterations_all_failed_is_bounded():
    tasks = [
        Task(one.path, "FAILED", one.parent, kind=one.kind, error=Failure("UserError", "exit 1"))
        for one in looped(3_000)
    ]
    lines = shown(RUN, tasks, 200, Style(), NOW)
    assert len(lines) < 60
    assert any("2,980 more iterations: 2980 failed" in line for line in lines)
    told = failures(RUN, tasks)
    assert len(told) == 21
    assert told[-1] == f"and 5,981 more tasks FAILED; all: {ALL}"


def test_a_loop_where_nothing_is_urgent_is_one_count():
    lines = shown(RUN, looped(21), 200, Style(), NOW)
    assert lines[2:4] == ["    … 21 iterations: 21 succeeded", f"  not every task is shown; all: {ALL}"]


def test_a_run_of_very_many_tasks_is_folded():
    lines = shown(RUN, [Task(f"t{number}", "RUNNING") for number in range(5_000)], 200, Style(), NOW)
    assert len(lines) < 1_010
    assert any(ALL in line for line in lines)


def test_very_many_artifacts_are_counted():
    made = [Artifact(f"wide[{index}]/t", "model", "system.Model", "file:///m") for index in range(5_000)]
    lines = as_text(RUN, [], made, Trace("0190", ()), 200, Style(), NOW)
    assert sum("(Model) file:///m" in line for line in lines) == 100
    assert f"  … and 4,900 more; all: {ALL}" in lines
