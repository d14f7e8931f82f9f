"""The Kubernetes API as this executor needs it: a handful of calls on raw JSON, and what they can fail with.

`api.ClusterApi` speaks to a cluster; tests put one in memory in its place. Both pass tests/ports. Paths are the API's own
(`/api/v1/namespaces/x/pods`); bodies and answers have Kubernetes' shapes.
"""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

Json = dict[str, Any]
Query = Mapping[str, str]
UID: Final = re.compile(rb'"uid":\s*"([^"]+)"')  # the first one in an object is its own


class ApiError(Exception):
    """The API refused a call. `reason` is Kubernetes' word for it; `message` its sentence."""

    def __init__(self, status: int, reason: str = "", message: str = "", retry_after_s: float = 0.0) -> None:
        super().__init__(message or f"HTTP {status} {reason}".strip())
        self.status = status
        self.reason = reason
        self.retry_after_s = retry_after_s

    @property
    def temporary(self) -> bool:
        """Whether the same call may well succeed a little later."""
        return self.status in (408, 429) or self.status >= 500


class Unreachable(Exception):  # noqa: N818 - read as a statement: the cluster is unreachable
    """No answer: the cluster is not there, or the connection broke. What was asked may have happened."""


class Expired(Exception):  # noqa: N818 - read as a statement: the version has expired
    """The changes since a resource version are not there any more: list again."""


@dataclass(frozen=True, slots=True)
class Page:
    """Some of the objects of a list, and the version from which a watch goes on after the last page."""

    items: Sequence[Json]
    version: str


@dataclass(frozen=True, slots=True)
class Change:
    """One line of a watch: ADDED, MODIFIED, DELETED with the object, or BOOKMARK with its version alone."""

    kind: str
    object: Json

    @property
    def version(self) -> str:
        version: str = self.object["metadata"]["resourceVersion"]
        return version


class KubernetesApi(Protocol):
    """All of it raises ApiError and Unreachable; calls that were refused for load are made again when the server says."""

    async def connect(self) -> None:
        """Find the cluster. ServiceError with what to do where there is none."""

    async def get(self, path: str) -> Json:
        """One object."""

    async def create(self, path: str, body: Json, *, timeout_s: float = 30.0) -> bytes:
        """Create an object; the answer as it came."""

    async def delete(self, path: str, *, uid: str = "", grace_s: int | None = None) -> bool:
        """Delete an object; False: it is not there, or the one there is another than that of the UID."""

    def pages(self, path: str, query: Query) -> AsyncIterator[Page]:
        """All objects that a selector takes, page by page. Raises Expired where the list takes too long."""

    def watch(self, path: str, query: Query, version: str) -> AsyncGenerator[Change, None]:
        """What changes after that version, until the server ends it. Raises Expired."""

    async def close(self) -> None:
        """Give the connections back."""


def uid_of(created: bytes) -> str:
    """The UID of an object that was just created, without reading all of it."""
    found = UID.search(created)
    if found is None:
        raise ValueError("the API's answer to a create call has no UID")
    return found.group(1).decode()


def path_of(namespace: str, kind: str, name: str = "") -> str:
    """Where objects of a namespace are: `pods`, `persistentvolumeclaims`, `events`."""
    base = f"/api/v1/namespaces/{namespace}/{kind}"
    return f"{base}/{name}" if name else base
