"""Granting by who holds the keys: what lies where is looked up with the `minio` client, the ways are URLs that it signs.

Blocking. Uploads in parts are begun, completed and ended here, so that who goes the ways needs no right but to write its
parts. Called by the S3 store, and by the scheduler on behalf of companions.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from io import BytesIO
from typing import Final, TypeVar

from minio import Minio
from minio.datatypes import ListMultipartUploadsResult, Object, Part
from minio.deleteobjects import DeleteObject
from minio.error import InvalidResponseError, MinioException, S3Error, ServerError
from urllib3.exceptions import HTTPError

from headrace_companion.buckets.connecting import Connection
from headrace_companion.buckets.granting import MOST_PARTS, VALID_S
from headrace_companion.buckets.layout import (
    LARGEST,
    LONGEST_KEY,
    SINGLE,
    Manifest,
    belongs_to,
    in_order,
    is_hidden,
    manifest_key,
    part_count,
    part_size,
    pieces_key,
    upload_key,
)
from headrace_companion.remote.sources import Ambient
from headrace_companion.results import LOG_FILE
from headrace_companion.store import StoreDown, StoreError
from headrace_protos.v1.access_pb2 import Complete, Put, Want, Way

ABSENT: Final = frozenset({"NoSuchKey", "NoSuchObject", "ResourceNotFound", "KeyTooLongError"})
DENIED: Final = frozenset(
    {"AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken", "InvalidToken", "Forbidden"}
)
BUSY: Final = frozenset({408, 425, 429, 500, 502, 503, 504})
DIGEST: Final = "x-amz-meta-headrace-digest"
THREADS: Final = 16
MOST_SIGNED: Final = (
    2_000  # objects of a folder; ways to further ones are asked for one by one, or an answer grows too large
)
T = TypeVar("T")


class SigningGranter:
    """All buckets of one server."""

    def __init__(self, connection: Connection, ambient: Ambient, valid_s: int = VALID_S) -> None:
        self._connection = connection
        self._client: Minio = connection.client(ambient)
        self._signer: Minio = connection.signer(ambient)
        self._valid = timedelta(seconds=valid_s)
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="headrace-granting")

    def ask(self, wants: Sequence[Want]) -> Sequence[Way]:
        if len(wants) == 1:
            return [self._way(wants[0])]
        return list(self._threads.map(self._way, wants))

    def read_url(self, uri: str) -> str:
        return self._sign("GET", *split(uri))

    def close(self) -> None:
        self._threads.shutdown()

    def make_bucket(self, uri: str) -> None:
        """Make the bucket where it is not there."""
        bucket, _ = split(uri)
        self._calling(uri, lambda: self._client.bucket_exists(bucket) or self._client.make_bucket(bucket))

    def unfinished(self, uri: str, older_than: datetime) -> list[tuple[str, str]]:
        """(URI, upload) of the uploads beneath URI that were begun before."""
        bucket, prefix = split(uri)
        scheme = uri.partition("://")[0]
        found: list[tuple[str, str]] = []
        key_marker: str | None = None
        upload_marker: str | None = None

        def list_page() -> ListMultipartUploadsResult:
            return self._client._list_multipart_uploads(
                bucket, prefix=prefix, key_marker=key_marker, upload_id_marker=upload_marker
            )

        while True:
            page = self._calling(uri, list_page)
            for one in page.uploads:
                begun = one.initiated_time or datetime.now(UTC)
                if begun < older_than:
                    found.append((f"{scheme}://{bucket}/{one.object_name}", one.upload_id or ""))
            if not page.is_truncated:
                return found
            key_marker, upload_marker = page.next_key_marker, page.next_upload_id_marker

    def _way(self, want: Want) -> Way:
        kind = want.WhichOneof("kind")
        uri = (
            {"put": want.put.uri, "complete": want.complete.uri}.get(kind or "")
            or want.find
            or want.abort
            or want.delete
        )
        bucket, key = split(uri)
        if len(key.encode("utf-8", "surrogatepass")) > LONGEST_KEY:
            problem = (
                ""
                if kind in ("find", "delete")
                else f"{uri[:80]}… is longer than {LONGEST_KEY} bytes, which S3 refuses"
            )
            return Way(missing=not problem, problem=problem)
        work: dict[str, Callable[[], Way]] = {
            "find": lambda: self._find(bucket, key, look=want.look),
            "put": lambda: self._put(bucket, key, want.put),
            "complete": lambda: self._complete(bucket, key, want.complete),
            "abort": lambda: self._abort(bucket, key, want.upload),
            "delete": lambda: self._delete(bucket, key, [split(one)[1] for one in want.spared]),
        }
        if kind is None:
            return Way(problem="nothing was asked for")
        return self._calling(uri, work[kind])

    def _find(self, bucket: str, key: str, *, look: bool) -> Way:
        found = self._stat(bucket, key)
        if found is not None:
            way = Way(digest=_digest(found))
            url = "" if look else self._sign("GET", bucket, key)
            way.objects.add(size=found.size or 0, url=url, digest=way.digest, etag=found.etag or "")
            return way
        kinds = [self._folder, self._pieces] if not key.endswith(LOG_FILE) else [self._pieces, self._folder]
        return kinds[0](bucket, key, look) or kinds[1](bucket, key, look) or Way(missing=True)

    def _folder(self, bucket: str, key: str, look: bool) -> Way | None:
        """The files of a folder: as its manifest says or, where somebody else wrote it, all that lie there."""
        manifest = self._manifest(bucket, key)
        if manifest is None:
            return self._listed(bucket, key, look)
        way = Way(is_folder=True, empty_folders=manifest.empty_folders, missing=not manifest.whole)
        for number, file in enumerate(manifest.files if manifest.whole else ()):
            url = "" if look or number >= MOST_SIGNED else self._sign("GET", bucket, f"{key}/{file.name}")
            way.objects.add(name=file.name, size=file.size, digest=file.digest, url=url)
        return way

    def _listed(self, bucket: str, key: str, look: bool) -> Way | None:
        way = Way(is_folder=True)
        for one in self._beneath(bucket, f"{key}/"):
            path = one.object_name or ""
            name = path[len(key) + 1 :]
            if not name or name.endswith("/") or is_hidden(name):
                continue  # a marker that stands for a folder, or ours
            url = "" if look or len(way.objects) >= MOST_SIGNED else self._sign("GET", bucket, path)
            modified = int(one.last_modified.timestamp() * 1e6) if one.last_modified else 0
            way.objects.add(name=name, size=one.size or 0, url=url, etag=one.etag or "", modified_us=modified)
        return way if way.objects else None

    def _pieces(self, bucket: str, key: str, look: bool) -> Way | None:
        prefix = f"{pieces_key(key)}/"
        sizes = {(one.object_name or "")[len(prefix) :]: one.size or 0 for one in self._beneath(bucket, prefix)}
        way = Way(growing=True)
        for name in in_order(sizes):
            url = "" if look else self._sign("GET", bucket, prefix + name)
            way.objects.add(name=name, size=sizes[name], url=url)
        return way if way.objects else None

    def _put(self, bucket: str, key: str, asked: Put) -> Way:
        if asked.size > LARGEST:
            return Way(problem=f"{asked.uri} would have {asked.size} bytes, more than the {LARGEST} that S3 takes")
        if asked.size <= SINGLE:
            return Way(url=self._sign("PUT", bucket, key))
        way = Way(upload=asked.upload, part_size=part_size(asked.size))
        wanted: Iterable[int] = asked.parts
        if not asked.upload:
            way.upload = self._continued(bucket, key, asked, way) or self._begin(bucket, key, asked)
            there = {part.number for part in way.parts}
            wanted = [number for number in range(1, part_count(asked.size) + 1) if number not in there][:MOST_PARTS]
        for number in wanted:
            query = {"partNumber": str(number), "uploadId": way.upload}
            way.parts.add(number=number, url=self._sign("PUT", bucket, key, query))
        return way

    def _begin(self, bucket: str, key: str, asked: Put) -> str:
        headers: dict[str, str | list[str] | tuple[str]] = {DIGEST: asked.digest} if asked.digest else {}
        upload = self._client._create_multipart_upload(bucket, key, headers)
        self._write(bucket, upload_key(key), {"upload": upload, "size": asked.size, "digest": asked.digest})
        return upload

    def _continued(self, bucket: str, key: str, asked: Put, way: Way) -> str:
        """The unfinished upload of the same content, its parts put into WAY; "" where there is none. One of other content
        is ended.
        """
        text = self._text(bucket, upload_key(key))
        if text is None:
            return ""
        held = json.loads(text)
        upload = str(held["upload"])
        if not asked.digest or (held["size"], held["digest"]) != (asked.size, asked.digest):
            self._end(bucket, key, upload)
            return ""
        marker: str | None = None
        try:
            while True:
                page = self._client._list_parts(bucket, key, upload, part_number_marker=marker)
                for one in page.parts:
                    etag = (one.etag or "").strip('"')
                    way.parts.add(number=one.part_number, etag=etag, size=one.size or 0)
                if not page.is_truncated:
                    return upload
                marker = str(page.next_part_number_marker)
        except S3Error as error:
            if error.code != "NoSuchUpload":
                raise
            del way.parts[:]
            return ""

    def _complete(self, bucket: str, key: str, asked: Complete) -> Way:
        parts = [Part(one.number, one.etag) for one in sorted(asked.parts, key=lambda part: part.number)]
        try:
            self._client._complete_multipart_upload(bucket, key, asked.upload, parts)
        except S3Error as error:
            if error.code != "NoSuchUpload":  # completed before, and the answer was lost
                raise
        found = self._stat(bucket, key)
        if found is None or found.size != asked.size:
            there = "nothing" if found is None else f"{found.size} bytes"
            raise StoreDown(f"{asked.uri} was uploaded with {asked.size} bytes, but {there} lies there now")
        self._client.remove_object(bucket, upload_key(key))
        return Way(digest=_digest(found))

    def _abort(self, bucket: str, key: str, upload: str) -> Way:
        self._end(bucket, key, upload)
        self._client.remove_object(bucket, upload_key(key))
        return Way()

    def _end(self, bucket: str, key: str, upload: str) -> None:
        try:
            self._client._abort_multipart_upload(bucket, key, upload)
        except S3Error as error:
            if error.code != "NoSuchUpload":
                raise

    def _delete(self, bucket: str, key: str, spared: Sequence[str]) -> Way:
        """The object or folder and what belongs to it; a folder's manifest last, so that half a folder is never one."""
        if any(key == one or key.startswith(f"{one}/") for one in spared):
            return Way()
        text = None if is_hidden(key) else self._text(bucket, upload_key(key))
        if text is not None:
            self._abort(bucket, key, str(json.loads(text)["upload"]))
        beneath = [one.object_name or "" for one in self._beneath(bucket, f"{key}/")]
        doomed = [path for path in beneath if not belongs_to(path, spared)]
        for path in doomed:
            folder, found, name = path.rpartition(upload_key(""))
            if found:  # an unfinished upload beneath
                self._abort(bucket, folder + name, str(json.loads(self._text(bucket, path) or "{}").get("upload", "")))
        if not is_hidden(key):
            doomed += [one.object_name or "" for one in self._beneath(bucket, f"{pieces_key(key)}/")]
        self._remove(bucket, doomed)
        self._remove(bucket, [key] if is_hidden(key) else [key, manifest_key(key)])
        return Way()

    def _remove(self, bucket: str, keys: Sequence[str]) -> None:
        if len(keys) <= 2:
            for key in keys:
                self._client.remove_object(bucket, key)
            return
        for problem in self._client.remove_objects(bucket, [DeleteObject(key) for key in keys]):
            raise StoreError(f"{problem.name} could not be deleted: {problem.code}: {problem.message}")

    def _beneath(self, bucket: str, prefix: str) -> Iterable[Object]:
        found: Iterable[Object] = self._client.list_objects(bucket, prefix=prefix, recursive=True)
        return found

    def _stat(self, bucket: str, key: str) -> Object | None:
        try:
            return self._client.stat_object(bucket, key)
        except S3Error as error:
            if error.code in ABSENT:
                return None
            raise

    def _manifest(self, bucket: str, key: str) -> Manifest | None:
        text = None if is_hidden(key) else self._text(bucket, manifest_key(key))
        try:
            return None if text is None else Manifest.from_json(text)
        except (ValueError, KeyError, TypeError) as wrong:
            raise StoreError(f"what the folder {key} is made of cannot be read: {wrong}") from wrong

    def _text(self, bucket: str, key: str) -> bytes | None:
        try:
            answer = self._client.get_object(bucket, key)
        except S3Error as error:
            if error.code in ABSENT:
                return None
            raise
        with contextlib.closing(answer):
            data = answer.read()
        answer.release_conn()
        return data

    def _write(self, bucket: str, key: str, held: object) -> None:
        text = json.dumps(held).encode()
        self._client.put_object(bucket, key, BytesIO(text), len(text))

    def _sign(self, method: str, bucket: str, key: str, query: dict[str, str] | None = None) -> str:
        asked: dict[str, str | list[str] | tuple[str]] | None = dict(query) if query else None
        return self._signer.get_presigned_url(method, bucket, key, self._valid, extra_query_params=asked)

    def _calling(self, uri: str, work: Callable[[], T]) -> T:
        try:
            return work()
        except (MinioException, HTTPError, OSError) as error:
            raise why(error, uri, self._connection.endpoint) from error
        except ValueError as wrong:  # a bucket's name, or a key, that the client refuses; or keys that it cannot read
            raise StoreError(f"{uri} cannot be reached: {wrong}") from wrong


def split(uri: str) -> tuple[str, str]:
    """`s3://bucket/a/b` → bucket and `a/b`; keys may hold `#` and `?`."""
    bucket, _, key = uri.partition("://")[2].partition("/")
    return bucket, key


def why(error: Exception, uri: str, endpoint: str) -> StoreError:
    """The error as one of ours, in a sentence without keys or signatures."""
    if isinstance(error, S3Error):
        if error.code == "NoSuchBucket":
            return StoreError(
                f"the bucket {split(uri)[0]!r} is not at {endpoint}: make it, or correct the artifact root"
            )
        if error.code in DENIED:
            return StoreError(
                f"the store at {endpoint} refuses access to {uri} ({error.code}): check the keys (AWS_ACCESS_KEY_ID and "
                "AWS_SECRET_ACCESS_KEY, or those in HEADRACE_STORES_FILE) and what they may do in that bucket"
            )
        text = f"the store at {endpoint} cannot serve {uri}: {error.code}: {error.message}"
        return StoreDown(text) if error.response.status in BUSY else StoreError(text)
    if isinstance(error, ServerError) or (isinstance(error, InvalidResponseError) and error._code in BUSY):
        return StoreDown(f"the store at {endpoint} is busy: {error}")
    if isinstance(error, HTTPError | OSError):
        reason = getattr(error, "reason", None) or error
        return StoreDown(f"the store at {endpoint} does not answer: {_plain(reason)}")
    return StoreError(f"{uri} cannot be reached: {error}")


def _plain(reason: object) -> str:
    """Without the URL that was asked for."""
    text = str(reason)
    return text.partition(": ")[2] or type(reason).__name__ if "HTTPConnection" in text else text


def _digest(found: Object) -> str:
    metadata = found.metadata or {}
    return str(metadata.get(DIGEST, ""))
