"""Bytes to and from URLs that somebody signed: verified, tried again, in ranges and parts at once. Blocking.

Nothing here knows of keys or artifacts; URLs are never shown in a message. Called by granted_store and growing.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import logging
import os
import threading
import time
from collections.abc import Callable, Iterator
from typing import Final, TypeVar
from urllib.parse import urlsplit

import urllib3
from urllib3.exceptions import HTTPError

from headrace_companion.store import ObjectMissing, StoreDown, StoreError

logger = logging.getLogger(__name__)
CHUNK: Final = 1 << 20
RANGE: Final = 32 << 20  # bytes that one thread fetches of a large object
BUSY: Final = frozenset({408, 425, 429, 500, 502, 503, 504})
FIRST_PAUSE_S: Final = 0.1
LONGEST_PAUSE_S: Final = 5.0
SAY_AFTER: Final = 3  # tries that failed, and then each further one: a pause or two is nobody's worry
T = TypeVar("T")


class Expired(Exception):  # noqa: N818 - read as a statement
    """The URL is not good any more, or never was: ask for another."""


class Patience:
    """How long something that fails for now is tried again; `stop` ends it early, for all that share it."""

    def __init__(self, seconds: float, stop: threading.Event | None = None) -> None:
        self.seconds = seconds
        self.stop = stop or threading.Event()

    def trying(self, work: Callable[[], T]) -> T:
        """WORK's result. Raises the last StoreDown."""
        until, pause, failed = time.monotonic() + self.seconds, FIRST_PAUSE_S, 0
        while True:
            try:
                return work()
            except StoreDown as down:
                failed += 1
                if failed >= SAY_AFTER:
                    logger.warning("try %d at the artifact store failed: %s", failed, down)
                if time.monotonic() + pause >= until or self.stop.wait(pause):
                    raise
            pause = min(2 * pause, LONGEST_PAUSE_S)


class Transfers:
    """GET and PUT through one pool of connections."""

    def __init__(self, pool: Callable[[str], urllib3.PoolManager]) -> None:
        self._pool = pool

    def get(self, url: str, offset: int = 0, length: int | None = None, etag: str = "") -> bytes:
        """Bytes of an object; fewer where it ends. Raises ObjectMissing, Expired, StoreDown."""
        return b"".join(self.chunks(url, offset, length, etag))

    def chunks(self, url: str, offset: int, length: int | None, etag: str = "") -> Iterator[bytes]:
        if length == 0:
            return
        headers = {"If-Match": f'"{etag}"'} if etag else {}
        if offset or length is not None:
            headers["Range"] = f"bytes={offset}-" + ("" if length is None else str(offset + length - 1))
        with self._answer("GET", url, headers=headers) as answer:
            if answer.status == 416:
                return
            if answer.status == 200 and offset:
                raise StoreError(f"the store at {_host(url)} cannot read a part of an object")
            expected = answer.headers.get("Content-Length", "")
            got = 0
            try:
                for chunk in answer.stream(CHUNK, decode_content=False):
                    got += len(chunk)
                    yield chunk
            except HTTPError as error:
                raise StoreDown(f"the transfer from {_host(url)} broke off: {_shown(error)}") from error
            if expected.isdigit() and got != int(expected):
                raise StoreDown(f"the transfer from {_host(url)} ended after {got} of {expected} bytes")

    def fill(self, url: str, descriptor: int, offset: int, length: int, etag: str = "") -> None:
        """One range of an object into the same range of a file."""
        at = offset
        for chunk in self.chunks(url, offset, length, etag):
            view = memoryview(chunk)
            while view:
                written = os.pwrite(descriptor, view, at)
                view, at = view[written:], at + written
        if at != offset + length:
            raise StoreDown(f"an object at {_host(url)} is shorter than it was: {at} bytes, not {offset + length}")

    def put(self, url: str, descriptor: int, offset: int, length: int) -> str:
        """Store a range of a file; its ETag. The store is told what to expect, and what it says it has is compared."""
        md5 = hashlib.md5(usedforsecurity=False)
        for piece in _pieces(descriptor, offset, length):
            md5.update(piece)
        return self._put(url, _Range(descriptor, offset, length), length, md5.digest())

    def put_bytes(self, url: str, data: bytes) -> str:
        return self._put(url, data, len(data), hashlib.md5(data, usedforsecurity=False).digest())

    def _put(self, url: str, body: bytes | _Range, length: int, md5: bytes) -> str:
        headers = {"Content-Length": str(length), "Content-MD5": base64.b64encode(md5).decode()}
        headers["Content-Type"] = "application/octet-stream"
        with self._answer("PUT", url, headers=headers, body=body) as answer:
            etag = answer.headers.get("ETag", "").strip('"')
            if not _is_encrypted(answer) and len(etag) == 32 and etag != md5.hex():
                raise StoreDown(f"the store at {_host(url)} has other content than was sent")
            return etag

    @contextlib.contextmanager
    def _answer(
        self, method: str, url: str, headers: dict[str, str], body: bytes | _Range | None = None
    ) -> Iterator[urllib3.BaseHTTPResponse]:
        try:
            answer = self._pool(url).request(
                method,
                url,
                headers=headers,
                body=body,  # type: ignore[arg-type]  # anything with read()
                preload_content=False,
                redirect=False,
            )
        except (HTTPError, OSError) as error:
            raise StoreDown(f"the store at {_host(url)} does not answer: {_shown(error)}") from error
        try:
            if answer.status not in (200, 204, 206, 416):
                raise _refusal(answer, url)
            yield answer
        finally:
            answer.drain_conn()
            answer.release_conn()


class _Range:
    """A part of a file, as a body."""

    def __init__(self, descriptor: int, offset: int, length: int) -> None:
        self._descriptor = descriptor
        self._at = offset
        self._end = offset + length

    def read(self, size: int = -1) -> bytes:
        left = self._end - self._at
        data = os.pread(self._descriptor, left if size < 0 else min(size, left), self._at)
        self._at += len(data)
        return data


def digest_of(descriptor: int) -> str:
    """sha256:… of a whole file."""
    sha256 = hashlib.sha256()
    for piece in _pieces(descriptor, 0, os.fstat(descriptor).st_size):
        sha256.update(piece)
    return f"sha256:{sha256.hexdigest()}"


def md5_of(descriptor: int, offset: int, length: int) -> str:
    md5 = hashlib.md5(usedforsecurity=False)
    for piece in _pieces(descriptor, offset, length):
        md5.update(piece)
    return md5.hexdigest()


def _pieces(descriptor: int, offset: int, length: int) -> Iterator[bytes]:
    at, end = offset, offset + length
    while at < end:
        piece = os.pread(descriptor, min(CHUNK, end - at), at)
        if not piece:
            raise StoreError("a file became shorter while it was published")
        at += len(piece)
        yield piece


def _refusal(answer: urllib3.BaseHTTPResponse, url: str) -> Exception:
    said = answer.read(4096).decode(errors="replace")
    code = said.partition("<Code>")[2].partition("</Code>")[0]
    if answer.status in (401, 403):
        return Expired(code or str(answer.status))
    if answer.status == 404:
        return (
            StoreError(f"the store at {_host(url)} has no such bucket") if code == "NoSuchBucket" else ObjectMissing("")
        )
    text = f"the store at {_host(url)} answered {answer.status} {code}".rstrip()
    if answer.status == 412:
        return StoreDown(f"an object at {_host(url)} changed while it was read")
    if answer.status in BUSY or code in ("BadDigest", "RequestTimeout", "SlowDown"):
        return StoreDown(text)
    return StoreError(text)


def _is_encrypted(answer: urllib3.BaseHTTPResponse) -> bool:
    """Whether ETags are no checksums here."""
    kind = answer.headers.get("x-amz-server-side-encryption", "")
    return kind.startswith("aws:kms") or "x-amz-server-side-encryption-customer-algorithm" in answer.headers


def _host(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def _shown(error: Exception) -> str:
    """Without the URL, which is as good as a key for a while."""
    reason = getattr(error, "reason", None) or error
    return type(reason).__name__ if "?" in str(reason) else str(reason).rpartition(": ")[2]
