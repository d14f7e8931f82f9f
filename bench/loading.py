"""What a scheduler does with the IR when it takes a run: from the Plan's bytes, as stored at the upload, to an index that the
engine can step on; and with every task of it read, which the engine does for each when it comes to it. In this process.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

from bench.measuring import Row, p50, row
from builders.specs import Pipeline, container, output, pipeline
from headrace_ir.plan import compile_plan
from headrace_ir.reading import read_spec
from headrace_protos.v1 import plan_pb2
from headrace_scheduler.engine import PlanIndex

TASKS, REPEATS = 1_000, 20


def measure(folder: Path) -> Iterator[Row]:
    stored = compile_plan(read_spec(_pipeline().build())).SerializeToString()
    opened, whole = zip(*(_ms(stored) for _ in range(REPEATS)), strict=True)
    note = f"every task read: {p50(whole):.0f} ms"
    yield row(f"IR of {TASKS:,} tasks: stored bytes → index", "ms", opened, 20, note=note, raw={"whole": whole})


def _ms(stored: bytes) -> tuple[float, float]:
    started = time.perf_counter()
    index = PlanIndex(plan_pb2.Plan.FromString(stored))
    opened = time.perf_counter()
    for dag in index.dags:
        for task in dag.tasks:
            assert task.key
    return (opened - started) * 1e3, (time.perf_counter() - started) * 1e3


def _pipeline() -> Pipeline:
    flow = pipeline("bench-loading")
    for number in range(TASKS):
        work = container(
            ["python", "-c", "print(1)"],
            ["--text", "{{$.inputs.parameters['text']}}", "--rate", "{{$.inputs.parameters['rate']}}"],
            inputs={"text": "STRING", "rate": "NUMBER_DOUBLE"},
            outputs={"Output": "STRING"},
            env={"NUMBER": str(number)},
        )
        given = {"text": output(f"step-{number - 1}") if number else "begin", "rate": 0.1}
        flow.task(f"step-{number}", work, given)
    return flow
