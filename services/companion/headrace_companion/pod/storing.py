"""The artifact store as this attempt may use it: by ways that the scheduler grants, without a key to it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from headrace_companion.buckets.asking import attempt_store
from headrace_companion.pod.calling import GaveUp, Scheduler
from headrace_companion.remote.sources import Ambient
from headrace_companion.store import ArtifactStore, StoreError
from headrace_protos.v1.access_pb2 import Want, Way

PATIENCE_S = 600.0  # a store that is down for so long: the attempt is given up, and tried again by another Pod


def store_of(
    prefix: str, scheduler: Scheduler, environ: Mapping[str, str], outputs: Sequence[str] = ()
) -> ArtifactStore:
    """The store that the prefix lies in; `outputs` are artifacts that the attempt may put there. A folder is a store where
    both ends see the same disk, as in tests.
    """
    if prefix.startswith("file://"):
        from headrace_companion.folder_store import FolderStore

        return FolderStore.from_uri(environ.get("HEADRACE_ARTIFACT_ROOT") or prefix.rpartition("/")[0])

    def ask(wants: Sequence[Want]) -> Sequence[Way]:
        try:
            return scheduler.access(wants)
        except GaveUp as refused:
            raise StoreError(str(refused)) from refused

    return attempt_store(prefix, ask, Ambient(environ), outputs, PATIENCE_S)
