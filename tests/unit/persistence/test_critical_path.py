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

from builders.chaos import Chaos, fates, limits
from builders.random_plans import random_flow
from builders.reference_critical import Reference
from builders.reference_model import digest
from builders.worlds import RUN_ID, START_US
from headrace_persistence.tracing.causes import by_cause
from headrace_persistence.tracing.critical import critical_path
from headrace_persistence.tracing.records import GROUPS
from headrace_persistence.tracing.spans import Tracer, traced
from headrace_protos.v1 import events_pb2 as ev
from headrace_scheduler.engine import facts as f

RUNS, PARTS = 1000, 10


def run_of(seed: int) -> list[ev.Event]:
    """The events of a run: some are terminated, some that did not succeed are retried."""
    flow = random_flow(random.Random(seed))
    rng = random.Random(seed)
    with limits(flow):
        chaos = Chaos(flow, rng, fates(seed, rng.choice((0.0, 0.1, 0.3))), lambda path: hit(seed, path))
        if rng.random() < 0.15:
            for _ in range(rng.randint(3, 40)):
                if not chaos.state.is_terminal:
                    chaos.tick()
            chaos.deliver(f.TerminateRequested(run_exit_tasks=rng.random() < 0.5))
        chaos.until_ended()
        if chaos.rows.run.state != ev.RUN_SUCCEEDED and rng.random() < 0.5:
            chaos.deliver(f.RetryRequested())
            chaos.until_ended()
    events = [ev.Event(seq=1, time_us=START_US, run_created=ev.RunCreated()), *chaos.events]
    return with_times(events, rng)


def hit(seed: int, path: str) -> bool:
    return digest(seed, "hit", path)[0] in "01234"


def with_times(events: list[ev.Event], rng: random.Random) -> list[ev.Event]:
    """No two events at the same time, so that one path alone is critical; attempts tell where their time went."""
    begun: dict[str, int] = {}
    for one in events:
        one.time_us = START_US + (one.time_us - START_US) * 1000 + one.seq
        if one.HasField("attempt_started"):
            begun[one.path] = one.time_us
        elif one.HasField("attempt_finished") and rng.random() < 0.9:
            ends = sorted(rng.randint(begun[one.path], one.time_us) for _ in range(7))
            names = ("admitted", "scheduled", "image_ready", "staged", "started", "ended", "published")
            times = {f"{name}_us": at for name, at in zip(names, ends, strict=True) if rng.random() < 0.9}
            one.attempt_finished.times.CopyFrom(ev.AttemptTimes(**times))
    return events


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
