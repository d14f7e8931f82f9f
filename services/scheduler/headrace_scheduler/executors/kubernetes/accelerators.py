"""A request for accelerators → what a Pod must say to get them: a resource name and node affinity. Pure.

Nodes are told apart by the labels that vendors' feature discovery and clouds set. What the cluster has now is matched, and so
is what products are known to be labelled as, so that a pool which is scaled to zero can still be chosen. Dynamic resource
allocation (claims) is not spoken: device plugins' resources are. Called by the launcher (fitting) and by inventory.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from headrace_scheduler.executors import port
from headrace_scheduler.executors.accelerators import (
    AMD,
    ANNOTATION,
    MIB,
    MIG_RESOURCE,
    NVIDIA,
    RESOURCES,
    TOLERANCE,
    TPU,
    Wanted,
    enough,
    is_accelerator,
    is_one,
    memory_of,
    read,
    vendor,
)

GPU_PRODUCT: Final = "nvidia.com/gpu.product"
GPU_MEMORY: Final = "nvidia.com/gpu.memory"  # MiB
AMD_PRODUCT: Final = "amd.com/gpu.product-name"
AMD_MEMORY: Final = "amd.com/gpu.vram"  # 192G
GKE: Final = "cloud.google.com/gke-accelerator"
GKE_TPU: Final = "cloud.google.com/gke-tpu-accelerator"
KARPENTER: Final = "karpenter.k8s.aws/instance-gpu-name"
AKS: Final = "kubernetes.azure.com/accelerator"  # the vendor alone
AFFINITY: Final = "requiredDuringSchedulingIgnoredDuringExecution"
PREFERENCE: Final = "preferredDuringSchedulingIgnoredDuringExecution"
# The labels that name a product, best first, and whose resources they are about.
PRODUCT_LABELS: Final = (
    (GPU_PRODUCT, NVIDIA),
    (AMD_PRODUCT, AMD),
    ("beta.amd.com/gpu.product-name", AMD),
    (GKE, NVIDIA),
    (GKE_TPU, TPU),
    (KARPENTER, NVIDIA),
    ("k8s.amazonaws.com/accelerator", NVIDIA),
)


@dataclass(frozen=True, slots=True)
class Offer:
    """Accelerators of one kind: their resource, and the label by which nodes that have them are found."""

    resource: str
    product: str  # "" = no label says it
    label: str = ""  # of the product
    memory: int = 0  # bytes on each; 0 = not known
    count: int = 0


def _known(label: str, resource: str, *products: str) -> tuple[Offer, ...]:
    return tuple(Offer(resource, one, label, memory_of(one)) for one in products)


# How products are labelled that a cluster may get by scaling up.
KNOWN: Final = (
    *_known(GPU_PRODUCT, NVIDIA, "Tesla-T4", "Tesla-P4", "Tesla-K80", "Tesla-P100-PCIE-16GB", "Tesla-P100-SXM2-16GB"),
    *_known(GPU_PRODUCT, NVIDIA, "Tesla-V100-SXM2-16GB", "Tesla-V100-SXM2-32GB", "Tesla-V100-PCIE-16GB"),
    *_known(GPU_PRODUCT, NVIDIA, "NVIDIA-A10", "NVIDIA-A10G", "NVIDIA-A30", "NVIDIA-A40", "NVIDIA-L4", "NVIDIA-L40"),
    *_known(GPU_PRODUCT, NVIDIA, "NVIDIA-L40S", "NVIDIA-A100-SXM4-40GB", "NVIDIA-A100-SXM4-80GB"),
    *_known(GPU_PRODUCT, NVIDIA, "NVIDIA-A100-PCIE-40GB", "NVIDIA-A100-80GB-PCIe", "NVIDIA-H100-80GB-HBM3"),
    *_known(
        GPU_PRODUCT, NVIDIA, "NVIDIA-H100-PCIe", "NVIDIA-H100-NVL", "NVIDIA-H200", "NVIDIA-H200-NVL", "NVIDIA-B200"
    ),
    *_known(AMD_PRODUCT, AMD, "AMD_Instinct_MI210", "AMD_Instinct_MI250X", "AMD_Instinct_MI300X_OAM"),
    *_known(GKE, NVIDIA, "nvidia-tesla-t4", "nvidia-tesla-p4", "nvidia-tesla-p100", "nvidia-tesla-v100", "nvidia-l4"),
    *_known(GKE, NVIDIA, "nvidia-tesla-a100", "nvidia-a100-80gb", "nvidia-h100-80gb", "nvidia-h100-mega-80gb"),
    *_known(GKE, NVIDIA, "nvidia-h200-141gb", "nvidia-b200"),
    *_known(GKE_TPU, TPU, "tpu-v4-podslice", "tpu-v5-lite-podslice", "tpu-v5p-slice", "tpu-v6e-slice"),
    *_known(KARPENTER, NVIDIA, "t4", "t4g", "v100", "a10g", "l4", "l40s", "a100", "h100", "h200", "b200"),
)


@dataclass(frozen=True, slots=True)
class Selection:
    """What a Pod says: so many of `resource`, on a node that fits one of `terms`, those of `preferred` first."""

    resource: str
    terms: tuple[Mapping[str, Any], ...] = ()
    preferred: tuple[Mapping[str, Any], ...] = ()


def offers(labels: Mapping[str, str], allocatable: Mapping[str, str]) -> list[Offer]:
    """What one node has, by its labels and what its kubelet says can be given out."""
    found = []
    for resource, amount in sorted(allocatable.items()):
        count = int(amount) if amount.isdecimal() else 0
        if not is_accelerator(resource) or not count:
            continue
        label, product = _product(labels, resource)
        memory = _memory(labels, resource, product)
        found.append(Offer(resource, product, label, memory, count))
    return found


def _product(labels: Mapping[str, str], resource: str) -> tuple[str, str]:
    base = NVIDIA if resource.startswith(MIG_RESOURCE) else resource
    for label, of in PRODUCT_LABELS:
        if of == base and labels.get(label):
            return label, labels[label]
    return "", ""


def _memory(labels: Mapping[str, str], resource: str, product: str) -> int:
    if resource.startswith(MIG_RESOURCE):
        text = labels.get(f"{resource}.memory", "")
        size = resource.rpartition(".")[2].removesuffix("gb") if resource.endswith("gb") else "0"
        return int(text) * MIB if text.isdecimal() else int(size) * 2**30
    if resource == NVIDIA and labels.get(GPU_MEMORY, "").isdecimal():
        return int(labels[GPU_MEMORY]) * MIB
    if resource == AMD and labels.get(AMD_MEMORY, "").rstrip("GB").isdecimal():
        return int(labels[AMD_MEMORY].rstrip("GB")) * 2**30
    return memory_of(product)


def fits(offer: Offer, wanted: Wanted) -> bool:
    """Whether these are accelerators that will do, however many there are."""
    if not _is_resource(offer, wanted):
        return False
    if wanted.products and not any(is_one(_named(name, offer, wanted), offer.product) for name in wanted.products):
        return False
    if _sliced(offer) and not wanted.mig and "MIG" not in " ".join(wanted.products).upper():
        return False
    return not wanted.memory or enough(offer.memory, wanted.memory)


def _named(name: str, offer: Offer, wanted: Wanted) -> str:
    """A slice under the name of the whole (MIG strategy `single`) is asked for by product and profile."""
    return f"{name}-MIG" if wanted.mig and offer.resource == NVIDIA and _sliced(offer) else name


def _sliced(offer: Offer) -> bool:
    return "-MIG-" in offer.product.upper()


def _is_resource(offer: Offer, wanted: Wanted) -> bool:
    if wanted.mig:
        whole = offer.resource == NVIDIA and offer.product.lower().endswith(f"-mig-{wanted.mig}")
        return whole or offer.resource == MIG_RESOURCE + wanted.mig
    if offer.resource.startswith(MIG_RESOURCE):
        return wanted.resource == offer.resource
    return not wanted.resource or wanted.resource == offer.resource


def select(wanted: Wanted, there: Sequence[Offer]) -> Selection:
    """What a Pod must say to get what is wanted, in a cluster that has THERE now."""
    have = [one for one in there if fits(one, wanted)]
    resource = _resource(wanted, have)
    if not wanted.products and not wanted.memory and not (wanted.mig and resource == NVIDIA):
        return Selection(resource)
    will_do = [one for one in (*have, *KNOWN) if _counts(one, resource, wanted)]
    terms = _terms(will_do, wanted, resource)
    preferred = [_preference(rank, name, will_do) for rank, name in enumerate(wanted.products)]
    ranked = tuple(one for one in preferred if one) if len(wanted.products) > 1 else ()
    return Selection(resource, tuple(terms), ranked)


def _resource(wanted: Wanted, have: Sequence[Offer]) -> str:
    if wanted.mig:
        named = {one.resource for one in have}
        return NVIDIA if named == {NVIDIA} else MIG_RESOURCE + wanted.mig
    if wanted.resource:
        return wanted.resource
    by_rank = sorted(have, key=lambda one: _rank(one, wanted))
    return by_rank[0].resource if by_rank else vendor(wanted.products)


def _rank(offer: Offer, wanted: Wanted) -> tuple[int, int]:
    """How well it is liked."""
    liked = next((rank for rank, name in enumerate(wanted.products) if is_one(name, offer.product)), 0)
    return liked, RESOURCES.index(offer.resource) if offer.resource in RESOURCES else len(RESOURCES)


def _counts(offer: Offer, resource: str, wanted: Wanted) -> bool:
    """Whether nodes with this product are where the resource may be had. Of a slice only the whole's product is labelled."""
    if not offer.label:
        return False
    if resource.startswith(MIG_RESOURCE):
        whole = replace(wanted, mig="", resource="", memory=0)
        same = offer.resource in (NVIDIA, resource)
        return same and bool(wanted.products) and any(is_one(name, offer.product) for name in whole.products)
    return offer.resource == resource and fits(offer, wanted)


def _terms(will_do: Iterable[Offer], wanted: Wanted, resource: str) -> list[dict[str, Any]]:
    """One term for each label, of which one must hold."""
    by_label: dict[str, dict[str, None]] = {}
    for one in will_do:
        by_label.setdefault(one.label, {})[one.product] = None
    if wanted.products and not by_label:
        # Nobody knows such a product: it may be a label's value that this release has not heard of.
        values = dict.fromkeys(_value(one) for one in wanted.products)
        by_label = {label: values for label, of in PRODUCT_LABELS if of == resource} or {GPU_PRODUCT: values}
    by_memory = bool(wanted.memory) and resource == NVIDIA
    terms = []
    for label, values in by_label.items():
        if label == GPU_PRODUCT and by_memory and not wanted.products:
            continue
        expressions = [_is_in(label, values)]
        if label == GPU_PRODUCT and by_memory:
            expressions.append(_more_than(wanted.memory))
        terms.append({"matchExpressions": expressions})
    if by_memory and not wanted.products:
        terms.insert(0, {"matchExpressions": [_more_than(wanted.memory)]})
    return terms


def _value(name: str) -> str:
    """A name as the value of a label, which discoveries make of products in this way too."""
    return re.sub(r"[^A-Za-z0-9_.]+", "-", name).strip("-_.")[:63] or "none"


def _preference(rank: int, name: str, will_do: Iterable[Offer]) -> dict[str, Any]:
    named: dict[str, dict[str, None]] = {}
    for one in will_do:
        if is_one(name, one.product):
            named.setdefault(one.label, {})[one.product] = None
    if not named:
        return {}
    label, values = next(iter(named.items()))
    weight = max(100 - 30 * rank, 10)
    return {"weight": weight, "preference": {"matchExpressions": [_is_in(label, values)]}}


def _is_in(label: str, values: Iterable[str]) -> dict[str, Any]:
    return {"key": label, "operator": "In", "values": sorted(values)}


def _more_than(memory: int) -> dict[str, Any]:
    return {"key": GPU_MEMORY, "operator": "Gt", "values": [str(max(int(memory * TOLERANCE / MIB) - 1, 0))]}


def fitted(launch: port.Launch, there: Sequence[Offer]) -> port.Launch:
    """The launch with its accelerators as Kubernetes takes them: the resource among its limits, the rest as node affinity;
    and what was asked for as an annotation, for whoever explains why its Pod waits.
    """
    request, settings = launch.request, launch.settings
    if not request.accelerators:
        return launch
    chosen = select(read(request.accelerator_type), there)
    resources = {group: dict(amounts) for group, amounts in settings.resources.items()}
    limits = {name: text for name, text in resources.get("limits", {}).items() if name in ("cpu", "memory")}
    resources["limits"] = {**limits, chosen.resource: str(request.accelerators)}
    affinity = with_terms(settings.affinity, chosen)
    asked = {**settings.annotations, ANNOTATION: request.accelerator_type}
    return replace(launch, settings=replace(settings, resources=resources, affinity=affinity, annotations=asked))


def with_terms(affinity: Mapping[str, Any], chosen: Selection) -> dict[str, Any]:
    """Node affinity that asks for what was there and for one of the selection's terms: each with each, because terms are ORed."""
    made = dict(affinity)
    nodes = dict(made.get("nodeAffinity") or {})
    if chosen.terms:
        before = (nodes.get(AFFINITY) or {}).get("nodeSelectorTerms") or [{}]
        nodes[AFFINITY] = {"nodeSelectorTerms": [_both(one, term) for one in before for term in chosen.terms]}
    if chosen.preferred:
        nodes[PREFERENCE] = [*(nodes.get(PREFERENCE) or ()), *chosen.preferred]
    if nodes:
        made["nodeAffinity"] = nodes
    return made


def _both(one: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    both: dict[str, Any] = {}
    for key in ("matchExpressions", "matchFields"):
        joined = [*(one.get(key) or ()), *(other.get(key) or ())]
        if joined:
            both[key] = joined
    return both
