"""Requests for accelerators against made-up clusters: which resource a Pod asks for, on which nodes it may land.

Where a Pod may land is judged here as kube-scheduler does it, by the labels and the numbers of the nodes.
"""

from __future__ import annotations

import re
from typing import Any

import pytest

from builders import nodes as n
from builders.pods import task
from headrace_scheduler.executors.accelerators import MIB, Wanted, read
from headrace_scheduler.executors.kubernetes.accelerators import Selection, fitted, offers, select, with_terms
from headrace_scheduler.executors.port import Launch, Request
from headrace_scheduler.executors.task_settings import TaskSettings


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("nvidia.com/gpu", Wanted("nvidia.com/gpu")),
        ("any", Wanted()),
        ("gpu memory>=40GiB", Wanted(memory=40 * 2**30)),
        ("memory>=80GB", Wanted(memory=80 * 10**9)),
        ("H100", Wanted(products=("H100",))),
        ("H100|A100-80GB", Wanted(products=("H100", "A100-80GB"))),
        ("RTX 4090 | L4 memory >= 20Gi", Wanted(products=("RTX 4090", "L4"), memory=20 * 2**30)),
        ("MIG 1g.10gb", Wanted("nvidia.com/gpu", mig="1g.10gb")),
        ("1g.10gb", Wanted("nvidia.com/gpu", mig="1g.10gb")),
        ("nvidia.com/mig-1g.10gb", Wanted("nvidia.com/gpu", mig="1g.10gb")),
        ("nvidia.com/mig-1g.10gb H100", Wanted("nvidia.com/gpu", ("H100",), mig="1g.10gb")),
        ("H100 MIG 1G.10GB", Wanted("nvidia.com/gpu", ("H100",), mig="1g.10gb")),
        ("nvidia.com/gpu H100|A100 memory>=40GiB", Wanted("nvidia.com/gpu", ("H100", "A100"), 40 * 2**30)),
        ("example.com/fpga", Wanted("example.com/fpga")),
    ],
)
def test_reading(text: str, wanted: Wanted) -> None:
    assert read(text) == wanted


def launch_of(request: Request | None = None, **settings: Any) -> Launch:
    return task(TaskSettings(**settings), request=request or Request())


def lands(chosen: Selection, nodes: tuple[dict[str, Any], ...], count: int = 1) -> list[str]:
    """The nodes on which a Pod with this selection fits, an empty cluster given; those that are liked first come first."""
    fitting = [
        one
        for one in nodes
        if int(one["status"]["allocatable"].get(chosen.resource, "0")) >= count
        and (not chosen.terms or any(_holds(term, one["metadata"]["labels"]) for term in chosen.terms))
    ]

    def liked(one: dict[str, Any]) -> int:
        labels = one["metadata"]["labels"]
        return -sum(weight["weight"] for weight in chosen.preferred if _holds(weight["preference"], labels))

    return [one["metadata"]["name"] for one in sorted(fitting, key=liked)]


def _holds(term: Any, labels: dict[str, str]) -> bool:
    for one in term["matchExpressions"]:
        has = labels.get(one["key"])
        if one["operator"] == "In" and has not in one["values"]:
            return False
        if one["operator"] == "Gt" and (has is None or int(has) <= int(one["values"][0])):
            return False
    return bool(term["matchExpressions"])


def there(nodes: tuple[dict[str, Any], ...]) -> list[Any]:
    return [offer for one in nodes for offer in offers(one["metadata"]["labels"], one["status"]["allocatable"])]


CASES = [
    # text, count, nodes, resource, where it may land
    ("nvidia.com/gpu", 1, n.EVERYTHING, "nvidia.com/gpu", "h100 a100-40 a100-80 t4 gke-h100 eks single"),
    ("amd.com/gpu", 1, n.EVERYTHING, "amd.com/gpu", "mi300"),
    ("google.com/tpu", 4, n.EVERYTHING, "google.com/tpu", "tpu"),
    ("habana.ai/gaudi", 8, n.EVERYTHING, "habana.ai/gaudi", "gaudi"),
    ("nvidia.com/gpu", 2, (n.AKS, n.CPU), "nvidia.com/gpu", "aks"),
    # any
    ("any", 1, (n.MI300, n.CPU), "amd.com/gpu", "mi300"),
    ("any", 1, (n.MI300, n.T4), "nvidia.com/gpu", "t4"),
    ("gpu", 1, (n.CPU,), "nvidia.com/gpu", ""),
    # products, however they are spelt
    ("H100", 1, n.EVERYTHING, "nvidia.com/gpu", "h100 gke-h100"),
    ("h100", 4, n.EVERYTHING, "nvidia.com/gpu", "h100 gke-h100"),
    ("H100", 5, n.EVERYTHING, "nvidia.com/gpu", "gke-h100"),
    ("NVIDIA H100", 1, n.EVERYTHING, "nvidia.com/gpu", "h100 gke-h100"),
    ("NVIDIA-H100-80GB-HBM3", 1, n.EVERYTHING, "nvidia.com/gpu", "h100"),
    ("nvidia-h100-80gb", 1, n.EVERYTHING, "nvidia.com/gpu", "h100 gke-h100"),
    ("A100", 1, n.EVERYTHING, "nvidia.com/gpu", "a100-40 a100-80"),
    ("A100-80GB", 1, n.EVERYTHING, "nvidia.com/gpu", "a100-80"),
    ("a100-40g", 1, n.EVERYTHING, "nvidia.com/gpu", "a100-40"),
    ("NVIDIA_TESLA_T4", 1, (n.T4, n.GKE_T4, n.H100), "nvidia.com/gpu", "t4 gke-t4"),
    ("nvidia-tesla-t4", 1, (n.T4, n.GKE_T4, n.H100), "nvidia.com/gpu", "t4 gke-t4"),
    ("Tesla T4", 1, (n.T4, n.H100), "nvidia.com/gpu", "t4"),
    ("NVIDIA_TESLA_A100", 1, n.EVERYTHING, "nvidia.com/gpu", "a100-40 a100-80"),
    ("A10G", 4, n.EVERYTHING, "nvidia.com/gpu", "eks"),
    ("MI300X", 8, n.EVERYTHING, "amd.com/gpu", "mi300"),
    ("AMD Instinct MI300X", 1, n.EVERYTHING, "amd.com/gpu", "mi300"),
    ("tpu-v5-lite-podslice", 4, n.EVERYTHING, "google.com/tpu", "tpu"),
    ("nvidia.com/gpu H100", 2, n.EVERYTHING, "nvidia.com/gpu", "h100 gke-h100"),
    ("L4", 1, n.EVERYTHING, "nvidia.com/gpu", ""),
    ("H10O", 1, n.EVERYTHING, "nvidia.com/gpu", ""),
    # ranked
    ("H100|A100-80GB", 1, (n.A100_80, n.H100, n.T4), "nvidia.com/gpu", "h100 a100-80"),
    ("A100-80GB|H100", 1, (n.A100_80, n.H100, n.T4), "nvidia.com/gpu", "a100-80 h100"),
    ("B200|A100", 2, (n.A100_40, n.H100), "nvidia.com/gpu", "a100-40"),
    ("MI300X|H100", 1, (n.H100, n.MI300), "amd.com/gpu", "mi300"),
    ("MI300X|H100", 1, (n.H100,), "nvidia.com/gpu", "h100"),
    # memory: what is sold as 80 GB has less
    ("any memory>=40GiB", 1, n.EVERYTHING, "nvidia.com/gpu", "h100 a100-40 a100-80 gke-h100"),
    ("any memory>=80GiB", 1, n.EVERYTHING, "nvidia.com/gpu", "h100 a100-80 gke-h100"),
    ("A100 memory>=80GB", 1, n.EVERYTHING, "nvidia.com/gpu", "a100-80"),
    ("nvidia.com/gpu memory>=16GiB", 1, (n.T4, n.SINGLE), "nvidia.com/gpu", "t4"),
    ("any memory>=150GiB", 1, n.EVERYTHING, "amd.com/gpu", "mi300"),
    ("any memory>=500GiB", 1, n.EVERYTHING, "nvidia.com/gpu", ""),
    # slices
    ("MIG 1g.10gb", 1, n.EVERYTHING, "nvidia.com/mig-1g.10gb", "h100"),
    ("nvidia.com/mig-1g.10gb", 2, n.EVERYTHING, "nvidia.com/mig-1g.10gb", "h100"),
    ("H100 MIG 1g.10gb", 1, n.EVERYTHING, "nvidia.com/mig-1g.10gb", "h100"),
    ("A100 MIG 1g.10gb", 1, n.EVERYTHING, "nvidia.com/mig-1g.10gb", ""),
    ("MIG 1g.5gb", 1, n.EVERYTHING, "nvidia.com/gpu", "single"),
    ("A100 MIG 1g.5gb", 3, n.EVERYTHING, "nvidia.com/gpu", "single"),
    ("MIG 3g.40gb", 1, n.EVERYTHING, "nvidia.com/mig-3g.40gb", ""),
    ("A100-40GB", 1, (n.SINGLE, n.A100_40), "nvidia.com/gpu", "a100-40"),
    # what this release has not heard of
    ("example.com/fpga", 1, n.EVERYTHING, "example.com/fpga", ""),
    ("NVIDIA RTX 9090 (new)", 1, (n.gpus("new", "NVIDIA-RTX-9090", 1),), "nvidia.com/gpu", ""),
    ("NVIDIA-X900", 1, (n.gpus("new", "NVIDIA-X900", 1),), "nvidia.com/gpu", "new"),
]


@pytest.mark.parametrize(("text", "count", "nodes", "resource", "names"), CASES)
def test_where_a_request_lands(text: str, count: int, nodes: Any, resource: str, names: str) -> None:
    chosen = select(read(text), there(nodes))
    assert chosen.resource == resource
    assert sorted(lands(chosen, nodes, count)) == sorted(names.split())
    if "|" in text:
        assert lands(chosen, nodes, count) == names.split(), "the first is liked best"


def test_a_pool_that_is_scaled_to_zero_is_chosen_by_what_its_nodes_will_be_called() -> None:
    chosen = select(read("NVIDIA_TESLA_T4"), [])
    assert lands(chosen, (n.T4, n.GKE_T4, n.H100)) == ["t4", "gke-t4"]
    chosen = select(read("something-new"), there((n.H100,)))
    assert lands(chosen, (n.gpus("later", "something-new", 1), n.H100)) == ["later"], "a label's value as it is"


def test_a_launch_says_it_in_kubernetes_words_and_keeps_its_own() -> None:
    asked = launch_of(
        request=Request(accelerators=2, accelerator_type="H100 memory>=80GB"),
        resources={"limits": {"cpu": "4", "H100": "2"}, "requests": {"memory": "8Gi"}},
        affinity={
            "nodeAffinity": {
                "requiredDuringSchedulingIgnoredDuringExecution": {
                    "nodeSelectorTerms": [{"matchExpressions": [{"key": "zone", "operator": "In", "values": ["a"]}]}]
                }
            },
            "podAffinity": {"kept": True},
        },
    )
    made = fitted(asked, there((n.H100,))).settings
    assert made.resources == {"limits": {"cpu": "4", "nvidia.com/gpu": "2"}, "requests": {"memory": "8Gi"}}
    assert made.affinity["podAffinity"] == {"kept": True}
    terms = made.affinity["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]["nodeSelectorTerms"]
    assert all(term["matchExpressions"][0] == {"key": "zone", "operator": "In", "values": ["a"]} for term in terms)
    by_product = next(one for one in terms if one["matchExpressions"][1]["key"] == "nvidia.com/gpu.product")
    (memory,) = by_product["matchExpressions"][2:]
    assert (memory["operator"], int(memory["values"][0])) == ("Gt", int(80 * 10**9 * 0.93 / MIB) - 1)
    assert made.annotations["headrace.io/accelerator"] == "H100 memory>=80GB"


def test_a_launch_without_accelerators_and_a_plain_resource_stay_as_they_are() -> None:
    plain = launch_of(resources={"limits": {"cpu": "1"}})
    assert fitted(plain, []) is plain
    one = launch_of(
        request=Request(accelerators=1, accelerator_type="nvidia.com/gpu"),
        resources={"limits": {"nvidia.com/gpu": "1"}},
    )
    made = fitted(one, there(n.EVERYTHING)).settings
    assert (made.resources, made.affinity) == ({"limits": {"nvidia.com/gpu": "1"}}, {})


def test_affinity_terms_are_ored_so_each_goes_with_each() -> None:
    key = "requiredDuringSchedulingIgnoredDuringExecution"

    def term(name: str) -> dict[str, Any]:
        return {"matchExpressions": [{"key": name, "operator": "In", "values": ["x"]}]}

    before = {"nodeAffinity": {key: {"nodeSelectorTerms": [term("a"), term("b")]}}}
    made = with_terms(before, Selection("r", (term("c"), term("d"))))
    found = [
        "".join(one["key"] for one in every["matchExpressions"])
        for every in made["nodeAffinity"][key]["nodeSelectorTerms"]
    ]
    assert found == ["ac", "ad", "bc", "bd"]


def test_values_of_labels_are_valid() -> None:
    for text, *_ in CASES:
        for term in select(read(text), there(n.EVERYTHING)).terms:
            for one in term["matchExpressions"]:
                assert all(re.fullmatch(r"[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?", value) for value in one["values"])
