"""An image registry of our own: the pull and push of the OCI distribution protocol over a folder, on the bridge.

Names are taken without their host, so that `python:3.11`, `ghcr.io/team/train:1` and `registry.k8s.io/pause:3.10` all
come from here, through the same pull, policies and errors as on any cluster. `buildah push` works as well.
Run as a program by `up`; packing.py writes into the same folder.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import uuid
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from cluster.bringup.places import GATEWAY, REGISTRY, REGISTRY_PORT

MANIFEST = re.compile(r"^/v2/(?P<name>.+)/manifests/(?P<reference>[^/]+)$")
BLOB = re.compile(r"^/v2/(?P<name>.+)/blobs/(?P<digest>sha256:[0-9a-f]{64})$")
UPLOADS = re.compile(r"^/v2/(?P<name>.+)/blobs/uploads/(?P<id>[0-9a-f]*)$")


def blob(digest: str) -> Path:
    return REGISTRY / "blobs/sha256" / digest.removeprefix("sha256:")


def tag(name: str, reference: str) -> Path:
    """The file that names the manifest's digest."""
    return REGISTRY / "tags" / name / reference


def set_tag(name: str, reference: str, digest: str) -> None:
    file = tag(name, reference)
    file.parent.mkdir(parents=True, exist_ok=True)
    written = file.with_name(f".{uuid.uuid4().hex}")
    written.write_text(digest)
    written.replace(file)


def store(data: bytes) -> str:
    digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
    file = blob(digest)
    file.parent.mkdir(parents=True, exist_ok=True)
    if not file.exists():
        written = file.with_name(f".{uuid.uuid4().hex}")
        written.write_bytes(data)
        written.replace(file)
    return digest


class Handler(BaseHTTPRequestHandler):
    """One request; blobs are streamed from and to the disk."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        if path in ("/v2", "/v2/"):
            self._answer(HTTPStatus.OK, b"{}")
        elif found := MANIFEST.match(path):
            self._manifest(found["name"], found["reference"])
        elif found := BLOB.match(path):
            self._file(found["digest"], "application/octet-stream")
        else:
            self._missing("NAME_UNKNOWN", path)

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_POST(self) -> None:
        if found := UPLOADS.match(self.path.partition("?")[0]):
            (REGISTRY / "uploads").mkdir(parents=True, exist_ok=True)
            name = uuid.uuid4().hex
            (REGISTRY / "uploads" / name).touch()
            self._answer(HTTPStatus.ACCEPTED, b"", Location=f"/v2/{found['name']}/blobs/uploads/{name}", Range="0-0")
        else:
            self._missing("UNSUPPORTED", self.path)

    def do_PATCH(self) -> None:
        if found := UPLOADS.match(self.path.partition("?")[0]):
            size = self._receive(REGISTRY / "uploads" / found["id"])
            self._answer(HTTPStatus.ACCEPTED, b"", Location=self.path, Range=f"0-{max(0, size - 1)}")
        else:
            self._missing("UNSUPPORTED", self.path)

    def do_PUT(self) -> None:
        path, _, query = self.path.partition("?")
        if found := UPLOADS.match(path):
            self._commit(REGISTRY / "uploads" / found["id"], query)
        elif found := MANIFEST.match(path):
            digest = store(self.rfile.read(int(self.headers["Content-Length"])))
            if not found["reference"].startswith("sha256:"):
                set_tag(found["name"], found["reference"], digest)
            self._answer(HTTPStatus.CREATED, b"", Location=path, **{"Docker-Content-Digest": digest})
        else:
            self._missing("UNSUPPORTED", path)

    def _commit(self, upload: Path, query: str) -> None:
        from urllib.parse import parse_qs

        self._receive(upload)
        digest = parse_qs(query)["digest"][0]
        with upload.open("rb") as data:
            found = f"sha256:{hashlib.file_digest(data, 'sha256').hexdigest()}"
        if found != digest:
            upload.unlink()
            self._missing("DIGEST_INVALID", digest, HTTPStatus.BAD_REQUEST)
            return
        blob(digest).parent.mkdir(parents=True, exist_ok=True)
        upload.replace(blob(digest))
        self._answer(HTTPStatus.CREATED, b"", Location=self.path, **{"Docker-Content-Digest": digest})

    def _receive(self, upload: Path) -> int:
        with upload.open("ab") as out:
            if self.headers.get("Transfer-Encoding", "").lower() == "chunked":
                while size := int(self.rfile.readline().split(b";")[0], 16):
                    out.write(self.rfile.read(size))
                    self.rfile.readline()
                self.rfile.readline()
            else:
                out.write(self.rfile.read(int(self.headers.get("Content-Length", 0))))
            return out.tell()

    def _manifest(self, name: str, reference: str) -> None:
        if not reference.startswith("sha256:"):
            try:
                reference = tag(name, reference).read_text()
            except (FileNotFoundError, NotADirectoryError):
                self._missing("MANIFEST_UNKNOWN", f"{name}:{reference}")
                return
        try:
            kind = json.loads(blob(reference).read_bytes())["mediaType"]
        except FileNotFoundError:
            self._missing("MANIFEST_UNKNOWN", f"{name}@{reference}")
            return
        self._file(reference, kind)

    def _file(self, digest: str, kind: str) -> None:
        try:
            file = blob(digest).open("rb")
        except FileNotFoundError:
            self._missing("BLOB_UNKNOWN", digest)
            return
        with file:
            self.send_response(HTTPStatus.OK)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(blob(digest).stat().st_size))
            self.send_header("Docker-Content-Digest", digest)
            self.end_headers()
            if self.command == "GET":
                shutil.copyfileobj(file, self.wfile, 1 << 20)

    def _missing(self, code: str, what: str, status: HTTPStatus = HTTPStatus.NOT_FOUND) -> None:
        self._answer(status, json.dumps({"errors": [{"code": code, "message": what}]}).encode())

    def _answer(self, status: HTTPStatus, body: bytes, **headers: str) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Type": "application/json", "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


def serve(address: str = GATEWAY, port: int = REGISTRY_PORT) -> None:
    ThreadingHTTPServer.request_queue_size = 64
    ThreadingHTTPServer((address, port), Handler).serve_forever()


if __name__ == "__main__":
    serve()
