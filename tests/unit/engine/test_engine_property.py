"""The engine against the reference model: random pipelines, failures, retries, duplicated and reordered facts, deaths of the
replica at every point. Aspects: the same end as the model's; rows, events and the live state agree; termination and deadlines;
run retry; runs that resume another; large values by reference; and that the examples have every construct.
"""

from __future__ import annotations

import copy
import os
import random
import re
from collections import Counter
from collections.abc import Callable

import pytest

from builders.chaos import Chaos, fates, limits
from builders.constructs import constructs
from builders.descriptions import Flow, text_of
from builders.random_plans import random_flow
from builders.reference_model import Model, Resumed, Stopped, digest
from builders.shrinking import shrink
from builders.worlds import plain
from headrace_ir.problems import SpecError
from headrace_protos.v1 import events_pb2 as ev
from headrace_protos.v1 import run_store_pb2 as rs
from headrace_scheduler.engine import facts as f

# `make fuzz` sets FUZZ and draws new examples each time; CI and people get the same ones, so that a failure is theirs.
FUZZ = int(os.environ.get("FUZZ", "0"))
SEED = int(os.environ.get("FUZZ_SEED", "0")) or (random.SystemRandom().randrange(2**40) if FUZZ else 0)
EXAMPLES = FUZZ or (1000 if os.environ.get("CI") else 200)
PARTS = 10
RARE, LOOKED_AT = 0.02, 1000

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
            with limits(flow):
                check(seed, flow)
        except Exception as problem:  # noqa: BLE001 - whatever goes wrong, in the engine or in the model, is a finding
            raise AssertionError(_report(check, seed, flow, problem)) from None


def _report(check: Check, seed: int, flow: Flow, problem: Exception) -> str:
    last: dict[int, Exception] = {}

    def fails(candidate: Flow) -> bool:
        for again in range(seed, seed + 4):  # other interleavings: the first one may not fit what is left
            try:
                with limits(candidate):
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
        path: (state_of(task), task.attempts, task.linked, reasons[path], plain(task.outputs, chaos.contents))
        for path, task in chaos.rows.tasks.items()
    }
    expected = {
        path: (one.state, one.attempts, one.linked, one.reason, one.outputs) for path, one in model.results.items()
    }
    different = [path for path in {**found, **expected} if found.get(path) != expected.get(path)]
    assert not different, "\n".join(f"{p}\n  engine {found.get(p)}\n  model  {expected.get(p)}" for p in different)
    state = ev.RunState.Name(chaos.rows.run.state).removeprefix("RUN_")
    assert state == outcome, f"the run is {state}, the model says {outcome}"
    *_, last = (event for event in chaos.events if event.HasField("run_finished"))
    assert plain(last.run_finished.outputs, chaos.contents) == model.outputs


def state_of(task: rs.TaskSnapshot) -> str:
    return ev.TaskState.Name(task.state).removeprefix("TASK_")


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


def check_resumed(seed: int, flow: Flow) -> None:
    """A run, then two that go on from the one before with changed inputs, definitions, and tasks that run again."""
    chaos, model = scene(seed, flow)
    chaos.until_ended()
    compare(chaos, model, model.run())
    rng = random.Random(seed)
    for number in (1, 2):
        flow = changed(flow, rng)
        tasks = list(chaos.rows.tasks)
        again = rng.sample(tasks, rng.choice((0, 0, 1, min(2, len(tasks)))))
        again = [re.sub(r"\[\d+\]", "", path) if rng.random() < 0.3 else path for path in again]
        before, done = chaos, Resumed(model.results, again)
        fate = fates(seed + number, rng.choice((0.0, 0.1)))
        chaos = Chaos(flow, rng, fate, model.hit, before, again)
        model = Model(flow, fate, model.hit, resumed=done)
        chaos.until_ended()
        compare(chaos, model, model.run())
        retried(chaos, model, 1)


def changed(flow: Flow, rng: random.Random) -> Flow:
    """The same, or another value of an input, or another version of a leaf."""
    made = copy.deepcopy(flow)
    what = rng.random()
    if what < 0.3:
        made.parameters["p"] = "v1" if made.parameters.get("p") == "v0" else "v0"
    elif what < 0.4:
        made.parameters["n"] = rng.randint(0, 3)
    elif what < 0.5:
        made.parameters["l"] = [rng.choice(("v0", "v1")) for _ in range(rng.randint(0, 4))]
    elif what < 0.7:
        leaves = [node.body for node in made.nodes() if node.body.form == "leaf"]
        if leaves:
            rng.choice(leaves).version += 1
    return made


@pytest.mark.parametrize("part", range(PARTS))
def test_every_run_comes_to_the_end_that_the_model_says(part: int):
    examples(check_end, part)


@pytest.mark.parametrize("part", range(PARTS))
def test_a_terminated_run_ends_canceled_with_nothing_open_and_can_be_retried(part: int):
    examples(check_terminated, part, 0.3)


@pytest.mark.parametrize("part", range(PARTS))
def test_a_run_that_takes_too_long_is_stopped_and_can_be_retried(part: int):
    def with_deadline(flow: Flow, rng: random.Random) -> None:
        flow.deadline_s = rng.randint(1, 4)

    examples(check_deadline, part, 0.2, with_deadline)


@pytest.mark.parametrize("part", range(PARTS))
def test_a_run_that_resumes_another_links_what_has_not_changed(part: int):
    examples(check_resumed, part, 0.3)


def test_every_construct_is_among_the_examples():
    count: Counter[str] = Counter()
    for seed in range(LOOKED_AT):
        rng = random.Random(seed)
        flow = random_flow(rng)
        _, model = scene(seed, flow)
        model.run()
        found = constructs(flow, model)
        flow = changed(flow, rng)
        again = Model(flow, model.fate, model.hit, resumed=Resumed(model.results, []))
        again.run()
        count.update(found | constructs(flow, again))
    rare = {name: number for name, number in count.items() if number < RARE * LOOKED_AT}
    assert not rare
    assert len(count) >= 75
