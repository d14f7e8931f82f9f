"""S3-compatible stores as a source: `s3://`, `minio://` and, by its S3-compatible API, `gs://`. Called by fetching.

Credentials are the platform's own, from the standard variables (or the shared credentials file, or the role that the
environment names); without any, requests are anonymous, which is enough for public buckets. Nothing asks a cloud's
metadata address on its own account: on a laptop that only waits.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

from minio import Minio
from minio.credentials.providers import Provider, StaticProvider
from minio.error import InvalidResponseError, MinioException, S3Error, ServerError
from urllib3.exceptions import HTTPError

from headrace_companion.buckets.connecting import AMAZON, keys_of
from headrace_companion.remote.connections import manager
from headrace_companion.remote.http_source import BUSY, chunks, no_answer
from headrace_companion.remote.sources import Ambient, Broken, FetchFailed, Found, Limits, NothingThere, Transfer
from headrace_companion.store import KeyRefused, checked_key

GOOGLE: Final = "https://storage.googleapis.com"
ABSENT: Final = frozenset({"NoSuchKey", "NoSuchBucket", "NoSuchObject", "ResourceNotFound"})
DENIED: Final = frozenset(
    {"AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken", "InvalidToken", "Forbidden"}
)
MOST_OBJECTS: Final = 100_000


class ObjectSource:
    """One scheme's store. An object at exactly the key is a file; else what lies below `key/` is a folder."""

    def __init__(self, scheme: str, ambient: Ambient, limits: Limits) -> None:
        self._scheme = scheme
        self._ambient = ambient
        self._limits = limits
        self._client: Minio | None = None

    def find(self, uri: str, known: Sequence[str]) -> Found | str:
        bucket, key = bucket_and_key(uri)
        client = self.client(uri)
        try:
            found = self._one(client, uri, bucket, key) or self._below(client, uri, bucket, key)
        except (MinioException, HTTPError, ValueError) as error:
            raise self.why(error, uri) from error
        return found.version if found.version in known else found

    def version(self, uri: str) -> str:
        found = self.find(uri, ())
        return found if isinstance(found, str) else found.version

    def _one(self, client: Minio, uri: str, bucket: str, key: str) -> Found | None:
        if not key or key.endswith("/"):
            return None
        try:
            stat = client.stat_object(bucket, key)
        except S3Error as error:
            if error.code == "NoSuchKey":
                return None
            raise
        one = _Object(self, client, uri, bucket, key, "", int(stat.size or 0), stat.etag or "")
        return Found(one.etag, is_folder=False, objects=[one])

    def _below(self, client: Minio, uri: str, bucket: str, key: str) -> Found:
        prefix = f"{key.rstrip('/')}/" if key else ""
        objects: list[_Object] = []
        for listed in client.list_objects(bucket, prefix=prefix, recursive=True):
            name = (listed.object_name or "")[len(prefix) :]
            if not name or name.endswith("/"):
                continue  # a marker that stands for a folder
            try:
                checked_key(name)
            except KeyRefused as refused:
                raise FetchFailed(f"{uri} holds {name!r}, which would lie outside its folder: {refused}") from refused
            etag = listed.etag or ""
            objects.append(
                _Object(self, client, uri, bucket, listed.object_name or "", name, int(listed.size or 0), etag)
            )
            if len(objects) > MOST_OBJECTS:
                raise FetchFailed(f"{uri} holds more than {MOST_OBJECTS} objects; import a smaller prefix")
        if not objects:
            raise NothingThere(f"{uri} cannot be fetched: there is nothing")
        text = "\n".join(f"{one.name} {one.size} {one.etag}" for one in objects)
        return Found(hashlib.sha256(text.encode()).hexdigest(), is_folder=True, objects=objects)

    def client(self, uri: str) -> Minio:
        """The connection to the store."""
        if self._client is None:
            endpoint, region = self._endpoint(uri)
            parts = urlsplit(endpoint if "://" in endpoint else f"https://{endpoint}")
            self._client = Minio(
                parts.netloc,
                secure=parts.scheme == "https",
                region=region or None,
                credentials=self._credentials(),
                http_client=manager(endpoint, self._ambient, self._limits.silence_s),
            )
        return self._client

    def _endpoint(self, uri: str) -> tuple[str, str]:
        first = self._ambient.first
        if self._scheme == "gs":
            return first("HEADRACE_GS_ENDPOINT_URL") or GOOGLE, "auto"
        given = first("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL")
        if self._scheme == "minio" and not given:
            raise FetchFailed(f"{uri} cannot be fetched: minio:// needs its server's address in AWS_ENDPOINT_URL_S3")
        return given or AMAZON, first("AWS_REGION", "AWS_DEFAULT_REGION")

    def _credentials(self) -> Provider | None:
        """Keys from the environment, the shared file, or a role; None: anonymous."""
        first = self._ambient.first
        if self._scheme == "gs":
            key, secret = first("HEADRACE_GS_ACCESS_KEY_ID"), first("HEADRACE_GS_SECRET_ACCESS_KEY")
            return StaticProvider(key, secret) if key and secret else None
        return keys_of(self._ambient)

    def why(self, error: Exception, uri: str) -> Exception:
        """The error as one of ours, in a sentence."""
        if isinstance(error, S3Error):
            if error.code in ABSENT:
                return NothingThere(f"{uri} cannot be fetched: there is nothing ({error.code})")
            if error.code in DENIED:
                variables = "HEADRACE_GS_ACCESS_KEY_ID" if self._scheme == "gs" else "AWS_ACCESS_KEY_ID"
                return FetchFailed(
                    f"{uri} cannot be reached: the store refuses access ({error.code}); "
                    f"start the platform with credentials for it ({variables} and its secret)"
                )
            text = f"{uri} cannot be fetched: {error.code}: {error.message}"
            return Broken(text) if error.response.status in BUSY else FetchFailed(text)
        if isinstance(error, ServerError) or (isinstance(error, InvalidResponseError) and error._code in BUSY):
            return Broken(f"{uri} cannot be fetched: {error}")
        if isinstance(error, HTTPError):
            reason = getattr(error, "reason", None)
            return no_answer(reason if isinstance(reason, Exception) else error, uri, self._endpoint(uri)[0])
        return FetchFailed(f"{uri} cannot be fetched: {error}")


def bucket_and_key(uri: str) -> tuple[str, str]:
    """`s3://bucket/a/b` → bucket and `a/b`; keys may hold `#` and `?`. Raises FetchFailed."""
    bucket, _, key = uri.partition("://")[2].partition("/")
    if not bucket:
        raise FetchFailed(f"{uri} cannot be fetched: it names no bucket")
    return bucket, key


@dataclass(slots=True)
class _Object:
    """One object of a bucket; only the version that was listed is read."""

    source: ObjectSource
    client: Minio
    uri: str
    bucket: str
    key: str
    name: str
    size: int
    etag: str

    def read(self, offset: int) -> Transfer:
        headers: dict[str, Any] = {"If-Match": f'"{self.etag}"'} if self.etag else {}
        try:
            answer = self.client.get_object(self.bucket, self.key, offset=offset, request_headers=headers)
        except (MinioException, HTTPError) as error:
            if isinstance(error, S3Error) and error.code == "PreconditionFailed":
                raise Broken(f"{self.uri} changed while it was fetched") from error
            raise self.source.why(error, self.uri) from error
        return Transfer(offset, chunks(answer, self.uri))
