"""How results are printed: large values by where they lie, in text and in JSON."""

from __future__ import annotations

import json
from datetime import UTC, datetime

from headrace.cli.results import as_object, printed, shown
from headrace.cli.texts import Style
from headrace.models import Run, Task, ValueReference

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


def test_the_tree_of_a_very_wide_run_is_folded():
    tasks = [Task("wide", "RUNNING", kind="LOOP", iteration_count=5_000)]
    tasks += [
        Task(f"wide[{number}]", "RUNNING", "wide", kind="LOOP_ITERATION", iteration=number) for number in range(5_000)
    ]
    lines = shown(RUN, tasks, 200, Style(), datetime(2026, 1, 2, tzinfo=UTC))
    assert len(lines) < 1_010
