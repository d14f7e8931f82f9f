"""http(s) as a source: redirects bounded, conditional requests, transfers resumed by range. Called by fetching.

Only these two schemes are followed, never from https down to http; a password in the URI goes to its own host alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote, urljoin, urlsplit

import urllib3
from urllib3.exceptions import HTTPError, LocationParseError, NameResolutionError, NewConnectionError, SSLError
from urllib3.util import make_headers

from headrace_companion.remote.connections import manager
from headrace_companion.remote.sources import (
    CHUNK,
    Ambient,
    Broken,
    FetchFailed,
    Found,
    Limits,
    NothingThere,
    Transfer,
    shown,
)

REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
BUSY: Final = frozenset({408, 425, 429, 500, 502, 503, 504})
WORDS: Final = {
    401: "it asks for a user and a password",
    403: "it refuses access",
    404: "there is nothing",
    410: "it is gone",
}


class HttpSource:
    """GET alone: addresses that are signed for one method answer no other."""

    def __init__(self, ambient: Ambient, limits: Limits) -> None:
        self._ambient = ambient
        self._limits = limits

    def find(self, uri: str, known: Sequence[str]) -> Found | str:
        tags = [version for version in known if version.startswith(('"', "W/"))]
        dates = [version for version in known if version.endswith("GMT")]
        headers = {"If-None-Match": ", ".join(tags)} if tags else {}
        if dates and not tags:
            headers["If-Modified-Since"] = dates[-1]
        answer = self._get(uri, headers)
        if answer.status == 304:
            answer.drain_conn()
            tag = answer.headers.get("ETag", "")
            return tag if tag in known else (tags or dates)[-1]
        version = answer.headers.get("ETag") or answer.headers.get("Last-Modified") or ""
        size = answer.headers.get("Content-Length", "")
        one = _Page(self, uri, version, int(size) if size.isdigit() else None, answer)
        return Found(version, is_folder=False, objects=[one])

    def version(self, uri: str) -> str:
        answer = self._get(uri, {})
        answer.close()  # of its body nothing is read
        tag = answer.headers.get("ETag", "")
        changed = answer.headers.get("Last-Modified", "")
        return tag or (f"{changed} {answer.headers.get('Content-Length', '')}" if changed else "")

    def _get(self, uri: str, headers: dict[str, str]) -> urllib3.BaseHTTPResponse:
        """The answer that is no redirect: 200, 206 or 304."""
        at = uri
        for _ in range(self._limits.redirects + 1):
            answer = self._once(at, headers, asked=uri)
            if answer.status in (200, 206, 304):
                return answer
            location = answer.headers.get("Location", "")
            answer.close()  # its body, if there is one, is of no use
            if answer.status not in REDIRECTS or not location:
                raise _refused(answer.status, answer.reason or "", uri, at)
            following = urljoin(at, location)
            scheme = urlsplit(following).scheme
            if scheme not in ("http", "https") or (scheme == "http" and urlsplit(at).scheme == "https"):
                raise FetchFailed(
                    f"{shown(uri)} leads to {shown(following)}, which is not followed: give that URI itself"
                )
            at = following
        raise FetchFailed(f"{shown(uri)} leads on more than {self._limits.redirects} times; give its final address")

    def _once(self, at: str, headers: dict[str, str], asked: str) -> urllib3.BaseHTTPResponse:
        parts = urlsplit(at)
        sent = {"Accept-Encoding": "identity", "User-Agent": "headrace", **headers}
        if parts.username is not None:
            sent |= make_headers(basic_auth=f"{unquote(parts.username)}:{unquote(parts.password or '')}")
            at = parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
        try:
            pool = manager(at, self._ambient, self._limits.silence_s)
            return pool.request("GET", at, headers=sent, redirect=False, retries=False, preload_content=False)
        except (HTTPError, LocationParseError) as error:
            raise no_answer(error, asked, at) from error


def no_answer(error: Exception, uri: str, at: str) -> Exception:
    """Why nobody answered `at`, which is where `uri` is to be found; Broken where another try may help."""
    host = urlsplit(at).hostname or "the host"
    if isinstance(error, NameResolutionError):
        wrong = "the URI" if uri.startswith("http") else "the address of its store, or the network"
        return FetchFailed(f"{shown(uri)} cannot be fetched: the host {host} is not known; correct {wrong}")
    if isinstance(error, NewConnectionError):
        return Broken(f"{shown(uri)} cannot be fetched: {host} does not accept the connection")
    if isinstance(error, SSLError):
        return FetchFailed(
            f"{shown(uri)} cannot be fetched: the certificate of {host} is not accepted ({error}); "
            "name your authority's file in SSL_CERT_FILE"
        )
    if isinstance(error, LocationParseError):
        return FetchFailed(f"{shown(uri)} cannot be fetched: it is not a valid address")
    return Broken(f"{shown(uri)} cannot be fetched: {error}")


def _refused(status: int, reason: str, uri: str, at: str) -> Exception:
    via = "" if at == uri else f" (at {shown(at)})"
    said = WORDS.get(status, reason)
    text = f"{shown(uri)} cannot be fetched: the server answered {status}{via}" + (f": {said}" if said else "")
    if status in (404, 410):
        return NothingThere(text)
    return Broken(text) if status in BUSY else FetchFailed(text)


@dataclass(slots=True)
class _Page:
    """The one object behind a URI; its first read uses the answer that is open already."""

    source: HttpSource
    uri: str
    version: str
    size: int | None
    answer: urllib3.BaseHTTPResponse | None
    name: str = ""

    def read(self, offset: int) -> Transfer:
        answer, self.answer = self.answer, None
        start = 0
        if answer is None:
            headers = {}
            if offset and self.version and not self.version.startswith("W/"):
                headers = {"Range": f"bytes={offset}-", "If-Range": self.version}
            answer = self.source._get(self.uri, headers)
            start = offset if answer.status == 206 else 0
        return Transfer(start, chunks(answer, self.uri))


def chunks(answer: urllib3.BaseHTTPResponse, uri: str) -> Iterator[bytes]:
    """The answer's bytes as they were stored; raises Broken where they end too early."""
    try:
        yield from answer.stream(CHUNK, decode_content=False)
    except HTTPError as error:
        answer.close()
        raise Broken(f"the transfer of {shown(uri)} broke off: {error}") from error
    answer.release_conn()
