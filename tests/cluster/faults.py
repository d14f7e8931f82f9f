"""What goes wrong on a cluster, as tests make it go wrong: kubelet and API server restarted, connections cut, Pods taken away,
containers killed, nodes lost. And the gate, at which tasks say that they have begun and wait to be let through.
"""

from __future__ import annotations

import collections
import contextlib
import json
import os
import signal
import socket
import threading
from collections.abc import Iterator, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from builders.specs import Component, container
from cluster.bringup import cgroups, control_plane, node
from cluster.bringup.kube import Kube, Object
from cluster.bringup.places import API_PORT, GATEWAY, KUBECONFIG
from cluster.bringup.processes import end, pid_of, stop


def restart_kubelet(name: str) -> None:
    """kill -9 and a new one; containers go on meanwhile."""
    pid = pid_of(f"kubelet-{name}")
    assert pid is not None
    end(pid, signal.SIGKILL)
    node.start_kubelet(name)
    node.await_ready(name, Kube())


def restart_api_server() -> None:
    stop("kube-apiserver", signal.SIGKILL)
    control_plane.start_api_server()


def evict(kube: Kube, pod: Object) -> None:
    """What a drain does with each Pod."""
    metadata = {"name": pod["metadata"]["name"], "namespace": pod["metadata"]["namespace"]}
    path = f"/api/v1/namespaces/{metadata['namespace']}/pods/{metadata['name']}/eviction"
    kube.request("POST", path, {"kind": "Eviction", "apiVersion": "policy/v1", "metadata": metadata})


def kill_container(pod: Object, name: str) -> None:
    """kill -9 of everything in one container, from outside."""
    inside = _processes(pod, name)
    assert inside, f"nothing runs in {name}"
    for pid in inside:
        os.kill(pid, signal.SIGKILL)


def _processes(pod: Object, name: str) -> list[int]:
    status = pod["status"]
    statuses = [*status.get("containerStatuses", []), *status.get("initContainerStatuses", [])]
    found = next(one["containerID"] for one in statuses if one["name"] == name).rpartition("/")[2]
    inside: list[int] = []
    for folder, _, _ in os.walk(cgroups.hierarchies()[0] / f"headrace-{pod['spec']['nodeName']}"):
        if found in folder:
            inside += [int(line) for line in Path(folder, "cgroup.procs").read_text().split()]
    return inside


def nothing_runs(pod: Object) -> bool:
    """Whether the node has ended every process of the Pod, whatever the API says of it: its companion publishes until then."""
    return not _processes(pod, "main") and not _processes(pod, "companion")


def user_code_ended(pod: Object) -> bool:
    """Whether the shim is the only process left in `main`: what it started has ended, publishing has not."""
    return len(_processes(pod, "main")) == 1


class Gate:
    """A small server on the bridge: a task says that it has begun, and asks until it may go on."""

    def __init__(self) -> None:
        self.begun: collections.Counter[str] = collections.Counter()
        self._open: set[str] = set()
        self._everyone = False
        gate = self

        class Answer(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                _, what, name = self.path.split("/", 2)
                if what == "begin":
                    gate.begun[name] += 1
                let = what == "begin" or gate._everyone or name in gate._open
                self.send_response(200 if let else 404)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Nothing is said."""

        self._server = ThreadingHTTPServer((GATEWAY, 0), Answer)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05})

    def __enter__(self) -> Gate:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def open(self, *names: str) -> None:
        """Lets these through, or everyone."""
        self._open.update(names)
        self._everyone = self._everyone or not names

    def task(
        self, before: str = "", after: str = "", arguments: Sequence[str] = (), image: str = "alpine", **more: object
    ) -> Component:
        """A task that waits at the gate; its input `name` is what it calls itself, and its output. ARGUMENTS are $2 and on."""
        url = f"http://{GATEWAY}:{self._server.server_address[1]}"
        script = f'{before} wget -qO /dev/null {url}/begin/"$1"; until wget -qO /dev/null {url}/pass/"$1" 2>/dev/null; '
        script += 'do sleep 0.2; done; printf %s "$1" > "$0"; '
        script += after
        output, name = "{{$.outputs.parameters['Output'].output_file}}", "{{$.inputs.parameters['name']}}"
        command = ["sh", "-c", script, output, name, *arguments]
        return container(command, image=image, inputs={"name": "STRING"}, outputs={"Output": "STRING"}, **more)  # type: ignore[arg-type]


class Wire:
    """A TCP way to the API server that can be cut: what a broken connection looks like from a scheduler's side."""

    def __init__(self) -> None:
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._open: list[socket.socket] = []
        self._pairs: list[threading.Thread] = []
        self._passing, self._ended = True, False
        self.accepted = 0
        self._thread = threading.Thread(target=self._accept)

    def __enter__(self) -> Wire:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended = True
        with socket.create_connection(self._listening.getsockname()):
            """Wakes the thread, which sees that it is over."""
        self._thread.join()
        self._listening.close()
        self.cut()
        for pair in self._pairs:
            pair.join()

    def kubeconfig(self, folder: Path) -> Path:
        """A kubeconfig that goes this way."""
        config = json.loads(KUBECONFIG.read_text())
        config["clusters"][0]["cluster"]["server"] = f"https://127.0.0.1:{self._listening.getsockname()[1]}"
        written = folder / "kubeconfig"
        written.write_text(json.dumps(config))
        return written

    def cut(self) -> None:
        """Breaks every connection there is; new ones are taken."""
        for one in self._open:
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
        self._open.clear()

    def _accept(self) -> None:
        while True:
            inside, _ = self._listening.accept()
            if self._ended:
                inside.close()
                return
            self.accepted += 1
            try:
                outside = socket.create_connection((GATEWAY, API_PORT))
            except OSError:
                inside.close()
                continue
            self._open += [inside, outside]
            pair = threading.Thread(target=_both_ways, args=(inside, outside))
            self._pairs.append(pair)
            pair.start()


def _both_ways(inside: socket.socket, outside: socket.socket) -> None:
    back = threading.Thread(target=_pass, args=(outside, inside))
    back.start()
    _pass(inside, outside)
    back.join()
    inside.close()
    outside.close()


def _pass(one: socket.socket, other: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := one.recv(65536):
            other.sendall(data)
    for each in (one, other):
        with contextlib.suppress(OSError):
            each.shutdown(socket.SHUT_RDWR)


@contextlib.contextmanager
def stopped(pid: int) -> Iterator[None]:
    """A program that neither works nor ends while the block runs."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)
