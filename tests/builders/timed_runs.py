"""Runs of random pipelines through chaos.py, as events with times of their own: what traces are tried on."""

from __future__ import annotations

import random

from builders.chaos import Chaos, fates, limits
from builders.random_plans import random_flow
from builders.reference_model import digest
from builders.worlds import START_US
from headrace_protos.v1 import events_pb2 as ev
from headrace_scheduler.engine import facts as f


def run_of(seed: int) -> list[ev.Event]:
    """The events of a run: some are terminated, some that did not succeed are retried."""
    return traced_run_of(seed)[0]


def traced_run_of(seed: int) -> tuple[list[ev.Event], dict[tuple[str, int], str]]:
    """The same, with the TRACEPARENT that each attempt was given."""
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
    return with_times(events, rng), chaos.traceparents


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
