"""The command: up, down, status, prepare, images (of tests), companion (of this working tree), load NAME ARCHIVE (OCI)."""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

from cluster import lanes, platform_images
from cluster.bringup import control_plane, images, jaeger, network, node, packing, simulated, volumes
from cluster.bringup.building import BuildError, build, say
from cluster.bringup.hardware import NODES
from cluster.bringup.kube import Kube, KubeError
from cluster.bringup.places import DIR, GATEWAY, KUBECONFIG, REGISTRY_PORT
from cluster.bringup.processes import ClusterError, must, pid_of, spawn, stop


def up() -> None:
    if os.geteuid() != 0:
        raise ClusterError(
            "The test cluster needs root: it starts a kubelet and containerd. Run make cluster-up as root."
        )
    if is_up():
        say(f"already up; KUBECONFIG={KUBECONFIG}")
        return
    started = time.monotonic()
    if DIR.exists():
        down()  # what a machine that lost its processes left behind
    build()
    DIR.mkdir(parents=True)
    network.make_bridge()
    start_registry()
    images.basics()
    control_plane.start()
    say("API server ready")
    network.start_proxy()
    network.start_dns()
    kube = Kube()
    volumes.install(kube)
    spawn("volumes", python("cluster.bringup.volumes"))
    simulated.start()
    for name in NODES:
        node.start(name)
    for name in NODES:
        node.await_ready(name, kube)
        start_devices(name)
    network.await_proxy()
    await_devices(kube)
    say(f"up in {time.monotonic() - started:.0f} s; KUBECONFIG={KUBECONFIG}")


def down() -> None:
    """Pods first, then nodes, then the API server before its etcd; binaries and images in the cache stay."""
    for name in NODES:
        node.stop_node(name)
        for resource in NODES[name].devices:
            stop(devices_program(name, resource))
    for program in ("kwok", "volumes", *network.NAMES, *control_plane.NAMES, "registry"):
        stop(program)
    network.stop_proxy()
    network.remove_bridge()
    shutil.rmtree(DIR, ignore_errors=True)
    say("down")


def is_up() -> bool:
    return pid_of("kube-apiserver") is not None and control_plane.ready()


def start_registry() -> None:
    spawn("registry", python("cluster.bringup.registry"))

    def answers() -> bool:
        import socket

        try:
            socket.create_connection((GATEWAY, REGISTRY_PORT), 1).close()
        except OSError:
            return False
        return True

    must("connection", "registry", answers)


def devices_program(name: str, resource: str) -> str:
    return f"devices-{name}-{resource.replace('/', '-')}"


def start_devices(name: str) -> None:
    for resource, count in NODES[name].devices.items():
        folder = DIR / name / "device-plugins"
        spawn(devices_program(name, resource), python("cluster.bringup.devices", str(folder), resource, str(count)))


def await_devices(kube: Kube) -> None:
    for name, hardware in NODES.items():
        for resource, count in hardware.devices.items():

            def shown(name: str = name, resource: str = resource, count: int = count) -> bool:
                return kube.get("Node", name)["status"]["allocatable"].get(resource) == str(count)

            must(f"{count} x {resource} on {name}", devices_program(name, resource), shown)


def python(module: str, *arguments: str) -> list[str]:
    tests = Path(__file__).resolve().parents[2]
    return ["/usr/bin/env", f"PYTHONPATH={tests}", sys.executable, "-m", module, *arguments]


def status() -> None:
    if not is_up():
        raise ClusterError("The test cluster is down: make cluster-up brings it up.")
    for one in Kube().list("Node"):
        devices = {key: value for key, value in one["status"]["allocatable"].items() if "/" in key}
        say(f"{one['metadata']['name']} {devices}")
    say(f"KUBECONFIG={KUBECONFIG}")


def test(arguments: list[str]) -> int:
    """Runs the tests of this folder; what was down before is down after."""
    brought = not is_up()
    if brought:
        up()
    try:
        images.for_tests()
        if not arguments:
            return lanes.run({"HEADRACE_TEST_COMPANION": images.companion_by_content()})
        root = Path(__file__).resolve().parents[3]
        if not any((root / one.partition("::")[0]).is_file() for one in arguments):
            arguments = [*arguments, "tests/cluster"]
        return subprocess.run([sys.executable, "-m", "pytest", "-q", *arguments], cwd=root, check=False).returncode
    finally:
        if brought:
            down()


def prepare() -> None:
    """Makes what takes minutes the first time, and starts nothing: programs, Debian, the platform's images."""
    build()
    images.debian_folder()
    platform_images.make_all(platform_images.engine())
    jaeger.built()


def make_companion() -> None:
    say(f"{images.COMPANION} is {images.companion()}")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m cluster.bringup", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    for name in ("up", "down", "status", "prepare", "images", "companion"):
        commands.add_parser(name)
    load = commands.add_parser("load")
    load.add_argument("name")
    load.add_argument("archive", type=Path)
    commands.add_parser("test")  # what follows is pytest's
    asked = parser.parse_args(sys.argv[1:2] if sys.argv[1:2] == ["test"] else None)
    try:
        if asked.command == "test":
            return test(sys.argv[2:])
        if asked.command == "load":
            say(f"{asked.name} is {packing.import_archive(asked.archive, [asked.name])}")
        else:
            calls = {"up": up, "down": down, "status": status, "prepare": prepare}
            calls |= {"images": images.for_tests, "companion": make_companion}
            calls[asked.command]()
    except (BuildError, ClusterError, KubeError) as error:
        print(f"cluster: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
