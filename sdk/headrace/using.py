"""Messages about nodes and accelerator time → the SDK's records. Pure; called by api.calls."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from headrace.models import Accelerators, AcceleratorTime, DayUsage, NamespaceUsage, Node, Usage

if TYPE_CHECKING:
    from headrace_protos.v1 import run_query_pb2, scheduler_pb2


def usage(message: run_query_pb2.RunUsageResponse) -> Usage:
    return Usage(_times(message.total), {one.path: _times(one.times) for one in message.tasks})


def namespace_usage(message: run_query_pb2.NamespaceUsageResponse) -> NamespaceUsage:
    days = tuple(DayUsage(one.namespace, one.day, _times(one.times)) for one in message.days)
    return NamespaceUsage(_times(message.total), days)


def _times(messages: Iterable[run_query_pb2.AcceleratorTime]) -> tuple[AcceleratorTime, ...]:
    return tuple(
        AcceleratorTime(one.accelerator, one.attempts, one.asked_us / 1e6, one.used_us / 1e6) for one in messages
    )


def node(message: scheduler_pb2.Node) -> Node:
    return Node(
        message.name,
        message.status,
        message.cpu,
        message.cpu_used,
        message.memory,
        message.memory_used,
        tuple(
            Accelerators(one.resource, one.product, one.count, one.used, one.memory, one.mig) for one in message.stock
        ),
        tuple(message.taints),
    )
