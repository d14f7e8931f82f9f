"""The engine against the reference model: random pipelines, failures, retries, duplicated and reordered facts, deaths of the
replica at every point. Aspects: the same end as the model's; rows, events and the live state agree; termination and deadlines;
run retry; and that the examples have every construct.
"""

from __future__ import annotations

import os
import random
from collections import Counter
from collections.abc import Callable

import pytest

from builders.chaos import Chaos, fates
from builders.constructs import constructs
from builders.descriptions import Flow, text_of
from builders.random_plans import random_flow
from builders.reference_model import Model, Stopped, digest
from builders.shrinking import shrink
from builders.worlds import plain
from headrace_ir.problems import SpecError
from headrace_protos.v1 import events_pb2 as ev
from headrace_scheduler.engine import facts as f

# `make fuzz` sets FUZZ and draws new examples each time; CI and people get the same ones, so that a failure is theirs.
FUZZ = int(os.environ.get("FUZZ", "0"))
SEED = int(os.environ.get("FUZZ_SEED", "0")) or (random.SystemRandom().randrange(2**40) if FUZZ else 0)
EXAMPLES = FUZZ or (1000 if os.environ.get("CI") else 200)
PARTS = 10
RARE, LOOKED_AT = 0.02, 1000
SHORTEST = 30  # bytes of a value that travels inline, where nearly none is to

Check = Callable[[int, Flow], None]


def scene(seed: int, flow: Flow) -> tuple[Chaos, Model]:
    rng = random.Random(seed)
    fate = fates(seed, rng.choice((0.0, 0.1, 0.3)))

    def hit(path: str) -> bool:
        return digest(seed, "hit", path)[0] in "01234"

    return Chaos(flow, rng, fate, hit), Model(flow, fate, hit)


def examples(check: Check, part: int, share: float = 1.0, change: Callable[[Flow, random.Random], None] | None = None):
    """Run CHECK on this part of the examples; what fails is made smaller, and shown."""
    for number in range(part, int(EXAMPLES * share), PARTS):
        seed = SEED + number
        rng = random.Random(seed)
        flow = random_flow(rng)
        if change is not None:
            change(flow, rng)
        try:
            check(seed, flow)
        except Exception as problem:  # noqa: BLE001 - whatever goes wrong, in the engine or in the model, is a finding
            raise AssertionError(_report(check, seed, flow, problem)) from None


def _report(check: Check, seed: int, flow: Flow, problem: Exception) -> str:
    last: dict[int, Exception] = {}

    def fails(candidate: Flow) -> bool:
        for again in range(seed, seed + 4):  # other interleavings: the first one may not fit what is left
            try:
                check(again, candidate)
            except SpecError:
                return False
            except Exception as found:  # noqa: BLE001 - the same
                last[id(candidate)] = found
                return True
        return False

    small = shrink(flow, fails)
    found = last.get(id(small), problem)
    return f"example {seed} (FUZZ=1 FUZZ_SEED={seed}):\n{text_of(small)}\n{type(found).__name__}: {found}"


def compare(chaos: Chaos, model: Model, outcome: str) -> None:
    """The rows, and what the events say of ends and reasons, against the model."""
    reasons = {
        event.path: event.task_finished.skip_reason or event.task_finished.error.reason
        for event in chaos.events
        if event.HasField("task_finished")
    }
    found = {
        path: (
            ev.TaskState.Name(task.state).removeprefix("TASK_"),
            task.attempts,
            reasons[path],
            plain(task.outputs, chaos.contents),
        )
        for path, task in chaos.rows.tasks.items()
    }
    expected = {path: (one.state, one.attempts, one.reason, one.outputs) for path, one in model.results.items()}
    different = [path for path in {**found, **expected} if found.get(path) != expected.get(path)]
    assert not different, "\n".join(f"{p}\n  engine {found.get(p)}\n  model  {expected.get(p)}" for p in different)
    state = ev.RunState.Name(chaos.rows.run.state).removeprefix("RUN_")
    assert state == outcome, f"the run is {state}, the model says {outcome}"
    *_, last = (event for event in chaos.events if event.HasField("run_finished"))
    assert plain(last.run_finished.outputs, chaos.contents) == model.outputs


def stopped(chaos: Chaos, reason: str) -> Stopped:
    """What only the run can say of one that was stopped."""
    tasks = chaos.rows.tasks
    canceled = {path: task.attempts for path, task in tasks.items() if task.state == ev.TASK_CANCELED}
    groups = (ev.DAG, ev.LOOP, ev.LOOP_ITERATION)
    return Stopped(
        reason,
        canceled,
        lambda path: path not in tasks,
        {path: task.attempts for path, task in tasks.items() if task.state == ev.TASK_FAILED},
        {path for path in canceled if tasks[path].started_at_us and tasks[path].kind in groups},
    )


def retried(chaos: Chaos, model: Model, times: int) -> None:
    """Retry the run while it does not succeed; each time it comes to what the model says."""
    for _ in range(times):
        if chaos.rows.run.state == ev.RUN_SUCCEEDED:
            return
        chaos.deliver(f.RetryRequested())
        chaos.until_ended()
        model.stopped = None
        compare(chaos, model, model.run())


# ---- the properties


def check_end(seed: int, flow: Flow) -> None:
    chaos, model = scene(seed, flow)
    chaos.until_ended()
    compare(chaos, model, model.run())
    retried(chaos, model, 2)


def check_terminated(seed: int, flow: Flow) -> None:
    chaos, model = scene(seed, flow)
    rng = random.Random(seed)
    for _ in range(rng.randint(0, 40)):
        if not chaos.state.is_terminal:
            chaos.tick()
    exit_tasks = rng.random() < 0.5
    chaos.deliver(f.TerminateRequested(run_exit_tasks=exit_tasks))
    twice = rng.random() < 0.2
    for _ in range(rng.randint(1, 6) if twice else 0):
        chaos.tick()
    if twice:
        chaos.deliver(f.TerminateRequested())
    chaos.until_ended()
    assert not chaos.state.in_flight()
    requests = [event.run_terminating for event in chaos.events if event.HasField("run_terminating")]
    model.stopped = stopped(chaos, "Canceled") if requests else None
    outcome = model.run()
    compare(chaos, model, "CANCELED" if requests else outcome)
    if requests and requests[-1].run_exit_tasks:
        assert not canceled_exit_tasks(chaos)
    retried(chaos, model, 2)


def canceled_exit_tasks(chaos: Chaos) -> list[str]:
    """Tasks that are to run whatever became of those before them, or are inside one, and did not."""
    tasks = chaos.rows.tasks
    exits = [p for p, one in tasks.items() if chaos.plan.dags[one.dag].tasks[one.task].on_completion]
    inside = [p for p in tasks for top in exits if p == top or p.startswith((f"{top}/", f"{top}["))]
    return [path for path in inside if tasks[path].state == ev.TASK_CANCELED]


def check_deadline(seed: int, flow: Flow) -> None:
    chaos, model = scene(seed, flow)
    for attempt in range(3):
        if attempt:
            chaos.deliver(f.RetryRequested())
        chaos.until_ended()
        begun = max(e.time_us for e in chaos.events if e.WhichOneof("kind") in ("run_started", "run_retried"))
        expired = chaos.events[-1].time_us >= begun + flow.deadline_s * 1_000_000
        model.stopped = stopped(chaos, "DeadlineExceeded") if expired else None
        outcome = model.run()
        compare(chaos, model, "FAILED" if outcome == "CANCELED" else outcome)
        if outcome == "SUCCEEDED":
            return


@pytest.mark.parametrize("part", range(PARTS))
def test_every_run_comes_to_the_end_that_the_model_says(part: int):
    examples(check_end, part)


@pytest.mark.parametrize("part", range(PARTS))
def test_every_run_comes_to_the_same_end_where_values_travel_by_reference(part: int, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("headrace_ir.references.INLINE_BYTES", SHORTEST)
    seen = []

    def check(seed: int, flow: Flow) -> None:
        chaos, model = scene(seed, flow)
        if any(task.body_kind == ev.IMPORTER for dag in chaos.plan.dags for task in dag.tasks):
            return  # a URI that is a large value is refused, in this test nearly every one
        chaos.until_ended()
        compare(chaos, model, model.run())
        seen.extend(chaos.contents)

    examples(check, part, 0.5)
    assert seen


@pytest.mark.parametrize("part", range(PARTS))
def test_a_terminated_run_ends_canceled_with_nothing_open_and_can_be_retried(part: int):
    examples(check_terminated, part, 0.3)


@pytest.mark.parametrize("part", range(PARTS))
def test_a_run_that_takes_too_long_is_stopped_and_can_be_retried(part: int):
    def with_deadline(flow: Flow, rng: random.Random) -> None:
        flow.deadline_s = rng.randint(1, 4)

    examples(check_deadline, part, 0.2, with_deadline)


def test_every_construct_is_among_the_examples():
    count: Counter[str] = Counter()
    for seed in range(LOOKED_AT):
        flow = random_flow(random.Random(seed))
        _, model = scene(seed, flow)
        model.run()
        count.update(constructs(flow, model))
    rare = {name: number for name, number in count.items() if number < RARE * LOOKED_AT}
    assert not rare
    assert len(count) >= 70
