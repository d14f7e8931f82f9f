"""A node: containerd and a kubelet in a mount namespace of their own, so that several fit on one machine.

The folder where device plugins meet the kubelet is fixed (/var/lib/kubelet/device-plugins): in each node's namespace
another folder is mounted there. What a node mounts goes with its last process; the host sees none of it.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from cluster.bringup import cgroups
from cluster.bringup.hardware import NODES
from cluster.bringup.kube import Kube
from cluster.bringup.places import BIN, BRIDGE, DIR, DOMAIN, GATEWAY, KUBECONFIG, POD_NETWORK, REGISTRY_PORT
from cluster.bringup.processes import must, pid_of, run, spawn, stop

PLUGINS = Path("/var/lib/kubelet/device-plugins")
PAUSE = "registry.k8s.io/pause:3.10"


def start(name: str) -> None:
    folder = DIR / name
    for part in ("device-plugins", "cni", "certs.d/_default", "kubelet"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    PLUGINS.mkdir(parents=True, exist_ok=True)
    _write_settings(name, folder)
    for group in (_pods_group(name), _system_group(name)):
        cgroups.make(group)
    start_containerd(name)
    start_kubelet(name)


def start_containerd(name: str) -> None:
    folder = DIR / name
    script = f"mount --make-rshared / && mount --bind {folder}/device-plugins {PLUGINS}"
    script += f" && exec containerd -c {folder}/containerd.toml"
    argv = ["unshare", "--mount", "--propagation", "private", "sh", "-c", script]
    spawn(f"containerd-{name}", cgroups.inside(_system_group(name), *argv))
    must("socket", f"containerd-{name}", (folder / "containerd.sock").exists)


def start_kubelet(name: str) -> None:
    folder = DIR / name
    labels = ",".join(f"{key}={value}" for key, value in NODES[name].labels.items())
    argv = ["nsenter", f"--mount=/proc/{pid_of(f'containerd-{name}')}/ns/mnt", "--", f"{BIN}/kubelet"]
    argv += [f"--config={folder}/kubelet.json", f"--kubeconfig={KUBECONFIG}", f"--root-dir={folder}/kubelet"]
    argv += [f"--hostname-override={name}", f"--node-ip={GATEWAY}", f"--node-labels={labels}"]
    spawn(f"kubelet-{name}", cgroups.inside(_system_group(name), *argv))


def await_ready(name: str, kube: Kube) -> None:
    def ready() -> bool:
        node = kube.find("Node", name)
        conditions = (node or {}).get("status", {}).get("conditions", [])
        return any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)

    must("Ready node", f"kubelet-{name}", ready)


def stop_node(name: str) -> None:
    for program in (f"kubelet-{name}", f"containerd-{name}"):
        stop(program)
    for group in (_pods_group(name), _system_group(name)):
        cgroups.remove(group)


def socket(name: str) -> Path:
    return DIR / name / "containerd.sock"


def _pods_group(name: str) -> str:
    return f"headrace-{name}"


def _system_group(name: str) -> str:
    return f"headrace-{name}-system"


def _write_settings(name: str, folder: Path) -> None:
    (folder / "containerd.toml").write_text(
        f"""version = 2
root = "{folder}/containerd/root"
state = "{folder}/containerd/state"
oom_score = -999
[grpc]
  address = "{folder}/containerd.sock"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{PAUSE}"
  restrict_oom_score_adj = true
  [plugins."io.containerd.grpc.v1.cri".registry]
    config_path = "{folder}/certs.d"
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "{folder}/cni"
"""
    )
    # Every image comes from our registry, whatever its name says: there is no way out of this machine.
    registry = f"http://{GATEWAY}:{REGISTRY_PORT}"
    hosts = f'server = "{registry}"\n[host."{registry}"]\n  capabilities = ["pull", "resolve"]\n'
    (folder / "certs.d/_default/hosts.toml").write_text(hosts)
    (folder / "cni/10-bridge.conflist").write_text(json.dumps(_cni(name, folder)))
    (folder / "kubelet.json").write_text(json.dumps(_kubelet(name, folder)))


def _cni(name: str, folder: Path) -> dict[str, object]:
    """One bridge for both nodes, a range of addresses for each."""
    number = list(NODES).index(name) + 1
    addresses = {
        "subnet": POD_NETWORK,
        "rangeStart": f"10.244.{number}.1",
        "rangeEnd": f"10.244.{number}.254",
        "gateway": GATEWAY,
    }
    ipam = {
        "type": "host-local",
        "dataDir": f"{folder}/addresses",
        "ranges": [[addresses]],
        "routes": [{"dst": "0.0.0.0/0"}],
    }
    bridge = {"type": "bridge", "bridge": BRIDGE, "isGateway": True, "hairpinMode": True, "ipam": ipam}
    return {
        "cniVersion": "1.0.0",
        "name": "pods",
        "plugins": [bridge, {"type": "portmap", "capabilities": {"portMappings": True}}],
    }


def _kubelet(name: str, folder: Path) -> dict[str, object]:
    number = list(NODES).index(name)
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "authentication": {"anonymous": {"enabled": True}, "webhook": {"enabled": False}},
        "authorization": {"mode": "AlwaysAllow"},
        "address": GATEWAY,
        "port": 10250 + 10 * number,
        "healthzBindAddress": "127.0.0.1",
        "healthzPort": 10248 - 10 * number,
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": f"/{_pods_group(name)}",
        "failCgroupV1": False,
        "failSwapOn": False,
        "enforceNodeAllocatable": [],
        "containerRuntimeEndpoint": f"unix://{folder}/containerd.sock",
        "clusterDNS": [GATEWAY],
        "clusterDomain": DOMAIN,
        "maxPods": 250,
        "registryPullQPS": 50,
        "registryBurst": 100,
        "serializeImagePulls": False,
        "maxParallelImagePulls": 4,
        "imageGCHighThresholdPercent": 100,
        "evictionHard": {"nodefs.available": "1%", "imagefs.available": "1%", "memory.available": "100Mi"},
        "podLogsDir": f"{folder}/logs",
        "syncFrequency": "10s",
        "volumeStatsAggPeriod": "10s",  # what empty folders hold is measured so often; usually once a minute
    }


def forget(name: str) -> None:
    """Removes what a stopped node left on the disk."""
    shutil.rmtree(DIR / name, ignore_errors=True)


def in_node(name: str, *argv: str) -> str:
    """Runs a program in the node's mount namespace; its output."""
    return run("nsenter", f"--mount=/proc/{pid_of(f'containerd-{name}')}/ns/mnt", "--", *argv)
