"""To S3-compatible stores: what a task's code says to lie at a URI there, though it wrote it on this disk. Called by fetching.

Each object appears whole or not at all; a folder appears object by object, and is registered only when all are there. Files are
opened as publishing does it, without following links.
"""

from __future__ import annotations

import hashlib
import os
from io import BufferedReader, RawIOBase
from pathlib import Path
from typing import Final

from minio import Minio
from minio.error import MinioException
from urllib3.exceptions import HTTPError

from headrace_companion import beneath
from headrace_companion.folder_store import combined
from headrace_companion.remote.object_source import ObjectSource, bucket_and_key
from headrace_companion.remote.sources import FetchFailed
from headrace_companion.store import Stored

BUFFER: Final = 1 << 20


class _Counting(RawIOBase):
    """A file that is hashed while it is read."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self.digest = hashlib.sha256()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]  # RawIOBase hands over a memoryview
        data = os.read(self._descriptor, len(buffer))
        buffer[: len(data)] = data
        self.digest.update(data)
        return len(data)


def upload(store: ObjectSource, uri: str, path: Path, within: Path) -> Stored:
    """Put the file or folder at PATH, beneath WITHIN, to URI. Raises FetchFailed, SourceRefused."""
    bucket, key = bucket_and_key(uri)
    key = key.rstrip("/")
    if not key:
        raise FetchFailed(f"{uri} names a whole bucket; name a place in it")
    client = store.client(uri)
    parts = beneath.parts_within(within, path)
    files: list[tuple[str, int, str]] = []
    is_folder = False
    try:
        with beneath.folder_of(within, parts[:-1]) as parent:
            for entry in beneath.walk(parent, parts[-1], "/".join(parts)):
                if entry.is_folder:
                    is_folder = is_folder or not entry.relative
                    continue
                target = f"{key}/{entry.relative}" if entry.relative else key
                files.append((entry.relative, *_put(client, bucket, target, entry)))
    except (MinioException, HTTPError, ValueError) as error:
        raise FetchFailed(f"nothing could be stored: {store.why(error, uri)}") from error
    return combined(files, is_folder=is_folder)


def _put(client: Minio, bucket: str, key: str, entry: beneath.Entry) -> tuple[int, str]:
    descriptor = beneath.open_file(entry.parent, entry.name, entry.relative or entry.name)
    try:
        size = os.fstat(descriptor).st_size
        counting = _Counting(descriptor)
        client.put_object(bucket, key, BufferedReader(counting, BUFFER), size)
        return size, f"sha256:{counting.digest.hexdigest()}"
    finally:
        os.close(descriptor)
