"""Installs an overlay of deploy/kustomize as a user does, with images of this working tree; used by test_quickstart.py."""

from __future__ import annotations

import fcntl
import os
import socket
import subprocess
from base64 import b64decode
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest
from minio import Minio
from prometheus_client.parser import text_string_to_metric_families

import headrace
from cluster.bringup.kube import Kube
from cluster.bringup.places import BIN, DIR, GATEWAY, KUBECONFIG, REGISTRY_PORT
from cluster.bringup.processes import wait
from cluster.platform_images import engine, make_all, push
from fixtures.platforms import HEADRACE

ROOT = Path(__file__).resolve().parents[2]
KUSTOMIZE = ROOT / "deploy/kustomize"
NAMESPACE = "headrace"
SERVICES = ("apiserver", "scheduler", "persistence", "cache")
WORKLOADS = (
    *(f"deployment/headrace-{name}" for name in SERVICES),
    *(f"statefulset/headrace-{name}" for name in ("postgres", "seaweedfs")),
)


def kubectl(*arguments: str, check: bool = True) -> str:
    """What kubectl prints; without CHECK also where it fails."""
    command = [str(BIN / "kubectl"), f"--kubeconfig={KUBECONFIG}", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0 or not check, f"kubectl {' '.join(arguments)}\n{done.stdout}{done.stderr}"
    return done.stdout if check else done.stdout + done.stderr


def overlay(folder: Path, *resources: str, components: tuple[str, ...] = (), namespace: str = "") -> Path:
    """A kustomization in FOLDER over parts of deploy/kustomize."""
    folder.mkdir(parents=True, exist_ok=True)
    place = os.path.relpath(KUSTOMIZE, folder.resolve())
    lines = ["apiVersion: kustomize.config.k8s.io/v1beta1", "kind: Kustomization", "resources:"]
    lines += [f"  - {place}/{one}" for one in resources]
    lines += ["components:", *(f"  - {place}/components/{one}" for one in components)] if components else []
    lines += [f"transformers: [{place}/transformers/companion-image]"]
    lines += [f"namespace: {namespace}"] if namespace else []
    (folder / "kustomization.yaml").write_text("\n".join(lines) + "\n")
    return folder


def set_images(folder: Path, images: Mapping[str, str]) -> None:
    """What `kustomize edit set image` writes."""
    rows = [
        f"  - {{name: {name}, newName: {made.rpartition(':')[0]}, newTag: '{made.rpartition(':')[2]}'}}"
        for name, made in images.items()
    ]
    with (folder / "kustomization.yaml").open("a") as file:
        file.write("\n".join(["images:", *rows]) + "\n")


def local_images() -> dict[str, str]:
    """Built from this working tree where they are not there yet, and pushed to the cluster's registry."""
    with_engine = engine()
    images = make_all(with_engine)
    for image in images.values():
        push(with_engine, image, f"{GATEWAY}:{REGISTRY_PORT}")
    return images


def set_settings(folder: Path, replicas: int, **settings: str) -> None:
    """So many of each service, and settings as an overlay of a user's has them; a kustomization takes this once."""
    literals = ", ".join(f'"{name}={value}"' for name, value in settings.items())
    rows = ["configMapGenerator:", f"  - {{name: headrace-settings, behavior: merge, literals: [{literals}]}}"]
    rows += ["replicas:", *(f"  - {{name: headrace-{name}, count: {replicas}}}" for name in SERVICES)]
    with (folder / "kustomization.yaml").open("a") as file:
        file.write("\n".join(rows) + "\n")


@contextmanager
def alone() -> Iterator[None]:
    """The overlay's namespace is one for the whole cluster: test runs take turns."""
    with (DIR / f"{NAMESPACE}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def ready(seconds: int = 300) -> None:
    """Waits until every workload is as it was applied last; where one is not, says what the namespace looks like."""
    for workload in WORKLOADS:
        try:
            kubectl("-n", NAMESPACE, "rollout", "status", workload, f"--timeout={seconds}s")
        except AssertionError as late:
            raise AssertionError(f"{late}\n{explained(workload)}") from late


def explained(workload: str) -> str:
    """The Pods of the namespace, what happened to them last, and the end of the workload's log."""
    asked = (
        ("get", "pods,pvc", "-o", "wide"),
        ("events", "--types=Warning"),
        ("logs", workload, "--all-pods", "--tail=20", "--ignore-errors"),
    )
    return "\n".join(kubectl("-n", NAMESPACE, *one, check=False)[-4000:] for one in asked)


@contextmanager
def forwarded(service: str, *ports: int) -> Iterator[list[int]]:
    """The ports of this machine that `kubectl port-forward` leads to those of one Pod of SERVICE; they end with that Pod."""
    held = [socket.create_server(("127.0.0.1", 0)) for _ in ports]
    local = [one.getsockname()[1] for one in held]
    for one in held:
        one.close()
    command = [str(BIN / "kubectl"), f"--kubeconfig={KUBECONFIG}", "-n", NAMESPACE, "port-forward"]
    pairs = [f"{here}:{there}" for here, there in zip(local, ports, strict=True)]
    with subprocess.Popen([*command, f"service/headrace-{service}", *pairs], stdout=subprocess.DEVNULL) as forward:
        try:
            assert wait(lambda: all(_connects(port) for port in local), 30)
            yield local
        finally:
            forward.kill()


@contextmanager
def connected() -> Iterator[headrace.Client]:
    """A client of the public API, as a user has one: through one Pod of the apiserver, without a token."""
    with forwarded("apiserver", 8888, 8887) as (http, grpc), pytest.MonkeyPatch.context() as environ:
        environ.setenv("HEADRACE_ENDPOINT", f"http://127.0.0.1:{http}")
        environ.setenv("HEADRACE_GRPC_ENDPOINT", f"127.0.0.1:{grpc}")
        with headrace.Client(f"http://127.0.0.1:{http}") as client:
            yield client


def command(*arguments: str) -> str:
    """What the `headrace` command prints while a client is connected."""
    done = subprocess.run([str(HEADRACE), *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"headrace {' '.join(arguments)}\n{done.stdout}{done.stderr}"
    return done.stdout


def metrics(kube: Kube, service: str) -> dict[tuple[str, ...], float]:
    """What the Pods of a service tell Prometheus now, together: by the sample's name and its labels' values, in the order of
    their names."""
    found: dict[tuple[str, ...], float] = {}
    selector = f"app.kubernetes.io/name=headrace-{service}"
    for pod in kube.list("Pod", NAMESPACE, labelSelector=selector):
        told = pod["metadata"]["annotations"]
        assert told["prometheus.io/scrape"] == "true"
        place = f"{pod['metadata']['name']}:{told['prometheus.io/port']}/proxy{told['prometheus.io/path']}"
        text = kube.request("GET", f"/api/v1/namespaces/{NAMESPACE}/pods/{place}")
        for sample in (one for family in text_string_to_metric_families(text) for one in family.samples):
            key = (sample.name, *(value for _, value in sorted(sample.labels.items())))
            found[key] = found.get(key, 0.0) + sample.value
    return found


@contextmanager
def store(kube: Kube) -> Iterator[Minio]:
    """A client of the installation's SeaweedFS, with the keys that were made for it."""
    secret = kube.get("Secret", "headrace-store", NAMESPACE)["data"]
    keys = [b64decode(secret[name]).decode() for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")]
    with forwarded("seaweedfs", 8333) as (port,):
        yield Minio(f"127.0.0.1:{port}", *keys, secure=False, region="us-east-1")


def _connects(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True
