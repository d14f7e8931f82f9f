"""Nodes as Kubernetes' API gives them, with accelerators as vendors' device plugins and feature discoveries tell of them."""

from __future__ import annotations

from typing import Any

NVIDIA = "nvidia.com/gpu"


def node(name: str, labels: dict[str, str] | None = None, ready: bool = True, **spec: Any) -> dict[str, Any]:
    """A node; `resources` in SPEC is what it can give out besides 8 cores and 32 GiB."""
    resources = spec.pop("resources", {})
    return {
        "metadata": {"name": name, "uid": f"uid of {name}", "labels": labels or {}},
        "spec": spec,
        "status": {
            "allocatable": {"cpu": "8", "memory": "32Gi", "pods": "110", **resources},
            "conditions": [{"type": "Ready", "status": "True" if ready else "Unknown"}],
        },
    }


def gpus(
    name: str, product: str, count: int, memory: int = 0, mig: dict[str, int] | None = None, **more: Any
) -> dict[str, Any]:
    """A node with NVIDIA's GPUs and feature discovery; MIG: slices by profile, as strategy `mixed` has them."""
    labels = {"nvidia.com/gpu.product": product, "nvidia.com/gpu.count": str(count)}
    resources = {NVIDIA: str(count)}
    if memory:
        labels["nvidia.com/gpu.memory"] = str(memory)
    for profile, slices in (mig or {}).items():
        labels["nvidia.com/mig.strategy"] = "mixed"
        resources[f"nvidia.com/mig-{profile}"] = str(slices)
        labels[f"nvidia.com/mig-{profile}.product"] = f"{product}-MIG-{profile}"
    return node(name, labels, resources=resources, **more)


H100 = gpus("h100", "NVIDIA-H100-80GB-HBM3", 4, 81559, {"1g.10gb": 2})
A100_40 = gpus("a100-40", "NVIDIA-A100-SXM4-40GB", 2, 40960)
A100_80 = gpus("a100-80", "NVIDIA-A100-SXM4-80GB", 8, 81920)
T4 = gpus("t4", "Tesla-T4", 1, 15360)
MI300 = node(
    "mi300",
    {"amd.com/gpu.product-name": "AMD_Instinct_MI300X_OAM", "amd.com/gpu.vram": "192G"},
    resources={"amd.com/gpu": "8"},
)
GKE_T4 = node("gke-t4", {"cloud.google.com/gke-accelerator": "nvidia-tesla-t4"}, resources={NVIDIA: "1"})
GKE_H100 = node("gke-h100", {"cloud.google.com/gke-accelerator": "nvidia-h100-80gb"}, resources={NVIDIA: "8"})
TPU = node("tpu", {"cloud.google.com/gke-tpu-accelerator": "tpu-v5-lite-podslice"}, resources={"google.com/tpu": "4"})
GAUDI = node("gaudi", {}, resources={"habana.ai/gaudi": "8"})
EKS = node("eks", {"karpenter.k8s.aws/instance-gpu-name": "a10g"}, resources={NVIDIA: "4"})
AKS = node("aks", {"kubernetes.azure.com/accelerator": "nvidia"}, resources={NVIDIA: "2"})
SINGLE = gpus("single", "NVIDIA-A100-SXM4-40GB-MIG-1g.5gb", 14, 4864)  # MIG strategy `single`
CPU = node("cpu")
EVERYTHING = (H100, A100_40, A100_80, T4, MI300, GKE_H100, TPU, GAUDI, EKS, SINGLE, CPU)


def task_pod(
    uid: str, node_name: str, resource: str, count: int, phase: str = "Running", asked: str = ""
) -> dict[str, Any]:
    """A Pod of ours with accelerators."""
    limits = {resource: str(count)}
    return {
        "metadata": {"name": uid, "uid": uid, "annotations": {"headrace.io/accelerator": asked} if asked else {}},
        "spec": {"nodeName": node_name, "containers": [{"name": "main", "resources": {"limits": limits}}]},
        "status": {"phase": phase},
    }
