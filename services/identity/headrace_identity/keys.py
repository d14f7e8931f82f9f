"""The cluster's public keys: read from `/openid/v1/jwks`, kept, and read again when a token names one that is not there.

An API server that is away changes nothing for keys that are known. Called by `verifying`.
"""

from __future__ import annotations

import asyncio
import http.client
import json
import logging
import ssl
import time
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import jwt

from headrace_servicekit.errors import Reason, ServiceError

logger = logging.getLogger(__name__)
# What Kubernetes signs with. Never a symmetric one: with those whoever can read the public key could sign.
ALGORITHMS: Final = frozenset({"RS256", "RS384", "RS512", "ES256", "ES384", "ES512"})
LEAST_WAIT: Final = 10.0  # seconds between two readings, whatever keys callers name
LONGEST_KEPT: Final = 300.0  # seconds after which the keys are read again, so that one that was withdrawn goes
TIMEOUT: Final = 5.0
LARGEST: Final = 1 << 20


class Keys:
    """Keys by their id. FETCH gives the JSON text of a key set."""

    def __init__(self, fetch: Callable[[], Awaitable[bytes]], clock: Callable[[], float] = time.monotonic) -> None:
        self._fetch, self._clock = fetch, clock
        self._keys: Mapping[str, jwt.PyJWK] = {}
        self._text = b""
        self._failed = True  # the last reading; before any there is nothing to go by
        self._read_at = self._tried_at = float("-inf")
        self._lock = asyncio.Lock()
        self._refreshing: asyncio.Task[None] | None = None
        self.generation = 0  # grows when the keys change: what was accepted before is looked at again

    async def find(self, key_id: str) -> jwt.PyJWK | None:
        """The key; None where there is none of that id. Raises UNAVAILABLE where nobody can say."""
        if key_id not in self._keys:
            await self._refresh()
        if key_id not in self._keys and self._failed:
            away = "the keys of the cluster cannot be read now, so tokens cannot be checked; try again"
            raise ServiceError(Reason.UNAVAILABLE, away, retry_after=LEAST_WAIT)
        return self._keys.get(key_id)

    def freshen(self) -> None:
        """Read keys that have been kept for long again, aside: nobody waits for it."""
        if self._keys and self._clock() - self._read_at > LONGEST_KEPT and self._tried_long_ago():
            self._refreshing = asyncio.create_task(self._refresh(), name="read the cluster's keys")

    async def _refresh(self) -> None:
        async with self._lock:
            if not self._tried_long_ago():
                return
            self._tried_at = self._clock()
            try:
                keys = parse(text := await self._fetch())
            except (OSError, http.client.HTTPException, ValueError) as away:
                logger.warning("the cluster's keys cannot be read: %s", away)
                self._failed = True
                return
            self.generation += text != self._text
            self._keys, self._text, self._failed, self._read_at = keys, text, False, self._clock()

    def _tried_long_ago(self) -> bool:
        return self._clock() - self._tried_at >= LEAST_WAIT


def parse(text: bytes) -> dict[str, jwt.PyJWK]:
    """The keys of a JWKS document that may sign tokens for us; others are left out."""
    found: dict[str, jwt.PyJWK] = {}
    document = json.loads(text)
    listed = document.get("keys") if isinstance(document, dict) else None
    if not isinstance(listed, list):
        raise ValueError("what the API server answered is no key set")
    for one in listed:
        try:
            key = jwt.PyJWK(one)
        except (jwt.PyJWTError, ValueError, TypeError, AttributeError):
            continue
        if key.key_id and key.algorithm_name in ALGORITHMS and key.public_key_use in (None, "sig"):
            found[key.key_id] = key
    return found


def fetcher(url: str, ca_file: Path, token_file: Path) -> Callable[[], Awaitable[bytes]]:
    """Reads URL (https, or a file), trusting CA_FILE alone and presenting TOKEN_FILE's token, where there are such files."""
    return lambda: asyncio.to_thread(_read, url, ca_file, token_file)


def _read(url: str, ca_file: Path, token_file: Path) -> bytes:
    """Not by urllib: a redirect or a proxy would be handed our token."""
    parts = urlsplit(url)
    if parts.scheme == "file":
        return Path(parts.path).read_bytes()
    trusted = ssl.create_default_context(cafile=ca_file if ca_file.exists() else None)
    headers: dict[str, Any] = {"Accept": "application/jwk-set+json, application/json"}
    if token_file.exists():
        headers["Authorization"] = f"Bearer {token_file.read_text().strip()}"
    connection = http.client.HTTPSConnection(parts.hostname or "", parts.port, timeout=TIMEOUT, context=trusted)
    try:
        connection.request("GET", parts.path or "/", headers=headers)
        answer = connection.getresponse()
        text = answer.read(LARGEST)
    finally:
        connection.close()
    if answer.status != http.client.OK:
        raise ValueError(f"{url} answered {answer.status} {answer.reason}")
    return text
