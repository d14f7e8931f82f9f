"""The entry point of an image, asked of its registry: for components without a command. What it reads is `image_names`'.

Bounded in time and size; an answer for a digest is kept, one for a tag for a few minutes. Only what the task names is asked for,
over HTTPS, except where the operator names another way (HEADRACE_REGISTRIES). Called by the launcher, before there is a Pod.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final
from urllib.parse import urlsplit

import aiohttp

from headrace_companion.results import Reason
from headrace_scheduler.executors.kubernetes import image_names
from headrace_scheduler.executors.kubernetes.image_names import Challenge, EntryPoint, ImageName, Login
from headrace_scheduler.executors.kubernetes.problems import Refused

TIME_S: Final = 20.0
MOST_BYTES: Final = 4 << 20  # of a manifest or configuration
KEPT: Final = 1_000
TAG_S: Final = 300.0
DIGEST_S: Final = 5.0
DEPTH: Final = 3  # indexes of indexes
ACCEPT: Final = ", ".join(sorted(image_names.MANIFESTS | image_names.INDEXES))
INSTEAD: Final = "give the component a command"


class Away(Exception):  # noqa: N818 - read as a statement: the registry is away
    """The registry does not answer, or not now. The text is a sentence."""


class _NotGiven(Exception):  # noqa: N818 - a status that is no success
    def __init__(self, status: int) -> None:
        super().__init__(f"HTTP {status}")
        self.status = status


def registries(text: str) -> dict[str, str]:
    """`docker.io=http://mirror:5000 …`: where to ask instead of a registry; `*` = of all others. Raises ValueError."""
    found: dict[str, str] = {}
    for one in text.split():
        name, equals, base = one.partition("=")
        if not equals or not name or urlsplit(base).scheme not in ("http", "https") or not urlsplit(base).netloc:
            raise ValueError(f"'{one}': write REGISTRY=https://host:port, with * for all others")
        found[name] = base.rstrip("/")
    return found


class Images:
    """Asks registries. `instead` says where to ask instead of a registry."""

    def __init__(self, instead: Mapping[str, str] | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        self._instead = instead or {}
        self._clock = clock
        self._kept: OrderedDict[tuple[str, str, tuple[Login, ...]], tuple[float, EntryPoint]] = OrderedDict()
        self._session: aiohttp.ClientSession | None = None

    async def entry_point(
        self, image: str, logins: Callable[[str], Sequence[Login]], architecture: str = ""
    ) -> EntryPoint:
        """LOGINS gives what is known for a registry. Raises Refused where the image has none or cannot be had, and Away."""
        try:
            name = image_names.parse_name(image)
        except ValueError as problem:
            raise Refused(str(problem), Reason.ENVIRONMENT) from None
        known = tuple(logins(name.registry))
        key = (image, architecture, known)  # what one may see is nobody else's
        kept = self._kept.get(key)
        if kept is not None and (name.fixed or self._clock() - kept[0] < TAG_S):
            return kept[1]
        try:
            async with asyncio.timeout(TIME_S):
                found = await self._ask(name, list(known), architecture)
        except (TimeoutError, aiohttp.ClientError, OSError) as problem:
            what = "does not answer in time" if isinstance(problem, TimeoutError) else f"does not answer: {problem}"
            raise Away(f"the registry '{name.registry}' of the image '{image}' {what}") from None
        except _NotGiven as refused:
            raise _refused(image, name, refused.status) from None
        except ValueError as problem:
            sentence = f"the component has no command and its image '{image}' gives none: {problem}; {INSTEAD}"
            raise Refused(sentence, Reason.ENVIRONMENT) from None
        self._kept[key] = (self._clock(), found)
        if len(self._kept) > KEPT:
            self._kept.popitem(last=False)
        return found

    async def digest(self, image: str, logins: Callable[[str], Sequence[Login]]) -> str:
        """What the image's name stands for now; "" where its registry does not say so at once. Raises ValueError, Away."""
        name = image_names.parse_name(image)
        registry = _Registry(self._client(), self._base(name.registry), name.repository, list(logins(name.registry)))
        try:
            async with asyncio.timeout(DIGEST_S):
                return await registry.digest(name.reference)
        except _NotGiven:
            return ""
        except (TimeoutError, aiohttp.ClientError, OSError) as problem:
            raise Away(f"the registry '{name.registry}' of the image '{image}' does not answer: {problem}") from None

    async def variants(self, image: str, logins: Callable[[str], Sequence[Login]]) -> frozenset[str]:
        """The digests of what an index holds, one level deep; none where the name stands for one image. As `digest` else."""
        name = image_names.parse_name(image)
        registry = _Registry(self._client(), self._base(name.registry), name.repository, list(logins(name.registry)))
        try:
            async with asyncio.timeout(DIGEST_S):
                held = (await registry.manifest(name.reference)).get("manifests")
        except _NotGiven:
            return frozenset()
        except (TimeoutError, aiohttp.ClientError, OSError) as problem:
            raise Away(f"the registry '{name.registry}' of the image '{image}' does not answer: {problem}") from None
        return frozenset(str(one.get("digest")) for one in held or () if isinstance(one, dict))

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()

    async def _ask(self, name: ImageName, logins: list[Login], architecture: str) -> EntryPoint:
        registry = _Registry(self._client(), self._base(name.registry), name.repository, logins)
        document = await registry.manifest(name.reference)
        for _ in range(DEPTH):
            if "manifests" not in document:
                break
            document = await registry.manifest(image_names.manifest_for(document, architecture))
        return image_names.entry_point(await registry.blob(image_names.config_of(document)))

    def _base(self, registry: str) -> str:
        host = image_names.HUB_API if registry == image_names.HUB else registry
        return self._instead.get(registry) or self._instead.get("*") or f"https://{host}"

    def _client(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=TIME_S), trust_env=True)
        return self._session


class _Registry:
    """One repository: every login is tried, then without one."""

    def __init__(self, session: aiohttp.ClientSession, base: str, repository: str, logins: list[Login]) -> None:
        self._session = session
        self._base = base
        self._repository = repository
        self._logins: list[Login | None] = [*logins, None]
        self._authorization = ""

    async def manifest(self, reference: str) -> dict[str, Any]:
        return await self._get(f"{self._base}/v2/{self._repository}/manifests/{reference}")

    async def blob(self, digest: str) -> dict[str, Any]:
        return await self._get(f"{self._base}/v2/{self._repository}/blobs/{digest}")

    async def digest(self, reference: str) -> str:
        """The digest of a manifest or index as the registry tells it, without reading it."""
        found = await self._get(f"{self._base}/v2/{self._repository}/manifests/{reference}", "HEAD")
        return str(found.get("digest", ""))

    async def _get(self, url: str, method: str = "GET") -> dict[str, Any]:
        status, header, found = await self._once(url, self._authorization, method)
        asked = image_names.challenge(header) if status == 401 else None
        for login in self._logins if asked is not None else ():
            assert asked is not None, "only a challenge is answered"
            authorization = await self._authorize(asked, login)
            if not authorization:
                continue
            status, _, found = await self._once(url, authorization, method)
            if found is not None:
                self._authorization = authorization
                break
        if found is None:
            raise _NotGiven(status)
        return found

    async def _once(self, url: str, authorization: str, method: str) -> tuple[int, str, dict[str, Any] | None]:
        """The status, its challenge and, of a success, the document. A redirect to another host loses the authorization."""
        headers = {"Accept": f"{ACCEPT}, */*"} | ({"Authorization": authorization} if authorization else {})
        async with self._session.request(method, url, headers=headers, allow_redirects=True) as answer:
            if answer.status >= 500 or answer.status == 429:
                raise aiohttp.ClientError(f"HTTP {answer.status}")
            if answer.status != 200:
                return answer.status, answer.headers.get("WWW-Authenticate", ""), None
            if method == "HEAD":
                return 200, "", {"digest": answer.headers.get("Docker-Content-Digest", "")}
            return 200, "", await _document(answer)

    async def _authorize(self, asked: Challenge, login: Login | None) -> str:
        basic = aiohttp.encode_basic_auth(login.user, login.password) if login is not None else ""
        if asked.scheme == "basic":
            return basic
        if urlsplit(self._base).scheme == "https" != urlsplit(asked.realm).scheme:
            return ""  # a password does not leave over plain HTTP
        query = {"service": asked.service, "scope": asked.scope or f"repository:{self._repository}:pull"}
        headers = {"Authorization": basic} if basic else {}
        async with self._session.get(asked.realm, params=query, headers=headers) as answer:
            if answer.status != 200:
                return ""
            held = await _document(answer)
        token = held.get("token") or held.get("access_token")
        return f"Bearer {token}" if token else ""


async def _document(answer: aiohttp.ClientResponse) -> dict[str, Any]:
    data = bytearray()
    async for part in answer.content.iter_chunked(1 << 16):
        data += part
        if len(data) > MOST_BYTES:
            raise ValueError(f"its description is larger than {MOST_BYTES >> 20} MiB")
    held = json.loads(data)
    if not isinstance(held, dict):
        raise ValueError("its registry's answer is no description of an image")
    return held


def _refused(image: str, name: ImageName, status: int) -> Refused:
    if status in (401, 403):
        why = f"'{name.registry}' asks for credentials: look at the image's name, or give an image pull secret"
    elif status == 404:
        why = f"it is not in '{name.registry}': look at its name and tag"
    else:
        why = f"'{name.registry}' answers HTTP {status}"
    return Refused(f"the entry point of the image '{image}' is not known: {why}, or {INSTEAD}", Reason.ENVIRONMENT)
