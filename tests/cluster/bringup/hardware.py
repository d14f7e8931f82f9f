"""What the two nodes pretend to have: devices announced to the kubelet, and the labels that feature discovery sets.

The products differ between the nodes, so that a placement by product can be wrong. Label names and values are those of
NVIDIA's GPU feature discovery (strategy `mixed`) and of AMD's node labeller.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Hardware:
    """Resource → how many devices, and the node's labels."""

    devices: dict[str, int]
    labels: dict[str, str]


NODES: dict[str, Hardware] = {
    "node-1": Hardware(
        {"nvidia.com/gpu": 4, "nvidia.com/mig-1g.10gb": 2},
        {
            "nvidia.com/gpu.present": "true",
            "nvidia.com/gpu.product": "NVIDIA-H100-80GB-HBM3",
            "nvidia.com/gpu.family": "hopper",
            "nvidia.com/gpu.memory": "81559",
            "nvidia.com/gpu.count": "4",
            "nvidia.com/gpu.replicas": "1",
            "nvidia.com/gpu.compute.major": "9",
            "nvidia.com/gpu.compute.minor": "0",
            "nvidia.com/mig.capable": "true",
            "nvidia.com/mig.strategy": "mixed",
            "nvidia.com/mig-1g.10gb.product": "NVIDIA-H100-80GB-HBM3-MIG-1g.10gb",
            "nvidia.com/mig-1g.10gb.count": "2",
            "nvidia.com/mig-1g.10gb.memory": "9984",
            "nvidia.com/cuda.driver.major": "550",
            "topology.kubernetes.io/zone": "zone-a",
        },
    ),
    "node-2": Hardware(
        {"nvidia.com/gpu": 2, "amd.com/gpu": 2},
        {
            "nvidia.com/gpu.present": "true",
            "nvidia.com/gpu.product": "NVIDIA-A100-SXM4-40GB",
            "nvidia.com/gpu.family": "ampere",
            "nvidia.com/gpu.memory": "40960",
            "nvidia.com/gpu.count": "2",
            "nvidia.com/gpu.replicas": "1",
            "nvidia.com/gpu.compute.major": "8",
            "nvidia.com/gpu.compute.minor": "0",
            "nvidia.com/mig.capable": "true",
            "nvidia.com/mig.strategy": "mixed",
            "amd.com/gpu.product-name": "AMD_Instinct_MI300X_OAM",
            "amd.com/gpu.family": "AI",
            "amd.com/gpu.vram": "192G",
            "amd.com/gpu.cu-count": "304",
            "amd.com/gpu.device-id": "74a1",
            "topology.kubernetes.io/zone": "zone-b",
        },
    ),
}
