"""The S3 store: a store that grants its own ways, because it holds the keys. Made by the scheduler.

`s3://bucket/prefix` and, for the same servers, `minio://bucket/prefix`.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final

from headrace_companion.buckets.connecting import SILENCE_S, Connection
from headrace_companion.buckets.granted_store import PATIENCE_S, GrantedStore
from headrace_companion.buckets.signing import SigningGranter
from headrace_companion.buckets.transferring import Transfers
from headrace_companion.remote.connections import manager
from headrace_companion.remote.sources import Ambient
from headrace_companion.store import KeyRefused, StoreError, checked_key
from headrace_protos.v1.access_pb2 import Want

SCHEMES: Final = ("s3", "minio")


class S3Store(GrantedStore):
    """`granter` goes its ways; `granter_for_others` makes URLs that are good where companions are."""

    def __init__(self, root: str, connection: Connection, ambient: Ambient, patience_s: float = PATIENCE_S) -> None:
        self._own = SigningGranter(connection.for_ourselves(), ambient)
        self.granter_for_others = SigningGranter(connection, ambient)
        transfers = Transfers(lambda url: manager(url, ambient, SILENCE_S))
        super().__init__(checked_root(root), self._own, transfers, patience_s)

    def check(self) -> None:
        """That the bucket answers us; it is made where it is not there. Raises StoreError with what to do."""
        self._patience.trying(lambda: self._own.make_bucket(self.root))

    def end_unfinished(self, older_than: datetime) -> int:
        """End the uploads that were begun before; how many there were."""
        found = self._own.unfinished(f"{self.root}/", older_than)
        self.ask([Want(abort=uri, upload=upload) for uri, upload in found])
        return len(found)

    def close(self) -> None:
        super().close()
        self._own.close()
        self.granter_for_others.close()


def checked_root(root: str) -> str:
    """A root without a slash at its end. Raises StoreError."""
    scheme, separator, rest = root.partition("://")
    if not separator or scheme not in SCHEMES:
        raise StoreError(f"{root!r} is no S3-compatible store; write s3://bucket/prefix")
    try:
        checked_key(rest.rstrip("/"))
    except KeyRefused as refused:
        raise StoreError(f"{root!r} is not a bucket and a prefix ({refused}); write s3://bucket/prefix") from refused
    return root.rstrip("/")
