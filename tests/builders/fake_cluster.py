"""A Kubernetes API in memory, as far as the executor uses one, with a kubelet that takes Pods as far as a test wants.

It stands in at the seam `calling.KubernetesApi` and passes the executor port's suite, as a real cluster does in tests/cluster.
It keeps what makes the real one hard: versions that expire, watches that break off, answers that are lost, deletes that take
their time, and UIDs.
"""

from __future__ import annotations

import asyncio
import copy
import json
import re
import uuid
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

from headrace_companion import pod_layout
from headrace_scheduler.executors.kubernetes.calling import ApiError, Change, Expired, Json, Page, Query, Unreachable

IMAGE_DIGEST = "sha256:" + "1" * 64
IMAGE_ID = f"docker.io/library/python@{IMAGE_DIGEST}"
Work = Callable[[Json], Awaitable[int]]  # what a Pod's main does: its exit code


def now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def selected(labels: dict[str, str], query: Query) -> bool:
    """Label selectors as the executor writes them: `a=b,c in (1,2)`."""
    for part in re.split(r",(?=[a-z])", query.get("labelSelector", "")):
        name, _, values = part.partition(" in (")
        if not values:
            name, _, values = part.partition("=")
        if name and labels.get(name) not in values.rstrip(")").split(","):
            return False
    return True


class FakeCluster:
    """`work` is what each Pod's main does; None: Pods stay as they were created. `node` takes all of them."""

    def __init__(self, work: Work | None = None, node: str = "node-1") -> None:
        self.objects: dict[str, Json] = {}  # by path
        self.refusals: list[Exception] = []  # of the next create calls
        self.lost_answers = 0  # create calls that happen, and whose answers are lost
        self.denied: set[str] = set()  # "verb resource"
        self.creates = 0
        self.away: str = ""  # the API server does not answer, and why
        self.page = 500
        self.graceful = True  # deletes of running Pods take the kubelet's turn
        self._work = work
        self._node = node
        self._version = 1
        self._oldest = 0
        self._log: list[tuple[int, str, str, Json]] = []  # version, kind, collection, object
        self._changed = asyncio.Event()
        self._dropped = 0
        self._running: dict[str, asyncio.Task[None]] = {}
        self.closed = False

    # ---- KubernetesApi

    async def connect(self) -> None:
        self.put("/api/v1/namespaces", {"metadata": {"name": "default"}})

    async def get(self, path: str) -> Json:
        self._answering()
        path = path.partition("?")[0]
        if path not in self.objects:
            raise ApiError(404, "NotFound", f"{path} not found")
        await asyncio.sleep(0)
        return copy.deepcopy(self.objects[path])

    async def create(self, path: str, body: Json, *, timeout_s: float = 30.0) -> bytes:
        self._answering()
        await asyncio.sleep(0)
        if path.endswith("selfsubjectaccessreviews"):
            asked = body["spec"]["resourceAttributes"]
            allowed = f"{asked['verb']} {asked['resource']}" not in self.denied
            return json.dumps({"status": {"allowed": allowed}}).encode()
        self.creates += 1
        if self.refusals:
            raise self.refusals.pop(0)
        if f"{path}/{body['metadata']['name']}" in self.objects:
            raise ApiError(409, "AlreadyExists", f"{body['metadata']['name']} already exists")
        made = self.put(path, copy.deepcopy(body))
        if path.endswith("/pods"):
            self._begin(f"{path}/{body['metadata']['name']}", made["metadata"]["uid"])
        if self.lost_answers:
            self.lost_answers -= 1
            raise Unreachable("connection reset")
        return json.dumps(made).encode()

    async def delete(self, path: str, *, uid: str = "", grace_s: int | None = None) -> bool:
        self._answering()
        await asyncio.sleep(0)
        there = self.objects.get(path)
        if there is None or (uid and there["metadata"]["uid"] != uid):
            return False
        if there.get("status", {}).get("phase") == "Running" and self.graceful and grace_s != 0:
            self.change(path, lambda one: one["metadata"].update(deletionTimestamp=now()))
            running = self._running.get(there["metadata"]["uid"])
            if running is not None:
                running.cancel()
        else:
            self.remove(path)
        return True

    async def pages(self, path: str, query: Query) -> AsyncIterator[Page]:
        self._answering()
        version = str(self._version)
        found = [one for at, one in self.objects.items() if self._in(at, path) and self._fits(one, query)]
        for begin in range(0, max(len(found), 1), self.page):
            yield Page(copy.deepcopy(found[begin : begin + self.page]), version)
            await asyncio.sleep(0)

    async def watch(self, path: str, query: Query, version: str) -> AsyncGenerator[Change, None]:
        self._answering()
        at, dropped = int(version), self._dropped
        while True:
            if at < self._oldest:
                raise Expired
            changed = self._changed
            for number, kind, collection, one in list(self._log):
                if number > at and collection == path and self._fits(one, query):
                    at = number
                    yield Change(kind, copy.deepcopy(one))
            if self._dropped != dropped:
                raise Unreachable("the connection broke")
            self._answering()
            if self._changed is changed:
                await changed.wait()

    async def close(self) -> None:
        self.closed = True
        for task in list(self._running.values()):
            task.cancel()
        await asyncio.gather(*self._running.values(), return_exceptions=True)

    # ---- what tests do

    def pods(self) -> list[Json]:
        return [one for path, one in self.objects.items() if "/pods/" in path]

    def put(self, collection: str, one: Json) -> Json:
        """An object is there."""
        metadata = one["metadata"]
        path = f"{collection}/{metadata['name']}"
        metadata.setdefault("uid", str(uuid.uuid4()))
        metadata.setdefault("creationTimestamp", now())
        if "/namespaces/" in collection:
            metadata.setdefault("namespace", collection.split("/")[4])
        kind = "MODIFIED" if path in self.objects else "ADDED"
        self.objects[path] = one
        self._note(kind, collection, one)
        return one

    def change(self, path: str, how: Callable[[Json], Any]) -> None:
        """An object has changed, if it is there."""
        if path in self.objects:
            one = copy.deepcopy(self.objects[path])
            how(one)
            self.objects[path] = one
            self._note("MODIFIED", path.rpartition("/")[0], one)

    def remove(self, path: str) -> None:
        """An object is not there any more."""
        one = self.objects.pop(path, None)
        if one is not None:
            running = self._running.pop(one["metadata"]["uid"], None)
            if running is not None and running is not asyncio.current_task():
                running.cancel()
            self._note("DELETED", path.rpartition("/")[0], copy.deepcopy(one))

    def status(self, path: str, **status: Any) -> None:
        self.change(path, lambda one: one.setdefault("status", {}).update(status))

    def main(self, path: str, phase: str, **state: Any) -> None:
        """The Pod's phase, and the state of its main."""
        self.status(
            path, phase=phase, containerStatuses=[{"name": pod_layout.MAIN, "state": state, "imageID": IMAGE_ID}]
        )

    def schedule(self, path: str, node: str = "") -> None:
        """A node takes it."""
        self.change(path, lambda one: one.setdefault("spec", {}).update(nodeName=node or self._node))
        conditions = [{"type": "PodScheduled", "status": "True", "lastTransitionTime": now()}]
        self.status(path, phase="Pending", conditions=conditions)

    def drop_watches(self) -> None:
        """All connections of watches break."""
        self._dropped += 1
        self._wake()

    def expire(self) -> None:
        """Nothing is known any more of what has changed until now."""
        self._version += 1
        self._oldest = self._version
        self._log.clear()
        self._wake()

    # ---- within

    def _answering(self) -> None:
        if self.away:
            raise Unreachable(self.away)

    @staticmethod
    def _in(path: str, collection: str) -> bool:
        return path.rpartition("/")[0] == collection

    @staticmethod
    def _fits(one: Json, query: Query) -> bool:
        if query.get("fieldSelector", "").startswith("involvedObject.uid="):
            return bool(one["involvedObject"]["uid"] == query["fieldSelector"].partition("=")[2])
        return selected(one["metadata"].get("labels") or {}, query)

    def _note(self, kind: str, collection: str, one: Json) -> None:
        self._version += 1
        one["metadata"]["resourceVersion"] = str(self._version)
        self._log.append((self._version, kind, collection, copy.deepcopy(one)))
        self._wake()

    def _wake(self) -> None:
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    def _begin(self, path: str, uid: str) -> None:
        if self._work is not None:
            self._running[uid] = asyncio.create_task(self._kubelet(path, uid), name=f"kubelet {path}")

    async def _kubelet(self, path: str, uid: str) -> None:
        """What a node does with a Pod."""
        assert self._work is not None, "without work there is no kubelet"
        self.status(path, phase="Pending")
        self.schedule(path)
        started = now()
        try:
            self.main(path, "Running", running={"startedAt": started})
            code = await self._work(copy.deepcopy(self.objects[path]))
        except asyncio.CancelledError:  # it was told to end
            code = 143
        ended = {"exitCode": code, "startedAt": started, "finishedAt": now()}
        self.main(path, "Failed" if code else "Succeeded", terminated=ended)
        self._running.pop(uid, None)
        if path in self.objects and "deletionTimestamp" in self.objects[path]["metadata"]:
            self.remove(path)
