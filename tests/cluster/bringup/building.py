"""Builds the cluster's programs from Go modules into the cache, and installs Debian's packages; says what it does.

About eight minutes on two idle cores the first time, nothing later. Called by `up` before anything is started.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from pathlib import Path

from cluster.bringup.places import BIN, CACHE, COREDNS, ETCD, KUBERNETES, KWOK

KUBERNETES_PROGRAMS = (
    "kube-apiserver",
    "kube-controller-manager",
    "kube-scheduler",
    "kubelet",
    "kube-proxy",
    "kubectl",
)
# program → module, package below it, version
OTHERS = {
    "etcd": ("go.etcd.io/etcd/server/v3", "", ETCD),
    "coredns": ("github.com/coredns/coredns", "", COREDNS),
    "kwok": ("sigs.k8s.io/kwok", "/cmd/kwok", KWOK),
}
DEBIAN = {  # what is asked for → the package that has it
    "containerd": "containerd",
    "runc": "runc",
    "/usr/lib/cni/bridge": "containernetworking-plugins",
    "iptables": "iptables",
    "debootstrap": "debootstrap",
    "buildah": "buildah",
    "gcc": "gcc",
    "openssl": "openssl",
    "ip": "iproute2",
}


class BuildError(Exception):
    """Something that the cluster is made of is missing and cannot be made here; the text says what to do."""


def say(line: str) -> None:
    print(f"cluster: {line}", flush=True)


def build() -> None:
    """Every program in BIN, every Debian package installed."""
    _install_packages()
    BIN.mkdir(parents=True, exist_ok=True)
    missing = [name for name in (*KUBERNETES_PROGRAMS, *OTHERS) if not (BIN / name).exists()]
    if missing and shutil.which("go") is None:
        raise BuildError(
            f"Go is needed to build {', '.join(missing)}: install it, or set CLUSTER_CACHE to a filled cache."
        )
    for number, name in enumerate(missing, 1):
        started = time.monotonic()
        say(f"building {name} ({number} of {len(missing)}; all of them take about 8 minutes, once)")
        _build_kubernetes(name) if name in KUBERNETES_PROGRAMS else _build_other(name)
        say(f"built {name} in {time.monotonic() - started:.0f} s")


def _install_packages() -> None:
    wanted = sorted({package for program, package in DEBIAN.items() if not _present(program)})
    if not wanted:
        return
    if shutil.which("apt-get") is None:
        raise BuildError(f"The test cluster needs {', '.join(wanted)}; install them, there is no apt-get here.")
    say(f"installing {' '.join(wanted)}")
    subprocess.run(["apt-get", "update", "-qq"], check=True, stdout=subprocess.DEVNULL)
    quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    command = ["apt-get", "install", "-y", "-qq", "--no-install-recommends", *wanted]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=quiet)


def _present(program: str) -> bool:
    return Path(program).exists() if program.startswith("/") else shutil.which(program) is not None


def _build_kubernetes(name: str) -> None:
    """The module's own go.mod replaces its staging modules by folders that are not published: ours names versions."""
    folder = CACHE / "src/kubernetes"
    folder.mkdir(parents=True, exist_ok=True)
    module = folder / "go.mod"
    if not module.exists():
        module.write_text("module tools\n")
        go(folder, "mod", "download", f"k8s.io/kubernetes@v{KUBERNETES}")
        found = go(folder, "env", "GOMODCACHE").strip()
        upstream = Path(found, f"k8s.io/kubernetes@v{KUBERNETES}", "go.mod").read_text().splitlines()
        staged = [line.split()[0] for line in upstream if "=> ./staging" in line]
        lines = ["module tools", next(line for line in upstream if line.startswith("go "))]
        lines += [f"require k8s.io/kubernetes v{KUBERNETES}"]
        lines += [f"replace {one} => {one} v0{KUBERNETES[1:]}" for one in staged]
        module.write_text("\n".join(lines) + "\n")
    version = f"-X k8s.io/component-base/version.gitVersion=v{KUBERNETES}"
    _compile(folder, name, f"k8s.io/kubernetes/cmd/{name}", version)


def _build_other(name: str) -> None:
    module, package, version = OTHERS[name]
    folder = CACHE / "src" / name
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / "go.mod").exists():
        (folder / "go.mod").write_text("module tools\n")
    go(folder, "get", f"{module}@v{version}")
    _compile(folder, name, module + package, "")


def _compile(folder: Path, name: str, package: str, flags: str) -> None:
    made = BIN / f".{name}"
    go(folder, "build", "-trimpath", f"-ldflags=-s -w {flags}".strip(), "-o", str(made), package)
    made.rename(BIN / name)


def go(folder: Path, *arguments: str) -> str:
    """What Go's command prints, run in a module's folder."""
    environ = {**os.environ, "GOFLAGS": "-mod=mod", "CGO_ENABLED": "0"}
    ran = subprocess.run(["go", *arguments], cwd=folder, env=environ, capture_output=True, text=True, check=False)
    if ran.returncode:
        raise BuildError(f"go {' '.join(arguments)} failed:\n{ran.stderr[-2000:]}")
    return ran.stdout
