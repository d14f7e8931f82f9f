"""One large object in parts, several at once; an upload that was broken off goes on where it was. Blocking.

Parts that lie there already are believed when their checksum is that of the same range of the file. Called by granted_store.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Executor, Future, wait
from dataclasses import dataclass, field
from typing import Final, Protocol

from headrace_companion.buckets.granting import MOST_PARTS
from headrace_companion.buckets.transferring import Expired, Patience, Transfers, md5_of
from headrace_companion.store import ObjectMissing, StoreError
from headrace_protos.v1.access_pb2 import Complete, Put, Want, Way

TRIES: Final = 3  # whole uploads, where the store forgets one that is on its way


class Asker(Protocol):
    """Who has ways."""

    def ask(self, wants: Sequence[Want]) -> list[Way]: ...


@dataclass
class _Upload:
    """One upload on its way."""

    asker: Asker
    transfers: Transfers
    patience: Patience
    threads: Executor
    uri: str
    descriptor: int
    offset: int
    size: int
    digest: str
    upload: str = ""
    part_size: int = 0
    done: dict[int, str] = field(default_factory=dict)

    def run(self) -> None:
        way = self._ask([])
        self.upload, self.part_size = way.upload, way.part_size
        for part in way.parts:
            if not part.url and self._is_ours(part):
                self.done[part.number] = part.etag
        urls = {part.number: part.url for part in way.parts if part.url}
        fruitless = 0
        while missing := [number for number in range(1, self._count + 1) if number not in self.done]:
            batch = {number: urls[number] for number in missing if number in urls} or {
                part.number: part.url for part in self._ask(missing[:MOST_PARTS]).parts
            }
            before = len(self.done)
            expired = self._send(batch)
            urls = {}
            fruitless = fruitless + 1 if len(self.done) == before else 0
            if fruitless == 2:
                raise StoreError(
                    f"the store refuses parts of {self.uri} ({expired}): check what the platform's keys may do"
                )
        parts = [Complete.Part(number=number, etag=self.done[number]) for number in sorted(self.done)]
        complete = Complete(uri=self.uri, upload=self.upload, parts=parts, size=self.size)
        self.asker.ask([Want(complete=complete)])

    @property
    def _count(self) -> int:
        return -(-self.size // self.part_size)

    def _ask(self, parts: Sequence[int]) -> Way:
        asked = Put(uri=self.uri, size=self.size, digest=self.digest, upload=self.upload, parts=parts)
        return self.asker.ask([Want(put=asked)])[0]

    def _send(self, urls: dict[int, str]) -> Expired | None:
        """Put the parts; those whose way has expired are left for another."""
        sent: dict[int, Future[str]] = {
            number: self.threads.submit(self._part, number, url) for number, url in urls.items()
        }
        wait(sent.values())
        expired: Expired | None = None
        for number, future in sent.items():
            error = future.exception()
            if error is None:
                self.done[number] = future.result()
            elif isinstance(error, Expired):
                expired = error
            else:
                raise error
        return expired

    def _part(self, number: int, url: str) -> str:
        start, length = self._range(number)
        return self.patience.trying(lambda: self.transfers.put(url, self.descriptor, start, length))

    def _range(self, number: int) -> tuple[int, int]:
        start = (number - 1) * self.part_size
        return self.offset + start, min(self.part_size, self.size - start)

    def _is_ours(self, part: Way.PartUrl) -> bool:
        if part.number > self._count:
            return False
        start, length = self._range(part.number)
        return part.size == length and part.etag == md5_of(self.descriptor, start, length)


def upload_in_parts(
    asker: Asker,
    transfers: Transfers,
    patience: Patience,
    threads: Executor,
    uri: str,
    descriptor: int,
    offset: int,
    size: int,
    digest: str,
) -> None:
    """Store a range of a file at URI."""
    for tries in range(TRIES):
        try:
            _Upload(asker, transfers, patience, threads, uri, descriptor, offset, size, digest).run()
        except ObjectMissing as forgotten:
            if tries == TRIES - 1:
                raise StoreError(f"{uri} cannot be stored: the store forgets the upload while it runs") from forgotten
        else:
            return
