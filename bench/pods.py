"""One task's Pod on a real kubelet next to a bare Pod, and the hop from one task's Pod to the next one's, with its parts.

A task's Pod counts from the append that precedes its create call to the end of its run, which is after the commit of its
result; a bare Pod with the same image and command from its create call until a watch shows it Succeeded. Both in turn. Needs the
test cluster (`make cluster-up`, as root) and nothing else at work on it.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

from bench import flows
from bench.driving import BenchmarkError, Client, client
from bench.measuring import Row, p50, row
from builders.specs import container
from cluster.bringup import images
from cluster.bringup.kube import Kube, KubeError, Object
from cluster.bringup.places import GATEWAY
from cluster.installation import installed
from fixtures.fix_cluster import new_namespace
from fixtures.fix_s3 import Server
from headrace_protos.v1 import run_query_pb2 as rq

PAIRS = 12
CHAIN = 20
AIM = 0.4  # of a bare Pod's time
IMAGE = "alpine"
SCRIPT = "mkdir -p $(dirname $0) && echo done > $0"
PARTS = (
    ("published", "ended_us", "published_us"),
    ("scheduled", "created_at_us", "scheduled_us"),
    ("image", "scheduled_us", "image_ready_us"),
    ("staged", "image_ready_us", "staged_us"),
    ("entered", "staged_us", "started_us"),
)


def measure(folder: Path) -> Iterator[Row]:
    try:
        kube = Kube()
        kube.request("GET", "/readyz")
    except (OSError, KubeError) as error:
        raise BenchmarkError(f"the test cluster is not up ({error}): `make cluster-up` starts one") from None
    namespace = f"bench-{uuid.uuid4().hex[:8]}"
    new_namespace(kube, namespace)
    store = Server(folder / "store", GATEWAY)
    (folder / "store").mkdir(exist_ok=True)
    try:
        with (
            installed(kube, namespace, folder, store.start(), images.companion_by_content()) as made,
            client(made.platform) as one,
        ):
            yield from _pairs(kube, namespace, one)
            yield from _hops(one)
    finally:
        store.stop()
        kube.delete("Namespace", namespace)


def _pairs(kube: Kube, namespace: str, one: Client) -> Iterator[Row]:
    ours: list[float] = []
    bare: list[float] = []
    for number in range(PAIRS + 1):
        task = _alone(one)
        other = _bare(kube, namespace, number)
        if number:  # the first ones pull images
            ours.append(task)
            bare.append(other)
    note = f"{p50(ours) / p50(bare):.2f} × bare"
    yield row(
        "a task's Pod: create → result committed",
        "s",
        ours,
        p50(bare) * AIM,
        opponents={"bare Pod, create → Succeeded": p50(bare)},
        note=note,
        raw={"bare": bare},
    )


def _alone(one: Client) -> float:
    run = one.wait(one.submit(_chain(1)))
    (task,) = [task for task in one.tasks(run.run_id) if task.attempts]
    return (run.finished_at_us - task.attempts[0].created_at_us) / 1e6


def _bare(kube: Kube, namespace: str, number: int) -> float:
    name = f"bare-{number}"
    version = kube.request("GET", f"/api/v1/namespaces/{namespace}/pods?limit=1")["metadata"]["resourceVersion"]
    started = time.monotonic()
    kube.create(_pod(name, namespace))
    for event in kube.watch("Pod", namespace, version, 60, fieldSelector=f"metadata.name={name}"):
        if event["object"].get("status", {}).get("phase") == "Succeeded":
            return time.monotonic() - started
    raise BenchmarkError(f"the bare Pod {name} has not succeeded within 60 s")


def _pod(name: str, namespace: str) -> Object:
    main = {"name": "main", "image": IMAGE, "command": ["sh", "-c", SCRIPT, "/tmp/made/result"]}
    spec = {"restartPolicy": "Never", "automountServiceAccountToken": False, "containers": [main]}
    return {"kind": "Pod", "apiVersion": "v1", "metadata": {"name": name, "namespace": namespace}, "spec": spec}


def _hops(one: Client) -> Iterator[Row]:
    """From the end of user code to the start of the next task's; parts in the note."""
    run = one.wait(one.submit(_chain(CHAIN)), 120)
    attempts = [task.attempts[0] for task in sorted(one.tasks(run.run_id), key=lambda task: task.id) if task.attempts]
    hops = [(after.times.started_us - before.times.ended_us) / 1e3 for before, after in pairwise(attempts)]
    parts = {name: [_part(attempt, begin, end) for attempt in attempts[1:]] for name, begin, end in PARTS}
    parts["decided"] = [(after.created_at_us - before.times.published_us) / 1e3 for before, after in pairwise(attempts)]
    told = ", ".join(f"{name} {p50(values):.0f}" for name, values in parts.items())
    yield row(f"chain of {CHAIN} Pods: user code → next user code", "ms", hops, 700.0, note=told, raw=parts)


def _part(attempt: rq.Attempt, begin: str, end: str) -> float:
    def at(name: str) -> int:
        return int(getattr(attempt if name == "created_at_us" else attempt.times, name))

    return (at(end) - at(begin)) / 1e3


def _chain(length: int) -> str:
    place = "{{$.outputs.parameters['Output'].output_file}}"
    work = container(
        ["sh", "-c", SCRIPT], [place], image=IMAGE, inputs={"text": "STRING"}, outputs={"Output": "STRING"}
    )
    return flows.chain("bench-pods", length, work)
