"""Installs an overlay of deploy/kustomize as a user does, with images of this working tree; used by test_quickstart.py."""

from __future__ import annotations

import os
import socket
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from cluster.bringup.places import BIN, GATEWAY, KUBECONFIG, REGISTRY_PORT
from cluster.bringup.processes import wait
from cluster.platform_images import engine, make_all, push

ROOT = Path(__file__).resolve().parents[2]
KUSTOMIZE = ROOT / "deploy/kustomize"
NAMESPACE = "headrace"
WORKLOADS = (
    *(f"deployment/headrace-{name}" for name in ("apiserver", "scheduler", "persistence", "cache")),
    *(f"statefulset/headrace-{name}" for name in ("postgres", "seaweedfs")),
)


def kubectl(*arguments: str) -> str:
    """What kubectl prints; its error where it fails."""
    command = [str(BIN / "kubectl"), f"--kubeconfig={KUBECONFIG}", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"kubectl {' '.join(arguments)}\n{done.stdout}{done.stderr}"
    return done.stdout


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


def ready(seconds: int = 300) -> None:
    for workload in WORKLOADS:
        kubectl("-n", NAMESPACE, "rollout", "status", workload, f"--timeout={seconds}s")


@contextmanager
def forwarded() -> Iterator[dict[str, str]]:
    """The public API by `kubectl port-forward`, as settings of a client; it ends with the apiserver's Pod."""
    held = [socket.create_server(("127.0.0.1", 0)) for _ in range(2)]
    http, grpc = (one.getsockname()[1] for one in held)
    for one in held:
        one.close()
    command = [str(BIN / "kubectl"), f"--kubeconfig={KUBECONFIG}", "-n", NAMESPACE, "port-forward"]
    ports = [f"{http}:8888", f"{grpc}:8887"]
    with subprocess.Popen([*command, "service/headrace-apiserver", *ports], stdout=subprocess.DEVNULL) as forward:
        try:
            assert wait(lambda: _connects(http) and _connects(grpc), 30)
            yield {"HEADRACE_ENDPOINT": f"http://127.0.0.1:{http}", "HEADRACE_GRPC_ENDPOINT": f"127.0.0.1:{grpc}"}
        finally:
            forward.kill()


def _connects(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True
