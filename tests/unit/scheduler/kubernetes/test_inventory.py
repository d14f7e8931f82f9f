"""What a cluster has and what is in use, and the sentences about it."""

from __future__ import annotations

from typing import Any

import pytest

from builders import nodes as n
from headrace_scheduler.executors.kubernetes.inventory import Stock, request_of
from headrace_scheduler.executors.port import Accelerators, Node, Request

H100 = "NVIDIA-H100-80GB-HBM3"


def stock(*nodes: dict[str, Any]) -> Stock:
    made = Stock()
    for one in nodes:
        made.node_seen(one)
    return made


def asks(count: int, text: str) -> Request:
    return Request(accelerators=count, accelerator_type=text)


def test_nodes_are_shown_with_what_our_pods_hold() -> None:
    made = stock(
        n.H100, n.node("cpu", unschedulable=True, taints=[{"key": "team", "value": "a", "effect": "NoSchedule"}])
    )
    made.pod_seen(n.task_pod("one", "h100", "nvidia.com/gpu", 2))
    made.pod_seen(n.task_pod("slice", "h100", "nvidia.com/mig-1g.10gb", 1))
    made.pod_seen(n.task_pod("over", "h100", "nvidia.com/gpu", 1, phase="Succeeded"))
    made.pod_seen(n.task_pod("waits", "", "nvidia.com/gpu", 1, phase="Pending"))
    cpu, h100 = made.shown()
    assert cpu == Node("cpu", 8.0, 32 * 2**30, status="cordoned", taints=("team=a:NoSchedule",))
    assert h100.accelerators == (
        Accelerators("nvidia.com/gpu", H100, 81559 * 2**20, "", 4, 2),
        Accelerators("nvidia.com/mig-1g.10gb", H100, 10 * 2**30, "1g.10gb", 2, 1),
    )
    assert (made.got("one"), made.got("slice"), made.got("waits")) == (H100, f"{H100} MIG 1g.10gb", "")
    made.pod_gone("one")
    made.pod_seen(n.task_pod("slice", "h100", "nvidia.com/mig-1g.10gb", 1, phase="Failed"))
    assert [one.used for one in made.shown()[1].accelerators] == [0, 0]
    made.node_gone("h100")
    assert [one.name for one in made.shown()] == ["cpu"]


def test_what_pods_hold_adds_up_whatever_is_said_of_them_and_how_often() -> None:
    made = stock(n.H100)
    for _ in range(2):
        made.pod_seen(n.task_pod("one", "h100", "nvidia.com/gpu", 2))
        made.pod_seen(n.task_pod("two", "h100", "nvidia.com/gpu", 1))
        made.pod_seen({"metadata": {"uid": "nothing"}, "spec": {"nodeName": "h100"}})
    assert made.used["h100"]["nvidia.com/gpu"] == 3
    made.pod_seen(n.task_pod("two", "other", "nvidia.com/gpu", 1))
    assert [made.used[node]["nvidia.com/gpu"] for node in ("h100", "other")] == [2, 1]
    made.pod_seen(n.task_pod("one", "h100", "nvidia.com/gpu", 2, phase="Succeeded"))
    for uid in ("one", "two", "two", "nothing", "never"):
        made.pod_gone(uid)
    assert not made.used


@pytest.mark.parametrize(
    ("request_", "problem"),
    [
        (asks(4, "H100"), ""),
        (asks(2, "any"), ""),
        (asks(1, "H100|B200"), ""),
        (Request(cpu=1000), ""),
        (
            asks(1, "B200"),
            f"asks for 1 × B200, which no node has. The cluster has 4 × {H100}, 2 × {H100} MIG 1g.10gb, 1 × Tesla-T4",
        ),
        (
            asks(2, "H10O"),
            f"asks for 2 × H10O, which no node has. The cluster has 4 × {H100}, 2 × {H100} MIG 1g.10gb, 1 × Tesla-T4; "
            f"did you mean {H100}?",
        ),
        (
            asks(8, "H100"),
            f"asks for 8 × H100 on one node; the largest node has 4. "
            f"The cluster has 4 × {H100}, 2 × {H100} MIG 1g.10gb, 1 × Tesla-T4",
        ),
        (
            asks(1, "MIG 3g.40gb"),
            f"asks for 1 × MIG 3g.40gb, which no node has. The cluster has 4 × {H100}, 2 × {H100} MIG 1g.10gb, "
            "1 × Tesla-T4; MIG profiles that are offered: 1g.10gb",
        ),
        (
            asks(1, "any memory>=100GiB"),
            "asks for 1 × any accelerator with 100 GiB, which no node has. "
            f"The cluster has 4 × {H100}, 2 × {H100} MIG 1g.10gb, 1 × Tesla-T4; the largest of them has 79.65 GiB",
        ),
        (
            asks(1, "T4 memory>=24GiB"),
            "asks for 1 × T4 with 24 GiB, which no node has. "
            f"The cluster has 4 × {H100}, 2 × {H100} MIG 1g.10gb, 1 × Tesla-T4; the largest of them has 15 GiB",
        ),
    ],
)
def test_what_no_node_satisfies_is_said_with_what_there_is(request_: Request, problem: str) -> None:
    assert stock(n.H100, n.T4, n.CPU).problem(request_) == problem


def test_a_cluster_without_accelerators_says_so_and_one_that_is_not_known_says_nothing() -> None:
    assert stock(n.CPU).problem(asks(1, "nvidia.com/gpu")) == (
        "asks for 1 × nvidia.com/gpu, which no node has. The cluster has no accelerators"
    )
    assert Stock().problem(asks(1, "nvidia.com/gpu")) == ""
    assert stock(n.T4).problem(asks(1, "MIG 1g.5gb")).endswith("; no node offers MIG slices")


def test_a_node_that_is_not_ready_still_counts_as_what_may_come_back() -> None:
    away = n.gpus("away", H100, 4, 81559, ready=False)
    made = stock(away)
    assert made.problem(asks(1, "H100")) == ""
    assert made.wait(asks(1, "H100")) == f"needs 1 × H100; 0 of 4 × {H100} free; away is not ready"


def test_a_wait_has_numbers_by_product() -> None:
    made = stock(n.H100, n.A100_40, n.gpus("more", H100, 4, 81559))
    for number in range(3):
        made.pod_seen(n.task_pod(f"a{number}", "h100", "nvidia.com/gpu", 1))
        made.pod_seen(n.task_pod(f"b{number}", "more", "nvidia.com/gpu", 1))
    assert made.wait(asks(2, "H100")) == f"needs 2 × H100; 2 of 8 × {H100} free, at most 1 on one node"
    assert made.wait(asks(1, "H100|A100")) == (
        f"needs 1 × H100 or A100; 2 of 8 × {H100} free, 2 of 2 × NVIDIA-A100-SXM4-40GB free"
    )
    assert made.wait(asks(9, "A100")).startswith(
        "no node fits: it asks for 9 × A100 on one node; the largest node has 2."
    )
    assert made.wait(Request(cpu=1)) == ""


def test_eight_on_four_four_at_a_time() -> None:
    """As kube-scheduler would place them: the others say what they wait for, and go on as the first end."""
    made = stock(n.H100)
    for number in range(4):
        assert "free" in made.wait(asks(1, "H100"))
        made.pod_seen(n.task_pod(f"p{number}", "h100", "nvidia.com/gpu", 1, asked="H100"))
    assert made.wait(asks(1, "H100")) == f"needs 1 × H100; 0 of 4 × {H100} free"
    made.pod_seen(n.task_pod("p0", "h100", "nvidia.com/gpu", 1, phase="Succeeded"))
    assert made.wait(asks(1, "H100")) == f"needs 1 × H100; 1 of 4 × {H100} free"


def test_what_a_pod_asked_for_is_read_from_it() -> None:
    assert request_of(n.task_pod("p", "", "nvidia.com/gpu", 2, asked="H100|A100")) == asks(2, "H100|A100")
    assert request_of(n.task_pod("p", "", "amd.com/gpu", 1)) == asks(1, "amd.com/gpu")
    assert request_of({"metadata": {}, "spec": {"containers": [{"name": "main"}]}}) == Request()
