"""A small image registry on loopback that speaks the OCI distribution protocol: manifests, indexes, blobs and tokens."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
TOKEN = "let-me-in"


@dataclass(slots=True)
class Registry:
    """`login`: whom it lets in; None = everybody. `basic`: it wants the password itself and no token."""

    login: tuple[str, str] | None = None
    basic: bool = False
    status: int = 0  # that it answers everything with, instead
    documents: dict[str, tuple[str, bytes]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    base: str = ""

    def add(self, name: str, tag: str, config: dict[str, Any]) -> str:
        """An image; its digest."""
        blob = self._keep(f"{name}/blobs/", "application/vnd.oci.image.config.v1+json", config)
        manifest = {"schemaVersion": 2, "mediaType": MANIFEST, "config": {"digest": blob, "size": 1}, "layers": []}
        return self._keep(f"{name}/manifests/", MANIFEST, manifest, tag)

    def add_index(self, name: str, tag: str, platforms: dict[str, str]) -> str:
        """An index of images: architecture → digest."""
        entries = [
            {"digest": digest, "platform": {"os": "linux", "architecture": kind}} for kind, digest in platforms.items()
        ]
        return self._keep(f"{name}/manifests/", INDEX, {"schemaVersion": 2, "manifests": entries}, tag)

    def _keep(self, folder: str, kind: str, document: dict[str, Any], tag: str = "") -> str:
        data = json.dumps(document).encode()
        digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
        for name in (digest, tag):
            if name:
                self.documents[folder + name] = (kind, data)
        return digest

    async def answer(self, request: web.Request) -> web.Response:
        """Everything below /v2/."""
        self.asked.append(request.path)
        if self.status:
            return web.Response(status=self.status)
        if not self._lets_in(request.headers.get("Authorization", "")):
            bearer = f'Bearer realm="{self.base}/token",service="registry.test"'
            return web.Response(status=401, headers={"WWW-Authenticate": 'Basic realm="x"' if self.basic else bearer})
        kind, data = self.documents.get(request.match_info["rest"], ("", b""))
        headers = {"Docker-Content-Digest": f"sha256:{hashlib.sha256(data).hexdigest()}"}
        return web.Response(body=data, content_type=kind, headers=headers) if kind else web.Response(status=404)

    async def token(self, request: web.Request) -> web.Response:
        """A token for whoever has the right password."""
        self.asked.append(f"{request.path}?{request.query_string}")
        allowed = request.headers.get("Authorization", "") == self._password()
        return web.json_response({"token": TOKEN}) if allowed else web.Response(status=401)

    def _lets_in(self, authorization: str) -> bool:
        return self.login is None or authorization == (self._password() if self.basic else f"Bearer {TOKEN}")

    def _password(self) -> str:
        return "Basic " + base64.b64encode(":".join(self.login or ()).encode()).decode()


@asynccontextmanager
async def serving(registry: Registry) -> AsyncIterator[Registry]:
    """The registry on a port of 127.0.0.1."""
    app = web.Application()
    app.router.add_get("/v2/{rest:.*}", registry.answer)
    app.router.add_get("/token", registry.token)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    registry.base = f"http://{host}:{port}"
    try:
        yield registry
    finally:
        await runner.cleanup()
