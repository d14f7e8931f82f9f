"""The engine against the reference model: random pipelines, failures, retries, duplicated and reordered facts, deaths of the
replica at every point. Aspects: the same end as the model's; rows, events and the live state agree; termination; run retry.
"""

from __future__ import annotations

import os
import random

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from builders.chaos import Chaos, fates
from builders.random_plans import plan_of, random_dag
from builders.reference_model import Model, digest
from builders.worlds import plain
from headrace_protos.lifecycle import RUN_FINAL, TASK_FINAL
from headrace_protos.v1 import events_pb2 as ev
from headrace_scheduler.engine import facts as f

# `make fuzz` sets FUZZ and draws new examples each time; CI and people get the same ones, so that a failure is theirs
FUZZ = int(os.environ.get("FUZZ", "0"))
EXAMPLES = FUZZ or (1000 if os.environ.get("CI") else 150)
SEEDS = st.integers(min_value=0, max_value=2**48)
PROFILE = settings(
    max_examples=EXAMPLES, deadline=None, derandomize=not FUZZ, database=None, suppress_health_check=list(HealthCheck)
)


def scene(seed: int):
    rng = random.Random(seed)
    nodes = random_dag(rng)
    fate = fates(seed, rng.choice((0.0, 0.1, 0.3)))

    def hit(path: str) -> bool:
        return digest(seed, "hit", path)[0] in "01234"

    return nodes, Chaos(plan_of(nodes), rng, fate, hit), Model(fate, hit)


def compare(chaos: Chaos, model: Model, outcome: str) -> None:
    expected = {path: (one.state, one.attempts, one.outputs) for path, one in model.results.items()}
    tasks = chaos.rows.tasks
    found = {
        path: (ev.TaskState.Name(task.state).removeprefix("TASK_"), task.attempts, plain(task.outputs))
        for path, task in tasks.items()
    }
    assert found == expected
    reasons = {e.path: e.task_finished.skip_reason for e in chaos.events if e.HasField("task_finished")}
    skipped = {path: reason for path, reason in reasons.items() if reason}
    assert skipped == {path: one.skip_reason for path, one in model.results.items() if one.skip_reason}
    assert ev.RunState.Name(chaos.rows.run.state).removeprefix("RUN_") == outcome


@PROFILE
@given(SEEDS)
def test_every_run_comes_to_the_end_that_the_model_says(seed):
    nodes, chaos, model = scene(seed)
    chaos.until_ended()
    outcome = model.run(nodes)
    compare(chaos, model, outcome)
    for _ in range(2):
        if outcome != "FAILED":
            break
        chaos.deliver(f.RetryRequested())
        chaos.until_ended()
        outcome = model.run(nodes)
        compare(chaos, model, outcome)


@settings(PROFILE, max_examples=EXAMPLES // 5)
@given(SEEDS, st.integers(0, 40))
def test_a_terminated_run_ends_canceled_with_nothing_open(seed, after):
    _, chaos, _ = scene(seed)
    for _ in range(after):
        if not chaos.state.is_terminal:
            chaos.tick()
    before = chaos.rows.run.state
    chaos.deliver(f.TerminateRequested())
    chaos.until_ended()
    assert all(task.state in TASK_FINAL for task in chaos.rows.tasks.values())
    assert not chaos.state.in_flight()
    if before in RUN_FINAL:
        assert chaos.rows.run.state == before
    else:
        # a request that comes with the run's last facts may find it ended
        assert chaos.rows.run.state == ev.RUN_CANCELED or not any(e.HasField("run_terminating") for e in chaos.events)
    if chaos.rows.run.state == ev.RUN_CANCELED:
        chaos.deliver(f.RetryRequested())
        chaos.until_ended()
        assert chaos.rows.run.state in (ev.RUN_SUCCEEDED, ev.RUN_FAILED)
