"""What the executors of a plan ask for, as far as it is known before a run: quantities without placeholders."""

from __future__ import annotations

import json
from collections.abc import Iterator

from headrace_protos.v1 import plan_pb2
from headrace_scheduler.engine.platform_settings import get
from headrace_scheduler.engine.quantities import quantity
from headrace_scheduler.executors.accelerators import ANNOTATION
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
            yield executor.label, static_request(resources, _annotation(executor.platform_json))


def _annotation(platform_json: str) -> str:
    """What the task's annotation says of its accelerators."""
    if ANNOTATION not in platform_json:
        return ""
    metadata = get(json.loads(platform_json), "podMetadata") or {}
    return str((metadata.get("annotations") or {}).get(ANNOTATION, ""))


def static_request(resources: plan_pb2.Resources, accelerator: str = "") -> Request:
    """Quantities as numbers; the spec was validated, so each of them is one."""

    def amount(text: str) -> float:
        return float(quantity(text)) if text else 0.0

    kind = resources.accelerator_type
    count = int(amount(resources.accelerator_count)) if kind else 0
    wanted = " ".join(one for one in (kind, accelerator) if one)
    cpu = amount(resources.cpu_request or resources.cpu_limit)
    return Request(cpu, int(amount(resources.memory_request or resources.memory_limit)), count, wanted if count else "")
