"""Where everything of the cluster lies and listens: folders, addresses, ports, versions. Read by every module here."""

from __future__ import annotations

import os
from pathlib import Path

CACHE = Path(os.environ.get("CLUSTER_CACHE", Path.home() / ".cache/headrace-cluster"))
DIR = Path(os.environ.get("CLUSTER_DIR", "/tmp/headrace-cluster"))
BIN = CACHE / "bin"
REGISTRY = CACHE / "registry"
KUBECONFIG = DIR / "kubeconfig"

# One bridge carries the Pods of both nodes, and its own address is the host as Pods see it: the API server,
# DNS, the registry and a platform under test listen there and nowhere else.
BRIDGE, GATEWAY, POD_NETWORK = "cni0", "10.244.0.1", "10.244.0.0/16"
BRIDGE_ADDRESS = "02:68:72:00:00:01"  # locally administered
SERVICE_NETWORK, DOMAIN = "10.96.0.0/16", "cluster.local"
API_PORT, REGISTRY_PORT = 6443, 5000
API_SERVER = f"https://{GATEWAY}:{API_PORT}"
ISSUER = f"https://kubernetes.default.svc.{DOMAIN}"

KUBERNETES, ETCD, COREDNS, KWOK = "1.36.3", "3.7.3", "1.14.7", "0.8.0"
