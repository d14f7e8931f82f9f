"""The bridge, kube-proxy (iptables) and CoreDNS. The bridge comes first: the API server listens on it."""

from __future__ import annotations

import json
from pathlib import Path

from cluster.bringup.places import BIN, BRIDGE, BRIDGE_ADDRESS, DIR, DOMAIN, GATEWAY, KUBECONFIG, POD_NETWORK
from cluster.bringup.processes import must, run, spawn

NAMES = ("kube-proxy", "coredns")


def make_bridge() -> None:
    if not Path(f"/sys/class/net/{BRIDGE}").exists():
        # An address of its own: a bridge without one has the lowest of its ports', so that it changes as Pods come and go, and
        # what others then send to the address they know is lost until they ask again.
        run("ip", "link", "add", BRIDGE, "address", BRIDGE_ADDRESS, "type", "bridge")
        run("ip", "address", "add", f"{GATEWAY}/{POD_NETWORK.rpartition('/')[2]}", "dev", BRIDGE)
    run("ip", "link", "set", BRIDGE, "up")
    Path("/proc/sys/net/ipv4/ip_forward").write_text("1")
    # Answers of a Pod on the same bridge must pass iptables too, or a Service between two Pods does not work.
    bridged = Path("/proc/sys/net/bridge/bridge-nf-call-iptables")
    if bridged.exists():
        bridged.write_text("1")


def remove_bridge() -> None:
    if Path(f"/sys/class/net/{BRIDGE}").exists():
        run("ip", "link", "delete", BRIDGE)


def start_proxy() -> None:
    """One for both nodes: they share the machine's network. Node ports are open on the bridge alone."""
    config = {
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "mode": "iptables",
        "clientConnection": {"kubeconfig": str(KUBECONFIG)},
        "clusterCIDR": POD_NETWORK,
        "bindAddress": GATEWAY,
        "healthzBindAddress": "127.0.0.1:10256",
        "metricsBindAddress": "127.0.0.1:10249",
        "nodePortAddresses": [f"{GATEWAY}/32"],
        "hostnameOverride": "node-1",
        # What could not be written is tried again after this: until then a new service's address swallows connections.
        "iptables": {"minSyncPeriod": "200ms", "syncPeriod": "3s"},
        "conntrack": {"maxPerCore": 0, "min": 0, "tcpEstablishedTimeout": "0s", "tcpCloseWaitTimeout": "0s"},
    }
    (DIR / "kube-proxy.json").write_text(json.dumps(config))
    spawn("kube-proxy", [f"{BIN}/kube-proxy", f"--config={DIR}/kube-proxy.json"])


def await_proxy() -> None:
    """Its rules are written. It begins when its node is there."""
    must("rules in iptables", "kube-proxy", lambda: _answers("http://127.0.0.1:10256/healthz"))


def stop_proxy() -> None:
    """What it wrote into iptables goes with it."""
    if (BIN / "kube-proxy").exists() and (DIR / "kube-proxy.json").exists():
        run(str(BIN / "kube-proxy"), f"--config={DIR}/kube-proxy.json", "--cleanup")


def start_dns() -> None:
    """Names of the cluster; any other name does not exist (no answer at all would make programs wait)."""
    (DIR / "Corefile").write_text(
        f"""{DOMAIN}:53 in-addr.arpa:53 ip6.arpa:53 {{
    bind {GATEWAY}
    errors
    ready 127.0.0.1:8181
    kubernetes {DOMAIN} in-addr.arpa ip6.arpa {{
        kubeconfig {KUBECONFIG}
        pods insecure
        ttl 5
    }}
}}
.:53 {{
    bind {GATEWAY}
    errors
    template ANY ANY {{
        rcode NXDOMAIN
    }}
}}
"""
    )
    spawn("coredns", [f"{BIN}/coredns", "-conf", f"{DIR}/Corefile"])
    must("readiness", "coredns", lambda: _answers("http://127.0.0.1:8181/ready"))


def _answers(url: str) -> bool:
    from urllib.error import URLError
    from urllib.request import urlopen

    try:
        with urlopen(url, timeout=2) as answer:
            return bool(answer.status == 200)
    except (URLError, OSError):
        return False
