"""What the executors of a plan ask for, as far as it is known before a run: quantities without placeholders."""

from __future__ import annotations

from collections.abc import Iterator

from headrace_protos.v1 import plan_pb2
from headrace_scheduler.engine.launching import parse_request
from headrace_scheduler.executors.port import Request


def requests_of(plan: plan_pb2.Plan) -> Iterator[tuple[str, Request]]:
    """Each container executor's label and request; those that depend on inputs are left out."""
    for executor in plan.executors:
        if executor.WhichOneof("kind") != "container":
            continue
        resources = executor.container.resources
        texts = (
            resources.cpu_request,
            resources.cpu_limit,
            resources.memory_request,
            resources.memory_limit,
            resources.accelerator_type,
            resources.accelerator_count,
        )
        if any(texts) and not any("{{$" in text for text in texts):
            yield executor.label, parse_request(resources)
