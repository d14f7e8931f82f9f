"""A platform whose services are processes of this machine and whose tasks are Pods of the cluster; what tests ask of it.

The services listen on the bridge, where companions reach them; artifacts lie in a SeaweedFS on the bridge. Runs are submitted
as users submit them, by the `headrace` command; what became of them is asked of the public API, and of the cluster by a
client that is not the platform's.
"""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from cluster.bringup.kube import Kube, KubeError, Object
from cluster.bringup.places import GATEWAY, KUBECONFIG, REGISTRY_PORT
from cluster.meeting import meeting_of
from corpus import driving
from fixtures import counting
from fixtures.fix_s3 import S3
from fixtures.platforms import Platform, running_networked

RUN, PATH, ATTEMPT = "headrace.io/run", "headrace.io/path", "headrace.io/attempt"
ENDS_WITHIN_S = 120.0
ENDED = ("TASK_SUCCEEDED", "TASK_FAILED", "TASK_SKIPPED", "TASK_CANCELED")
Json = dict[str, Any]


@dataclass(slots=True)
class Installation:
    """One platform on Pods."""

    platform: Platform
    kube: Kube
    namespace: str  # of its accounts and of the Pods of runs in the namespace `default`
    folder: Path
    submitted: int = 0
    pods: PodLog = field(init=False)

    def submit(self, document: Json, platform_document: Json | None = None, *options: str, **parameters: Any) -> str:
        """The id of a new run; nobody waits for it."""
        self.submitted += 1
        file = self.folder / f"run-{self.submitted}.yaml"
        documents = [document, *([platform_document] if platform_document else [])]
        file.write_text("\n---\n".join(json.dumps(one) for one in documents))
        given = [part for name, value in parameters.items() for part in ("-p", f"{name}={driving.as_text(value)}")]
        arguments = ["run", str(file), *given, "--no-wait", *(options or ["--no-cache"])]
        said = driving.command(*arguments, "-o", "json", "--endpoint", self.platform.url)
        assert said.code == 0, said.stderr
        return str(json.loads(said.stdout)["run_id"])

    def ended(self, run_id: str, seconds: float = ENDS_WITHIN_S) -> str:
        """Waits for the end of a run: SUCCEEDED, FAILED or CANCELED."""
        try:
            return counting.wait_until_ended(self.platform, run_id, seconds).removeprefix("RUN_")
        except pytest.fail.Exception as late:
            unfinished = [task for task in self.tasks(run_id) if task["state"] not in ENDED]
            pods = [(pod["metadata"]["name"], pod["status"]) for pod in self.living_pods(run_id)]
            pytest.fail(f"{late}\n{json.dumps(unfinished)[:4000]}\n{json.dumps(pods)[:8000]}")

    def until(self, what: str, ready: Callable[[], bool], seconds: float = 60.0) -> None:
        counting.until(what, ready, self.platform, seconds)

    def tasks(self, run_id: str) -> list[Json]:
        told: list[Json] = self.platform.get(f"/apis/headrace.v1/runs/{run_id}/tasks").get("tasks", [])
        return told

    def task(self, run_id: str, path: str) -> Json:
        return next(task for task in self.tasks(run_id) if task["path"] == path)

    def log(self, run_id: str, path: str) -> str:
        said = driving.command("runs", "logs", run_id, "--task", path, "--endpoint", self.platform.url)
        assert said.code == 0, said.stderr
        return said.stdout

    def living_pods(self, run_id: str) -> list[Object]:
        return self.kube.list("Pod", self.namespace, labelSelector=f"{RUN}={run_id}")

    def pod_at_work(self, run_id: str, seconds: float = 60.0) -> Object:
        """The run's one Pod, once its container `main` runs."""
        found: list[Object] = []

        def working() -> bool:
            found[:] = [pod for pod in self.living_pods(run_id) if container_state(pod, "main") == "running"]
            return bool(found)

        self.until(f"a Pod of run {run_id} at work", working, seconds)
        return found[0]


def container_state(pod: Object, name: str) -> str:
    """`waiting`, `running` or `terminated`; "" where the kubelet has said nothing yet."""
    status = pod.get("status", {})
    statuses = [*status.get("containerStatuses", []), *status.get("initContainerStatuses", [])]
    return next((next(iter(one["state"]), "") for one in statuses if one["name"] == name), "")


class PodLog:
    """Every Pod that a namespace has seen while the block runs, by the API's own watch: also those that are gone."""

    def __init__(self, kube: Kube, namespace: str) -> None:
        self._kube, self._namespace = kube, namespace
        self._lock, self._ending = threading.Lock(), threading.Event()
        self._seen: dict[str, Object] = {}
        self._version = self._list()
        self._thread = threading.Thread(target=self._follow, name=f"pods of {namespace}")

    def __enter__(self) -> PodLog:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ending.set()
        self._thread.join()

    def of(self, run_id: str) -> list[Object]:
        """The Pods that a run has ever had, in the order in which they were seen, each as it was last."""
        with self._lock:
            return [pod for pod in self._seen.values() if pod["metadata"].get("labels", {}).get(RUN) == run_id]

    def _list(self) -> str:
        told = self._kube.request("GET", f"/api/v1/namespaces/{self._namespace}/pods")
        self._take(told["items"])
        return str(told["metadata"]["resourceVersion"])

    def _take(self, pods: list[Object]) -> None:
        with self._lock:
            self._seen.update({pod["metadata"]["uid"]: pod for pod in pods})

    def _follow(self) -> None:
        while not self._ending.is_set():
            try:
                for event in self._kube.watch("Pod", self._namespace, self._version, 2):
                    if event["type"] == "ERROR":
                        self._version = self._list()
                        break
                    self._take([event["object"]])
                    self._version = event["object"]["metadata"]["resourceVersion"]
            except (OSError, KubeError):  # a test may stop the API server
                self._ending.wait(0.2)


@contextlib.contextmanager
def installed(
    kube: Kube, namespace: str, folder: Path, s3: S3, companion: str, settings: Mapping[str, str] | None = None
) -> Iterator[Installation]:
    """Runs a platform of its own in this namespace; `settings` are further ones, or replace ours."""
    if not s3.client.bucket_exists("headrace"):
        s3.client.make_bucket("headrace")
    ours = {
        "HEADRACE_EXECUTOR": "kubernetes",
        "KUBECONFIG": str(KUBECONFIG),
        "HEADRACE_COMPANION_IMAGE": companion,
        "HEADRACE_POD_NAMESPACE": namespace,
        "HEADRACE_INSTALLATION": namespace,
        "HEADRACE_ARTIFACT_ROOT": f"s3://headrace/{namespace}",
        "HEADRACE_REGISTRIES": f"*=http://{GATEWAY}:{REGISTRY_PORT}",
        **s3.environ,
    }
    meeting = meeting_of(kube, namespace, folder / "tokens")
    with running_networked(folder / "home", meeting, **{**ours, **(settings or {})}) as platform:
        made = Installation(platform, kube, namespace, folder)
        with PodLog(kube, namespace) as made.pods:
            yield made
