"""One task's Pod on a real kubelet next to a bare Pod, and the hop from one task's Pod to the next one's, with its parts.

A task's Pod counts from the append that precedes its create call to the end of its run, which is after the commit of its
result; a bare Pod with the same image and command, as Kubernetes makes it by default (with its service account's token), from its
create call until a watch shows it Succeeded. Beside them one that mounts nothing and, until its command's first statement, a Pod
of our shape in which nobody does anything: what the kubelet itself takes. All in turn. Needs the test cluster
(`make cluster-up`, as root) and nothing else at work on it.
"""

from __future__ import annotations

import json
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
from cluster.installation import Installation, installed
from fixtures.fix_cluster import new_namespace
from fixtures.fix_s3 import Server
from headrace_protos.v1 import run_query_pb2 as rq

PAIRS = 12
CHAIN = 20
AIM = 0.4  # of a bare Pod's time
IMAGE = "alpine"
UPTIME = "cat /proc/uptime > /dev/termination-log"  # of the machine, in hundredths of a second
SCRIPT = "mkdir -p $(dirname $0) && echo done > $0"
TOLD = ("ours", "entered", "bare", "bare entered", "mounts nothing", "mounts nothing, entered", "empty entered")
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
            yield from _pairs(made, one)
            yield from _hops(one)
    finally:
        store.stop()
        kube.delete("Namespace", namespace)


def _pairs(made: Installation, one: Client) -> Iterator[Row]:
    told: dict[str, list[float]] = {name: [] for name in TOLD}
    for number in range(PAIRS + 1):
        run = one.wait(one.submit(_chain(1)))
        (attempt,) = [task.attempts[0] for task in one.tasks(run.run_id) if task.attempts]
        shape = made.pods.of(run.run_id)[0]["spec"]
        bare = _bare(made, f"bare-{number}", _bare_spec())
        nothing = _bare(made, f"nothing-{number}", {**_bare_spec(), "automountServiceAccountToken": False})
        _, empty_entered = _bare(made, f"empty-{number}", _empty_spec(shape))
        ours = run.finished_at_us - attempt.created_at_us
        entered = attempt.times.started_us - attempt.created_at_us
        if number:  # the first ones pull images
            found = (ours / 1e6, entered / 1e6, *bare, *nothing, empty_entered)
            for values, value in zip(told.values(), found, strict=True):
                values.append(value)
    bare_s, nothing_s = p50(told["bare"]), p50(told["mounts nothing"])
    yield row(
        "a task's Pod: create → result committed",
        "s",
        told["ours"],
        bare_s * AIM,
        opponents={"bare Pod, create → Succeeded": bare_s, "bare Pod that mounts nothing": nothing_s},
        note=f"{p50(told['ours']) / bare_s:.2f} × bare, {p50(told['ours']) / nothing_s:.2f} × one that mounts nothing",
        raw={"bare": told["bare"], "mounts nothing": told["mounts nothing"]},
    )
    floor = p50(told["empty entered"])
    others = {"bare Pod": "bare entered", "bare Pod that mounts nothing": "mounts nothing, entered"}
    yield row(
        "a task's Pod: create → user code's first statement",
        "s",
        told["entered"],
        floor,
        opponents={
            "a Pod of that shape in which nobody works": floor,
            **{who: p50(told[name]) for who, name in others.items()},
        },
        raw={"empty": told["empty entered"], **{name: told[name] for name in others.values()}},
    )


def _bare(made: Installation, name: str, spec: Object) -> tuple[float, float]:
    """Seconds from a Pod's create call until it is seen Succeeded, and until its command's first statement."""
    kube, namespace = made.kube, made.namespace
    version = kube.request("GET", f"/api/v1/namespaces/{namespace}/pods?limit=1")["metadata"]["resourceVersion"]
    started, booted = time.monotonic(), time.clock_gettime(time.CLOCK_BOOTTIME)
    kube.create({"kind": "Pod", "apiVersion": "v1", "metadata": {"name": name, "namespace": namespace}, "spec": spec})
    for event in kube.watch("Pod", namespace, version, 60, fieldSelector=f"metadata.name={name}"):
        status = event["object"].get("status", {})
        if status.get("phase") == "Succeeded":
            (main,) = status["containerStatuses"]
            return time.monotonic() - started, float(main["state"]["terminated"]["message"].split()[0]) - booted
    raise BenchmarkError(f"the Pod {name} has not succeeded within 60 s")


def _bare_spec() -> Object:
    main = {"name": "main", "image": IMAGE, "command": ["sh", "-c", f"{UPTIME}; {SCRIPT}", "/tmp/made/result"]}
    return {"restartPolicy": "Never", "containers": [main]}


def _empty_spec(shape: Object) -> Object:
    """A task's Pod as the scheduler made it, whose companion sleeps and whose `main` is user code alone."""
    spec: Object = json.loads(json.dumps(shape))
    del spec["nodeName"]
    (companion,), (main,) = spec["initContainers"], spec["containers"]
    companion["command"] = ["/usr/lib/headrace/shim", "run", "/tmp"]  # where nobody will stage anything
    main["command"] = _bare_spec()["containers"][0]["command"]
    spec["terminationGracePeriodSeconds"] = 1
    return spec


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
