"""The artifact store as this attempt may use it: by ways that the scheduler grants, without a key to it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from headrace_companion.buckets.granted_store import GrantedStore
from headrace_companion.buckets.transferring import Transfers
from headrace_companion.pod.calling import GaveUp, Scheduler
from headrace_companion.remote.connections import manager
from headrace_companion.remote.sources import Ambient
from headrace_companion.store import ArtifactStore, StoreDown, StoreError
from headrace_protos.v1.access_pb2 import Want, Way
from headrace_servicekit.errors import ServiceError

SILENCE_S = 30.0
PATIENCE_S = 600.0  # a store that is down for so long: the attempt is given up, and tried again by another Pod


class Asking:
    """The granter of a Pod: asks the scheduler, which checks that this attempt may."""

    def __init__(self, scheduler: Scheduler) -> None:
        self._scheduler = scheduler

    def ask(self, wants: Sequence[Want]) -> Sequence[Way]:
        try:
            return self._scheduler.access(wants)
        except ServiceError as away:
            raise StoreDown(f"the scheduler does not answer: {away}") from away
        except GaveUp as refused:
            raise StoreError(str(refused)) from refused

    def read_url(self, uri: str) -> str:
        return ""


def store_of(prefix: str, scheduler: Scheduler, environ: Mapping[str, str]) -> ArtifactStore:
    """The store that the prefix lies in. A folder is one where both ends see the same disk, as in tests."""
    if prefix.startswith("file://"):
        from headrace_companion.folder_store import FolderStore

        return FolderStore.from_uri(environ.get("HEADRACE_ARTIFACT_ROOT") or prefix.rpartition("/")[0])
    ambient = Ambient(environ)
    transfers = Transfers(lambda url: manager(url, ambient, SILENCE_S))
    return GrantedStore(prefix.rpartition("/")[0], Asking(scheduler), transfers, PATIENCE_S)
