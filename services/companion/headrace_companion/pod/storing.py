"""The artifact store as this attempt may use it: by ways that the scheduler grants, without a key to it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from headrace_companion.buckets.asking import Ask, asking_store, attempt_store
from headrace_companion.pod.calling import GaveUp, Scheduler
from headrace_companion.remote.sources import Ambient
from headrace_companion.store import ArtifactStore, StoreError
from headrace_protos.v1.access_pb2 import Want, Way

PATIENCE_S: Final = 600.0  # a store that is down for so long: the attempt is given up, and tried again by another Pod
PACKAGES_PATIENCE_S: Final = 10.0  # pip installs them as well


def store_of(
    prefix: str, scheduler: Scheduler, environ: Mapping[str, str], outputs: Sequence[str] = ()
) -> ArtifactStore:
    """The store that the prefix lies in; `outputs` are artifacts that the attempt may put there."""
    if prefix.startswith("file://"):
        return _folder(environ)
    return attempt_store(prefix, _asking(scheduler), Ambient(environ), outputs, PATIENCE_S)


def packages_store_of(uri: str, scheduler: Scheduler, environ: Mapping[str, str]) -> ArtifactStore:
    """The store with the one object that the task shares with its like."""
    if uri.startswith("file://"):
        return _folder(environ)
    return asking_store(uri.rpartition("/")[0], _asking(scheduler), Ambient(environ), PACKAGES_PATIENCE_S)


def _asking(scheduler: Scheduler) -> Ask:
    def ask(wants: Sequence[Want]) -> Sequence[Way]:
        try:
            return scheduler.access(wants)
        except GaveUp as refused:
            raise StoreError(str(refused)) from refused

    return ask


def _folder(environ: Mapping[str, str]) -> ArtifactStore:
    """Where both ends see the same disk, as in tests."""
    from headrace_companion.folder_store import FolderStore

    return FolderStore.from_uri(environ["HEADRACE_ARTIFACT_ROOT"])
