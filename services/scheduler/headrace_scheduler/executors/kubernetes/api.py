"""A cluster's API through the `kubernetes` package: its configuration and connections, and raw JSON over them.

Nothing else imports that package, which is there only where HEADRACE_EXECUTOR=kubernetes. No model objects: at thousands of
Pods they would cost more than everything else here together. Made by the composition root.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Any, Final
from urllib.parse import urlencode, urlsplit
from urllib.request import getproxies, proxy_bypass

import aiohttp
from kubernetes.aio.client import Configuration
from kubernetes.aio.client.rest import RESTClientObject
from kubernetes.aio.config import ConfigException, load_incluster_config, load_kube_config
from kubernetes.aio.config.kube_config import refresh_token

from headrace_scheduler.executors.kubernetes.calling import ApiError, Change, Expired, Json, Page, Query, Unreachable
from headrace_servicekit.errors import Reason, ServiceError

CONNECTIONS: Final = 64  # for calls; watches keep theirs, one for each namespace, and have as many as they need
ANY_NUMBER: Final = 0
CALL_S: Final = 30.0
PAGE: Final = 500
WATCH_S: Final = 240  # at least; the server ends the watch then
SILENCE_S: Final = 90.0  # a bookmark comes every minute: a connection that is silent for longer is dead
AGAIN: Final = 30  # times that a call is made again which was refused for load
LONGEST_PAUSE_S: Final = 30.0
NOWHERE: Final = (
    "no Kubernetes cluster is configured: set KUBECONFIG to a kubeconfig file, or run the scheduler in a Pod "
    "with a service account"
)


class ClusterApi:
    """KubernetesApi over HTTP. `kubeconfig`: a file; "" = the service account of the Pod this runs in."""

    def __init__(self, kubeconfig: str = "") -> None:
        self._kubeconfig = kubeconfig
        self._configuration: Any = None
        self._calls: Any = None
        self._watches: Any = None
        self._refreshing: asyncio.Task[None] | None = None

    async def connect(self) -> None:
        await self.close()
        configuration = Configuration()
        configuration.client_session_kwargs = {"trust_env": False}  # it would read .netrc anew for every call
        try:
            if self._kubeconfig:
                loader = await load_kube_config(
                    self._kubeconfig, client_configuration=configuration, persist_config=False
                )
                self._refreshing = asyncio.create_task(refresh_token(loader, configuration), name="kubeconfig token")
            elif "KUBERNETES_SERVICE_HOST" in os.environ:
                load_incluster_config(configuration)  # reads the token again every minute: the kubelet renews it
            else:
                raise ServiceError(Reason.INVALID_INPUT, NOWHERE)
        except (ConfigException, OSError, ValueError) as wrong:
            place = self._kubeconfig or "the Pod's service account"
            raise ServiceError(
                Reason.INVALID_INPUT, f"no Kubernetes cluster can be reached with {place}: {wrong}"
            ) from wrong
        configuration.proxy = configuration.proxy or _proxy(configuration.host)
        self._configuration = configuration
        self._calls, self._watches = _connections(configuration, CONNECTIONS), _connections(configuration, ANY_NUMBER)
        try:
            await self.get("/version")
        except Unreachable as away:
            raise ServiceError(
                Reason.UNAVAILABLE,
                f"the Kubernetes cluster at {configuration.host} does not answer: {away}; is it up, and is KUBECONFIG its own?",
            ) from away
        except ApiError as refused:
            raise ServiceError(
                Reason.FORBIDDEN, f"the Kubernetes cluster at {configuration.host} refuses this scheduler: {refused}"
            ) from refused

    async def get(self, path: str) -> Json:
        found: Json = json.loads(await self._call("GET", path))
        return found

    async def create(self, path: str, body: Json, *, timeout_s: float = CALL_S) -> bytes:
        return await self._call("POST", path, body, timeout_s)

    async def delete(self, path: str, *, uid: str = "", grace_s: int | None = None) -> bool:
        options: Json = {"kind": "DeleteOptions", "apiVersion": "v1"}
        if uid:
            options["preconditions"] = {"uid": uid}
        if grace_s is not None:
            options["gracePeriodSeconds"] = grace_s
        try:
            await self._call("DELETE", path, options)
        except ApiError as refused:
            if refused.status == 404 or (refused.status == 409 and uid):
                return False
            raise
        return True

    async def pages(self, path: str, query: Query) -> AsyncIterator[Page]:
        more = ""
        while True:
            asked = {**query, "limit": str(PAGE), **({"continue": more} if more else {})}
            try:
                held = json.loads(await self._call("GET", f"{path}?{urlencode(asked)}"))
            except ApiError as refused:
                if refused.status == 410:
                    raise Expired from refused
                raise
            yield Page(held.get("items") or (), held["metadata"]["resourceVersion"])
            more = held["metadata"].get("continue", "")
            if not more:
                return

    async def watch(self, path: str, query: Query, version: str) -> AsyncGenerator[Change, None]:
        asked = {
            **query,
            "watch": "1",
            "allowWatchBookmarks": "true",
            "resourceVersion": version,
            "timeoutSeconds": str(WATCH_S + random.randrange(60)),  # noqa: S311 - so that not all end at once
        }
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=10, sock_read=SILENCE_S)
        response = await self._send(self._watches, "GET", f"{path}?{urlencode(asked)}", None, timeout)
        try:
            if response.status != 200:
                refused = _error(response, await response.read())
                raise Expired if refused.status == 410 else refused
            async for line in _lines(response.response.content):
                yield _change(line)
        except (aiohttp.ClientError, TimeoutError, OSError) as broken:
            raise Unreachable(str(broken) or type(broken).__name__) from broken
        finally:
            response.response.close()

    async def close(self) -> None:
        if self._refreshing is not None:
            self._refreshing.cancel()
            await asyncio.gather(self._refreshing, return_exceptions=True)
        for connections in (self._calls, self._watches):
            if connections is not None:
                await connections.close()

    async def _call(self, method: str, path: str, body: Json | None = None, timeout_s: float = CALL_S) -> bytes:
        """The answer's bytes. Refusals for load are waited for as long as the server says, with a little more each time."""
        timeout = aiohttp.ClientTimeout(total=timeout_s, sock_connect=10)
        for attempt in range(AGAIN):
            try:
                response = await self._send(self._calls, method, path, body, timeout)
                data: bytes = await response.read()
            except (aiohttp.ClientError, TimeoutError, OSError) as broken:
                raise Unreachable(str(broken) or type(broken).__name__) from broken
            if response.status < 300:
                return data
            refused = _error(response, data)
            if refused.status != 429 or attempt == AGAIN - 1:
                raise refused
            pause = min((refused.retry_after_s or 1.0) * (1 + attempt / 4), LONGEST_PAUSE_S)
            await asyncio.sleep(pause * random.uniform(0.8, 1.2))  # noqa: S311 - not all at the same moment
        raise AssertionError("the loop returns or raises")

    async def _send(
        self, connections: Any, method: str, path: str, body: Json | None, timeout: aiohttp.ClientTimeout
    ) -> Any:
        token = await self._configuration.get_api_key_with_prefix("BearerToken")
        headers = {"Accept": "application/json", "User-Agent": "headrace-scheduler"}
        if token:
            headers["Authorization"] = token
        try:
            return await connections.request(
                method, self._configuration.host + path, headers=headers, body=body, _request_timeout=timeout
            )
        except (aiohttp.ClientError, TimeoutError, OSError) as broken:
            raise Unreachable(str(broken) or type(broken).__name__) from broken


def _connections(configuration: Any, most: int) -> Any:
    configuration.connection_pool_maxsize = most
    return RESTClientObject(configuration)


def _proxy(host: str) -> str | None:
    """The proxy that the environment names for the API server."""
    found = urlsplit(host)
    return None if proxy_bypass(found.hostname or "") else getproxies().get(found.scheme)


def _error(response: Any, data: bytes) -> ApiError:
    """The Status that the API answers with, or what a proxy in between says."""
    try:
        said = json.loads(data)
        reason, message = str(said.get("reason") or ""), str(said.get("message") or "")
    except (ValueError, AttributeError):
        reason, message = str(response.reason or ""), data[:200].decode("utf-8", "replace")
    after = response.getheader("Retry-After") or ""
    return ApiError(response.status, reason, message, float(after) if after.isdecimal() else 0.0)


async def _lines(content: Any) -> AsyncIterator[bytes]:
    """Lines of any length."""
    rest = bytearray()
    async for chunk in content.iter_any():
        first, *others = chunk.split(b"\n")
        rest += first
        for other in others:
            if rest:
                yield bytes(rest)
            rest = bytearray(other)
    if rest.strip():
        raise Unreachable("the watch broke off in the middle of a line")


def _change(line: bytes) -> Change:
    """One line of a watch. Raises Expired, ApiError where the server ends the watch with a Status."""
    held = json.loads(line)
    if held["type"] == "ERROR":
        status = held["object"]
        if status.get("code") == 410 or status.get("reason") in ("Expired", "Gone"):
            raise Expired
        raise ApiError(
            int(status.get("code") or 500), str(status.get("reason") or ""), str(status.get("message") or "")
        )
    return Change(held["type"], held["object"])
