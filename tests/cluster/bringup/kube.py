"""A small blocking client of the Kubernetes API for the bring-up and for tests: JSON over HTTPS, watches included.

The platform's own client is another (headrace_scheduler.executors.kubernetes.api); what tests observe must not pass
through the code that they test.
"""

from __future__ import annotations

import http.client
import json
import ssl
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from cluster.bringup.places import API_PORT, DIR, GATEWAY

Object = dict[str, Any]
GROUPS = {
    "Deployment": "apps/v1",
    "StatefulSet": "apps/v1",
    "DaemonSet": "apps/v1",
    "StorageClass": "storage.k8s.io/v1",
    "Role": "rbac.authorization.k8s.io/v1",
    "RoleBinding": "rbac.authorization.k8s.io/v1",
    "ClusterRole": "rbac.authorization.k8s.io/v1",
    "ClusterRoleBinding": "rbac.authorization.k8s.io/v1",
    "PriorityClass": "scheduling.k8s.io/v1",
    "PodDisruptionBudget": "policy/v1",
    "Lease": "coordination.k8s.io/v1",
}
CLUSTER_WIDE = {
    "Node",
    "Namespace",
    "PersistentVolume",
    "StorageClass",
    "ClusterRole",
    "ClusterRoleBinding",
    "PriorityClass",
}
MERGE = "application/merge-patch+json"


class KubeError(Exception):
    """An answer of the API server that is no success."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(f"{status}: {text}")
        self.status = status


class Kube:
    """The administrator's view of the cluster."""

    def __init__(self, folder: Path = DIR, host: str = GATEWAY, port: int = API_PORT, token: str | None = None) -> None:
        self._host, self._port = host, port
        self.token = token or (folder / "token").read_text().strip()
        self._tls = ssl.create_default_context(cafile=str(folder / "pki/ca.crt"))

    def request(self, method: str, path: str, body: Any = None, content_type: str = "application/json") -> Any:
        connection, answer = self._send(method, path, body, content_type, 30)
        try:
            data = answer.read()
        finally:
            connection.close()
        if answer.status >= 400:
            raise KubeError(answer.status, _message(data))
        # A log is text, whatever it looks like.
        is_json = "json" in (answer.getheader("Content-Type") or "")
        return json.loads(data) if is_json else data.decode(errors="replace")

    def get(self, kind: str, name: str, namespace: str = "default") -> Object:
        found: Object = self.request("GET", f"{path_of(kind, namespace)}/{name}")
        return found

    def find(self, kind: str, name: str, namespace: str = "default") -> Object | None:
        try:
            return self.get(kind, name, namespace)
        except KubeError as error:
            if error.status == 404:
                return None
            raise

    def list(self, kind: str, namespace: str | None = None, **query: str) -> list[Object]:
        items: list[Object] = self.request("GET", f"{path_of(kind, namespace)}?{urlencode(query)}")["items"]
        return items

    def create(self, body: Mapping[str, Any]) -> Object:
        namespace = body["metadata"].get("namespace", "default")
        made: Object = self.request("POST", path_of(body["kind"], namespace), dict(body))
        return made

    def ensure(self, body: Mapping[str, Any]) -> None:
        """Creates, or patches what is there."""
        try:
            self.create(body)
        except KubeError as error:
            if error.status != 409:
                raise
            self.patch(body["kind"], body["metadata"]["name"], dict(body), body["metadata"].get("namespace", "default"))

    def patch(self, kind: str, name: str, body: Any, namespace: str = "default", part: str = "") -> Object:
        changed: Object = self.request("PATCH", f"{path_of(kind, namespace)}/{name}{part}", body, MERGE)
        return changed

    def delete(self, kind: str, name: str, namespace: str = "default", **options: Any) -> None:
        try:
            self.request("DELETE", f"{path_of(kind, namespace)}/{name}", options or None)
        except KubeError as error:
            if error.status != 404:
                raise

    def watch(
        self, kind: str, namespace: str | None, version: str, seconds: int = 60, **query: str
    ) -> Iterator[Object]:
        """Events since `version`, until the server ends the watch after `seconds`."""
        asked = urlencode({"watch": "1", "resourceVersion": version, "timeoutSeconds": str(seconds), **query})
        connection, answer = self._send("GET", f"{path_of(kind, namespace)}?{asked}", None, "", seconds + 30)
        try:
            if answer.status >= 400:
                raise KubeError(answer.status, _message(answer.read()))
            for line in answer:
                yield json.loads(line)
        finally:
            connection.close()

    def wait(
        self, kind: str, name: str, namespace: str, holds: Callable[[Object | None], bool], seconds: float = 60
    ) -> Object | None:
        """Waits until the object (None where there is none) is as wanted; the last one seen is in the error."""
        limit = time.monotonic() + seconds
        while True:
            listing = self.request(
                "GET", f"{path_of(kind, namespace)}?{urlencode({'fieldSelector': f'metadata.name={name}'})}"
            )
            seen = next(iter(listing["items"]), None)
            if holds(seen):
                return seen
            left = limit - time.monotonic()
            if left <= 0:
                raise AssertionError(
                    f"{kind} {namespace}/{name} is not as wanted after {seconds:.0f} s: {json.dumps(seen)[:3000]}"
                )
            events = self.watch(
                kind,
                namespace,
                listing["metadata"]["resourceVersion"],
                max(1, int(left)),
                fieldSelector=f"metadata.name={name}",
            )
            for event in events:
                if event["type"] == "ERROR":
                    break
                seen = None if event["type"] == "DELETED" else event["object"]
                if holds(seen):
                    return seen

    def _send(
        self, method: str, path: str, body: Any, content_type: str, seconds: float
    ) -> tuple[http.client.HTTPSConnection, http.client.HTTPResponse]:
        connection = http.client.HTTPSConnection(self._host, self._port, context=self._tls, timeout=seconds)
        headers = {"Authorization": f"Bearer {self.token}", "Accept": "application/json"}
        if body is not None:
            headers["Content-Type"] = content_type
        try:
            connection.request(method, path, None if body is None else json.dumps(body), headers)
            return connection, connection.getresponse()
        except BaseException:
            connection.close()
            raise


def path_of(kind: str, namespace: str | None) -> str:
    version = GROUPS.get(kind, "v1")
    root = f"/apis/{version}" if "/" in version else f"/api/{version}"
    plural = f"{kind.lower()}es" if kind.endswith(("ss", "x")) else f"{kind.lower()}s"
    return (
        f"{root}/{plural}" if kind in CLUSTER_WIDE or namespace is None else f"{root}/namespaces/{namespace}/{plural}"
    )


def _message(data: bytes) -> str:
    try:
        return str(json.loads(data)["message"])
    except (ValueError, KeyError):
        return data.decode(errors="replace")
