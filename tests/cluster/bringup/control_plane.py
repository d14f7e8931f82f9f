"""Keys, etcd, the API server, the controller manager and the scheduler: what a cluster is without nodes."""

from __future__ import annotations

import json
import secrets

from cluster.bringup.kube import Kube, KubeError
from cluster.bringup.places import API_PORT, API_SERVER, BIN, DIR, GATEWAY, ISSUER, KUBECONFIG, SERVICE_NETWORK
from cluster.bringup.processes import must, run, spawn

PKI = DIR / "pki"
SERVICE_IP = "10.96.0.1"


def make_keys() -> None:
    """An authority, the API server's certificate, the key of service account tokens, and the administrator's token."""
    PKI.mkdir(parents=True, exist_ok=True)
    token = secrets.token_hex(16)
    (DIR / "token").write_text(token)
    (DIR / "token").chmod(0o600)
    (DIR / "tokens.csv").write_text(f'{token},admin,1,"system:masters"\n')
    (DIR / "tokens.csv").chmod(0o600)
    ca, server = str(PKI / "ca"), str(PKI / "server")
    key = ("openssl", "req", "-newkey", "rsa:2048", "-nodes")
    run(*key, "-x509", "-days", "365", "-subj", "/CN=headrace-test", "-keyout", f"{ca}.key", "-out", f"{ca}.crt")
    run(*key, "-subj", "/CN=kube-apiserver", "-keyout", f"{server}.key", "-out", f"{server}.csr")
    names = ["kubernetes", "kubernetes.default", "kubernetes.default.svc", ISSUER.removeprefix("https://"), "localhost"]
    subjects = [f"DNS:{name}" for name in names] + [f"IP:{ip}" for ip in (GATEWAY, SERVICE_IP, "127.0.0.1")]
    (PKI / "names").write_text(f"subjectAltName={','.join(subjects)}\n")
    signing = ("-CA", f"{ca}.crt", "-CAkey", f"{ca}.key", "-CAcreateserial", "-days", "365", "-extfile", f"{PKI}/names")
    run("openssl", "x509", "-req", "-in", f"{server}.csr", "-out", f"{server}.crt", *signing)
    run("openssl", "genrsa", "-out", f"{PKI}/sa.key", "2048")
    run("openssl", "rsa", "-in", f"{PKI}/sa.key", "-pubout", "-out", f"{PKI}/sa.pub")
    write_kubeconfig(token)


def write_kubeconfig(token: str) -> None:
    cluster = {"server": API_SERVER, "certificate-authority": f"{PKI}/ca.crt"}
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "headrace-test",
        "clusters": [{"name": "headrace-test", "cluster": cluster}],
        "users": [{"name": "admin", "user": {"token": token}}],
        "contexts": [{"name": "headrace-test", "context": {"cluster": "headrace-test", "user": "admin"}}],
    }
    KUBECONFIG.write_text(json.dumps(config, indent=1))
    KUBECONFIG.chmod(0o600)


def start_etcd() -> None:
    client, peer = "http://127.0.0.1:2379", "http://127.0.0.1:2380"
    spawn(
        "etcd",
        [
            f"{BIN}/etcd",
            f"--data-dir={DIR}/etcd",
            "--unsafe-no-fsync",
            f"--listen-client-urls={client}",
            f"--advertise-client-urls={client}",
            f"--listen-peer-urls={peer}",
            "--log-level=warn",
        ],
    )


def start_api_server() -> None:
    """On the bridge alone: processes on this machine and Pods reach the same address with the same certificate."""
    spawn(
        "kube-apiserver",
        [
            f"{BIN}/kube-apiserver",
            "--etcd-servers=http://127.0.0.1:2379",
            f"--bind-address={GATEWAY}",
            f"--advertise-address={GATEWAY}",
            f"--secure-port={API_PORT}",
            "--allow-privileged=true",
            f"--tls-cert-file={PKI}/server.crt",
            f"--tls-private-key-file={PKI}/server.key",
            f"--service-account-key-file={PKI}/sa.pub",
            f"--service-account-signing-key-file={PKI}/sa.key",
            f"--service-account-issuer={ISSUER}",
            f"--service-account-jwks-uri={API_SERVER}/openid/v1/jwks",
            f"--token-auth-file={DIR}/tokens.csv",
            "--authorization-mode=Node,RBAC",
            f"--service-cluster-ip-range={SERVICE_NETWORK}",
            "--service-node-port-range=30000-32767",
            "--kubelet-preferred-address-types=InternalIP",
            f"--cert-dir={PKI}",
            "--max-requests-inflight=1000",
            "--max-mutating-requests-inflight=500",
        ],
    )
    must("answer of /readyz", "kube-apiserver", ready)


def ready() -> bool:
    try:
        return Kube().request("GET", "/readyz") == "ok"
    except (OSError, KubeError):
        return False


def start_controllers() -> None:
    common = [f"--kubeconfig={KUBECONFIG}", "--leader-elect=false", "--bind-address=127.0.0.1"]
    spawn(
        "kube-controller-manager",
        [
            f"{BIN}/kube-controller-manager",
            *common,
            f"--service-account-private-key-file={PKI}/sa.key",
            f"--root-ca-file={PKI}/ca.crt",
            "--kube-api-qps=500",
            "--kube-api-burst=1000",
        ],
    )
    # The scheduler's own limit is 50 bindings a second, which would be what a benchmark measures.
    spawn("kube-scheduler", [f"{BIN}/kube-scheduler", *common, "--kube-api-qps=2000", "--kube-api-burst=2000"])


def start() -> None:
    make_keys()
    start_etcd()
    start_api_server()
    start_controllers()


NAMES = ("kube-scheduler", "kube-controller-manager", "kube-apiserver", "etcd")  # in the order of stopping
