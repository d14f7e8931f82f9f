"""The critical path of 1,000 runs of the engine (random pipelines with loops, limits, failures, attempts, waits, the cache,
terminations, retries, deaths of the scheduler) against a naive reference. Aspects: it is as long as the run and without
gaps; the tasks on it are those of the reference, each as long; what a leaf's time is made of adds up; it does not depend on
where the events were cut.
"""

from __future__ import annotations

import random
from collections import Counter
from itertools import pairwise

import pytest

from builders.reference_critical import Reference
from builders.timed_runs import run_of
from builders.worlds import RUN_ID, START_US
from headrace_persistence.tracing.causes import by_cause
from headrace_persistence.tracing.critical import critical_path
from headrace_persistence.tracing.records import GROUPS
from headrace_persistence.tracing.spans import Tracer, traced

RUNS, PARTS = 1000, 10


def spent_on(tracer: Tracer) -> Counter[str]:
    found: Counter[str] = Counter()
    at = tracer.tasks[""].created_us
    for step in critical_path(tracer.tasks, 0):
        assert step.stretch.start_us == at, "without gaps"
        assert step.stretch.end_us > at
        at = step.stretch.end_us
        found[step.path] += step.stretch.end_us - step.stretch.start_us
    assert at == tracer.tasks[""].finished_us, "to the end"
    return found


@pytest.mark.parametrize("part", range(PARTS))
def test_it_is_what_a_naive_reference_says(part: int):
    for seed in range(part, RUNS, PARTS):
        events = run_of(seed)
        found = spent_on(traced(RUN_ID, "r", events))
        expected = Reference(events).critical()
        assert found == expected, f"run {seed}"


@pytest.mark.parametrize("part", range(PARTS))
def test_the_time_of_a_task_is_told_without_gaps(part: int):
    for seed in range(part, RUNS, 4 * PARTS):
        tracer = traced(RUN_ID, "r", run_of(seed))
        for task in tracer.tasks.values():
            if task.kind in GROUPS or not task.finished_us:
                continue
            at = task.created_us
            for one in task.stretches:
                assert one.start_us == at, (seed, task.path, task.stretches)
                at = one.end_us
            assert at == task.finished_us, (seed, task.path)
        path = critical_path(tracer.tasks, 0)
        spent = by_cause(tracer, path, 0)
        assert sum(one.critical_us for one in spent) == tracer.tasks[""].finished_us - tracer.tasks[""].created_us


@pytest.mark.parametrize("part", range(PARTS))
def test_of_a_run_that_goes_on_it_leads_to_now(part: int):
    for seed in range(part, RUNS, 10 * PARTS):
        events = run_of(seed)
        cut = events[: random.Random(seed).randint(1, len(events) - 1)]
        if any(one.HasField("run_finished") for one in cut):
            continue
        now = cut[-1].time_us + 12345
        steps = critical_path(traced(RUN_ID, "r", cut).tasks, now)
        assert steps[0].stretch.start_us == START_US + 1
        assert steps[-1].stretch.end_us == now
        assert all(one.stretch.end_us == other.stretch.start_us for one, other in pairwise(steps))
