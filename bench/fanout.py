"""A fan-out of one-Pod tasks on kwok nodes, from submission to SUCCEEDED, next to as many bare Pods from a 32-way client.

The API server, scheduler and kwok are real; nodes are not, so a stand-in for companions reports each task's result as soon as its
Pod runs. Bare Pods have one container and count from the first create call until all have Succeeded; a second kind of them is
made like a task's, so that what the Pods cost is told from what the platform does. All in turn, in the same minutes, on the
same cluster, each beginning without Pods. Needs KUBECONFIG and the test cluster; measures nothing else when it is not there.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import os
import time
import uuid
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AbstractAsyncContextManager
from dataclasses import asdict, dataclass
from pathlib import Path

from bench import flows
from bench.driving import BenchmarkError, Client, client
from bench.measuring import CONTROL_PLANE, OURSELVES, Row, cpu_by_program, p50, row
from builders.launches import launch, store_in
from cluster.standing_in import SIMULATED, Companions, cluster_api, companions, pod_defaults
from fixtures.fix_s3 import Server
from fixtures.platforms import SERVICES, Platform, running
from headrace_scheduler.executors.kubernetes.api import ClusterApi
from headrace_scheduler.executors.kubernetes.calling import ApiError, Json, Unreachable, path_of
from headrace_scheduler.executors.kubernetes.defaults import read_defaults
from headrace_scheduler.executors.kubernetes.options import PodOptions
from headrace_scheduler.executors.kubernetes.pods import pod
from headrace_servicekit.settings import sockets_folder

WIDTHS = (1_000, 3_000, 10_000)
REPEATS = {1_000: 3, 3_000: 1, 10_000: 1}
CHAIN = 30
CLIENTS = 32
AIM = 1.5  # of bare Pods' time
NAMESPACE = "headrace-bench"
NODES = 2
LABEL = "headrace.test/bench"


def measure(folder: Path) -> Iterator[Row]:
    config = os.environ.get("KUBECONFIG", "")
    if not config:
        raise BenchmarkError(
            "KUBECONFIG does not name the test cluster: `make cluster-up` starts one and says where it is"
        )
    defaults = folder / "pod-defaults.json"
    defaults.write_text(json.dumps(pod_defaults(LABEL)))
    settings = {
        "HEADRACE_EXECUTOR": "kubernetes",
        "KUBECONFIG": config,
        "HEADRACE_POD_NAMESPACE": NAMESPACE,
        "HEADRACE_INSTALLATION": f"bench-{os.getpid()}",
        "HEADRACE_POD_SCHEDULER_ADDRESS": "127.0.0.1:1",
        "HEADRACE_POD_DEFAULTS": str(defaults),
        "HEADRACE_ARTIFACT_ROOT": "s3://bench/nothing",  # simulated Pods publish nothing
        "AWS_ENDPOINT_URL_S3": "http://127.0.0.1:1",
        "AWS_ACCESS_KEY_ID": "nobody",
        "AWS_SECRET_ACCESS_KEY": "nothing",
        "HEADRACE_MAX_PODS": "20000",
        "HEADRACE_KEEP_PODS_S": "7200",  # bare Pods are not deleted either while anything is measured
    }
    asyncio.run(_prepare(config))
    (folder / "store").mkdir(exist_ok=True)
    store = Server(folder / "store")
    try:
        s3 = store.start()
        settings |= {"HEADRACE_ARTIFACT_ROOT": s3.bucket("bench", {}), **s3.environ}
        with running("processes", folder / "home", **settings) as platform, client(platform) as one:
            bench = Bench(config, platform, one, settings["HEADRACE_INSTALLATION"], _like_ours(folder, defaults))
            yield from asyncio.run(bench.hops())
            for width in _wanted():
                yield from asyncio.run(bench.fanout(width))
    finally:
        store.stop()
        asyncio.run(_clean(config))


def _wanted() -> tuple[int, ...]:
    """BENCH_WIDTHS names others, or leaves the long ones out."""
    text = os.environ.get("BENCH_WIDTHS", "")
    return tuple(int(one) for one in text.split()) if text else WIDTHS


async def _prepare(config: str) -> None:
    async with cluster_api(config) as api:
        await _clean_with(api)
        await api.create("/api/v1/namespaces", {"metadata": {"name": NAMESPACE}})
        await api.create(path_of(NAMESPACE, "serviceaccounts"), {"metadata": {"name": "headrace-task"}})
        for number in range(NODES):
            await api.create("/api/v1/nodes", _node(f"bench-{number}"))


async def _clean(config: str) -> None:
    async with cluster_api(config) as api:
        await _clean_with(api)


async def _clean_with(api: ClusterApi) -> None:
    for number in range(NODES):
        await api.delete(f"/api/v1/nodes/bench-{number}")
    if await api.delete(f"/api/v1/namespaces/{NAMESPACE}"):
        while await _is_there(api, f"/api/v1/namespaces/{NAMESPACE}"):
            await asyncio.sleep(1)


async def _is_there(api: ClusterApi, path: str) -> bool:
    name = path.rpartition("/")[2]
    async for page in api.pages(path.rpartition("/")[0], {"fieldSelector": f"metadata.name={name}"}):
        if page.items:
            return True
    return False


def _node(name: str) -> Json:
    amounts = {"cpu": "10000", "memory": "100Ti", "pods": "20000", "ephemeral-storage": "100Ti"}
    return {
        "metadata": {
            "name": name,
            "annotations": {SIMULATED: "true"},
            "labels": {"kubernetes.io/hostname": name, LABEL: "true"},
        },
        "spec": {"taints": [{"key": SIMULATED, "value": "true", "effect": "NoSchedule"}]},
        "status": {"allocatable": amounts, "capacity": amounts},
    }


@dataclass
class Bench:
    """One platform on the cluster. `like_ours`: a Pod of a task's make."""

    config: str
    platform: Platform
    client: Client
    installation: str
    like_ours: Json

    def _companions(self, only: str = "") -> AbstractAsyncContextManager[Companions]:
        scheduler = f"unix:{sockets_folder(self.platform.home)}/scheduler.sock"
        return companions(self.config, scheduler, NAMESPACE, self.installation, only)

    async def hops(self) -> list[Row]:
        """From a task's report to the next one's Pod, seen by a watch of its own: report, append, create call, watch."""
        async with self._companions() as companions:
            run_id = await asyncio.to_thread(self.client.submit, flows.chain("bench-pods", CHAIN))
            await asyncio.to_thread(self.client.wait, run_id, 120)
            steps = [f"{run_id}/step-{number}" for number in range(CHAIN)]
            hops = [
                (companions.made[after] - companions.sent[before]) * 1e3 for before, after in itertools.pairwise(steps)
            ]
        async with cluster_api(self.config) as api:
            seen = await _create_to_seen(api)
        note = f"of which create call → seen {p50(seen):.1f} ms"
        before = [max(hop - p50(seen), 0.0) for hop in hops]
        return [
            row(f"chain of {CHAIN} Pods: report sent → next create call", "ms", before, aim=20.0),
            row(f"chain of {CHAIN} Pods: report sent → next Pod seen", "ms", hops, aim=30.0, note=note),
        ]

    async def fanout(self, width: int) -> list[Row]:
        """Bare Pods, bare Pods like ours, and ours, in turn."""
        made: dict[str, list[Measured]] = {"bare": [], "like ours": [], "ours": []}
        for _ in range(int(os.environ.get("BENCH_REPEATS", REPEATS.get(width, 1)))):
            made["bare"].append(await self._alone(width, self._bare(width, _pod)))
            made["like ours"].append(await self._alone(width, self._bare(width, self._like_ours)))
            made["ours"].append(await self._alone(width, self._ours(width)))
        times = {kind: [one.seconds for one in found] for kind, found in made.items()}
        bare, ours = p50(times["bare"]), p50(times["ours"])
        note = f"{ours / bare:.2f} × bare; CPU ms a Pod {_shares(made['ours'])}; of bare Pods {_shares(made['bare'])}"
        note += f"; of bare Pods made like ours {_shares(made['like ours'])}"
        opponents = {"bare Pods": bare, "bare Pods made like ours": p50(times["like ours"])}
        raw = {kind: [asdict(one) for one in found] for kind, found in made.items()}
        return [row(f"{width:,} Pods", "s", times["ours"], bare * AIM, opponents=opponents, note=note, raw=raw)]

    async def _alone(self, width: int, work: Awaitable[float]) -> Measured:
        """Seconds and what they cost, begun on a cluster without Pods of ours."""
        async with cluster_api(self.config) as api:
            await _empty(api)
        own = dict(zip(SERVICES, self.platform.pids, strict=True))
        before = cpu_by_program(own)
        seconds = await work
        after = cpu_by_program(own)
        cpu = {name: (after[name] - before.get(name, 0.0)) / width * 1e3 for name in after}
        return Measured(seconds, cpu, os.getloadavg()[0])

    async def _bare(self, width: int, make: Callable[[str, str], Json]) -> float:
        async with cluster_api(self.config) as api:
            return await _bare(api, width, make)

    def _like_ours(self, name: str, mark: str) -> Json:
        metadata = self.like_ours["metadata"]
        labels = {**metadata["labels"], "bare": mark}
        return {**self.like_ours, "metadata": {**metadata, "name": name, "labels": labels}}

    async def _ours(self, width: int) -> float:
        async with self._companions("status.phase!=Pending"):
            started = time.time()
            run_id = await asyncio.to_thread(self.client.submit, flows.loop("bench-fanout", width))
            ended = await asyncio.to_thread(self.client.wait, run_id, 3_600, 0.5)
            return ended.finished_at_us / 1e6 - started


@dataclass(frozen=True, slots=True)
class Measured:
    """One fan-out; `cpu`: milliseconds a Pod by program, `load`: the machine's load average after it."""

    seconds: float
    cpu: dict[str, float]
    load: float


def _shares(found: list[Measured]) -> str:
    """`12.1 (platform 8.0, control plane 3.1, this benchmark 1.0)`."""
    parts = {"platform": SERVICES, "control plane": CONTROL_PLANE, OURSELVES: (OURSELVES,)}
    shares = {
        name: p50([sum(one.cpu.get(program, 0.0) for program in programs) for one in found])
        for name, programs in parts.items()
    }
    return f"{sum(shares.values()):.1f} ({', '.join(f'{name} {share:.1f}' for name, share in shares.items())})"


def _like_ours(folder: Path, defaults: Path) -> Json:
    """The Pod that the executor makes of a task, for an installation that is not there."""
    task = launch(store_in(folder), "true")
    options = PodOptions("companion:1", "127.0.0.1:1", "nobody", NAMESPACE, defaults=read_defaults(str(defaults)))
    return pod(task, options).body


async def _empty(api: ClusterApi) -> None:
    """No Pods are left of what was measured before."""
    path = path_of(NAMESPACE, "pods")
    while True:
        with contextlib.suppress(Unreachable, ApiError):  # many take longer than a call may
            await api.delete(path, grace_s=0)
        if not [one async for page in api.pages(path, {}) for one in page.items]:
            return
        await asyncio.sleep(1)


async def _bare(api: ClusterApi, width: int, make: Callable[[str, str], Json]) -> float:
    """Seconds from the first create call until all Pods have Succeeded."""
    mark = uuid.uuid4().hex[:8]
    path, query = path_of(NAMESPACE, "pods"), {"labelSelector": f"bare={mark}"}
    version = ""
    async for page in api.pages(path, query):
        version = page.version
    watching = asyncio.create_task(_all_succeeded(api, path, query, version, width))
    numbers = iter(range(width))
    started = time.monotonic()

    async def create() -> None:
        for number in numbers:
            await api.create(path, make(f"bare-{mark}-{number}", mark))

    await asyncio.gather(*(create() for _ in range(CLIENTS)))
    await watching
    return time.monotonic() - started


async def _create_to_seen(api: ClusterApi) -> list[float]:
    """Milliseconds from a create call until a watch shows the Pod, one after another."""
    mark = uuid.uuid4().hex[:8]
    path, query = path_of(NAMESPACE, "pods"), {"labelSelector": f"bare={mark}"}
    version = ""
    async for page in api.pages(path, query):
        version = page.version
    found: list[float] = []
    watch = api.watch(path, query, version)
    for number in range(CHAIN):
        started = time.perf_counter()
        creating = asyncio.create_task(api.create(path, _pod(f"seen-{mark}-{number}", mark)))
        async for change in watch:
            if change.kind == "ADDED":
                found.append((time.perf_counter() - started) * 1e3)
                break
        await creating
    await watch.aclose()
    return found


async def _all_succeeded(api: ClusterApi, path: str, query: dict[str, str], version: str, width: int) -> None:
    done: set[str] = set()
    while True:  # the API server ends a watch that falls behind
        async for change in api.watch(path, query, version):
            version = change.version
            if (change.object.get("status") or {}).get("phase") == "Succeeded":
                done.add(change.object["metadata"]["uid"])
                if len(done) == width:
                    return


def _pod(name: str, mark: str) -> Json:
    main = {"name": "main", "image": "python:3.11", "command": ["true"]}
    placed = pod_defaults(LABEL)
    return {
        "metadata": {"name": name, "labels": {"bare": mark}, "annotations": placed.pop("annotations")},
        "spec": {"restartPolicy": "Never", "containers": [main], **placed},
    }
