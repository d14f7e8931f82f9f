"""Completes the ingredients of cache keys with what only the world knows: what lies now at a URI whose content nobody has
measured, and which image a tag names now. Called by caching.py, before a lookup and again before a commit.

What cannot be told apart from what was there before is no ground for a hit: then the task is not cached, and says why.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal, TypeAlias

from headrace_companion.folder_store import folder_of_uri
from headrace_companion.remote.fetching import Fetcher
from headrace_companion.remote.sources import FetchFailed, NothingThere, shown
from headrace_companion.store import ArtifactStore, ObjectMissing, StoreError
from headrace_protos.v1 import cache_pb2
from headrace_scheduler.engine.commands import AskCache, CommitCache

logger = logging.getLogger(__name__)
Sources: TypeAlias = Literal["ask", "trust", "refuse"]
TRUSTED: Final = "trusted"  # the version of a place that counts by its URI alone
NOTHING: Final = "nothing"  # the version of a place where nothing lies: an artifact that is metadata alone
REMEMBERED: Final = 10_000  # digests of what lies in folders of this machine
IMAGE_DIGEST: Final = "@sha256:"
ImageDigest = Callable[[str, str, Sequence[str], str], Awaitable[str]]  # image, namespace, pull secrets, what ran
Image = tuple[str, str, tuple[str, ...], str]


class Unknown(Exception):  # noqa: N818 - read as a statement
    """What lies at a URI cannot be told; the message is a sentence."""


@dataclass(slots=True)
class Identifier:
    """`remote` asks other places than our stores for the version of what they hold; `image_digest` is the executor's.
    `sources`: whether such places are asked at all, trusted (their URI counts alone), or refused (then nothing is cached).
    """

    store: ArtifactStore
    remote: Fetcher
    image_digest: ImageDigest
    sources: Sources = "ask"
    _digests: OrderedDict[str, tuple[object, str]] = field(default_factory=OrderedDict)

    async def complete(self, asked: Sequence[AskCache | CommitCache]) -> list[cache_pb2.Ingredients | str]:
        """For each its ingredients, whole; or a sentence that says why it has no key."""
        open_ = [one for one in asked if not one.ingredients.custom_key]
        uris = list(dict.fromkeys(uri for one in open_ for uri in one.unmeasured))
        images = list(dict.fromkeys(image_of(one) for one in open_))
        versions = dict(zip(uris, await asyncio.gather(*(self._version(uri) for uri in uris)), strict=True))
        digests = dict(zip(images, await asyncio.gather(*(self._image(*one) for one in images)), strict=True))
        return [
            one.ingredients if one.ingredients.custom_key else completed(one, versions, digests[image_of(one)])
            for one in asked
        ]

    async def _image(self, image: str, namespace: str, secrets: tuple[str, ...], ran: str) -> str:
        named = image.partition(IMAGE_DIGEST)[2]
        return f"sha256:{named}" if named else await self.image_digest(image, namespace, secrets, ran)

    async def _version(self, uri: str) -> str | Unknown:
        try:
            return await asyncio.to_thread(self._look, uri)
        except Unknown as unknown:
            return unknown
        except (StoreError, FetchFailed, OSError) as failed:
            return Unknown(f"what lies at {shown(uri)} cannot be told: {failed}")
        except Exception:  # a fault of ours, or of a library with what it was given: no reason for a task to fail
            logger.exception("what lies at %s cannot be told", shown(uri))
            return Unknown(f"what lies at {shown(uri)} cannot be told")

    def _look(self, uri: str) -> str:
        if IMAGE_DIGEST in uri:
            return uri.partition("@")[2]
        key = self.store.key(uri)
        if key is not None:
            try:
                return self._digest(uri, key)
            except ObjectMissing:
                return NOTHING
        if self.sources == "trust":
            return TRUSTED
        if self.sources == "refuse":
            raise Unknown(
                f"what lies at {shown(uri)} is not looked at from here (HEADRACE_CACHE_SOURCES), and may have changed: "
                "give a cache key"
            )
        if not self.remote.can_fetch(uri):
            raise Unknown(
                f"what lies at {shown(uri)} cannot be told apart from what was there before: give a cache key"
            )
        try:
            version = self.remote.version(uri, threading.Event())
        except NothingThere:
            return NOTHING
        if not version:
            raise Unknown(
                f"the server of {shown(uri)} gives neither an ETag nor a time of change, so nobody knows whether it is what it "
                "was: give a cache key"
            )
        return version

    def _digest(self, uri: str, key: str) -> str:
        """The content's digest, read again only where the files are others by their sizes and times."""
        folder = folder_of_uri(uri)
        marks = signature(folder) if folder is not None else None
        known = self._digests.get(uri)
        if known is not None and marks is not None and known[0] == marks:
            return known[1]
        digest = self.store.describe(key).digest
        if marks is not None and signature(folder) == marks:
            self._digests[uri] = (marks, digest)
            if len(self._digests) > REMEMBERED:
                self._digests.popitem(last=False)
        return digest


def image_of(asked: AskCache | CommitCache) -> Image:
    """What is asked about a task's image."""
    ran = asked.image_ran if isinstance(asked, CommitCache) else ""
    return asked.ingredients.image, asked.ingredients.namespace, asked.secrets, ran


def completed(
    asked: AskCache | CommitCache, versions: dict[str, str | Unknown], image_digest: str
) -> cache_pb2.Ingredients | str:
    """The ingredients with the versions of what they name; the first sentence of what is unknown instead."""
    made = cache_pb2.Ingredients()
    made.CopyFrom(asked.ingredients)
    made.image_digest = image_digest
    for uri in asked.unmeasured:
        version = versions[uri]
        if isinstance(version, Unknown):
            return str(version)
        made.versions[uri] = version
    return made


def signature(path: Path | None) -> object:
    """What changes where a file or anything in a folder is written, by its inodes alone. None: it cannot be looked at."""
    if path is None:
        return None
    try:
        if not path.is_dir():
            return _marks(path)
        return tuple(sorted((str(one.relative_to(path)), _marks(one)) for one in path.rglob("*")))
    except OSError:
        return None


def _marks(path: Path) -> tuple[int, ...]:
    stat = path.lstat()
    return (stat.st_dev, stat.st_ino, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_mode)
