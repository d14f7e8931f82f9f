"""Nodes and accelerator time as the command line shows them."""

from __future__ import annotations

from headrace import using
from headrace.cli.usage import node_lines, node_object, table
from headrace.models import AcceleratorTime
from headrace_protos.v1 import run_query_pb2, scheduler_pb2


def a_node() -> scheduler_pb2.Node:
    made = scheduler_pb2.Node(
        name="node-1",
        status="cordoned",
        cpu=8,
        cpu_used=2.5,
        memory=32 * 2**30,
        memory_used=2**30,
        taints=["gpu:NoSchedule"],
    )
    made.stock.add(resource="nvidia.com/gpu", product="NVIDIA-H100-80GB-HBM3", memory=80 * 2**30, count=4, used=3)
    made.stock.add(resource="nvidia.com/mig-1g.10gb", product="NVIDIA-H100-80GB-HBM3", mig="1g.10gb", count=2)
    made.stock.add(resource="habana.ai/gaudi", count=8)
    return made


def test_a_node_is_shown_with_its_accelerators_by_product():
    assert node_lines(using.node(a_node())) == [
        "node-1  cordoned  2.5 of 8 cores  1 of 32 GiB  taints: gpu:NoSchedule",
        "  3 of 4 × NVIDIA-H100-80GB-HBM3 (80 GiB) in use",
        "  0 of 2 × NVIDIA-H100-80GB-HBM3 MIG 1g.10gb in use",
        "  0 of 8 × habana.ai/gaudi in use",
    ]
    shown = node_object(using.node(a_node()))
    assert shown["accelerators"][1] == {
        "resource": "nvidia.com/mig-1g.10gb",
        "product": "NVIDIA-H100-80GB-HBM3",
        "mig": "1g.10gb",
        "memory": 0,
        "count": 2,
        "used": 0,
    }


def test_accelerator_time_is_a_table_in_seconds():
    answer = run_query_pb2.RunUsageResponse()
    answer.total.add(accelerator="H100", attempts=3, asked_us=90_500_000, used_us=60_000_000)
    answer.tasks.add(path="train").times.add(accelerator="H100", attempts=3, asked_us=90_500_000, used_us=60_000_000)
    found = using.usage(answer)
    assert found.total == (AcceleratorTime("H100", 3, 90.5, 60.0),)
    assert table([*found.tasks.items(), ("total", found.total)]) == [
        "       accelerator  attempts  asked (s)  used (s)",
        "train  H100                3       90.5      60.0",
        "total  H100                3       90.5      60.0",
    ]
