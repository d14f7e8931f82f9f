"""The artifact store as this attempt may use it."""

from __future__ import annotations

from collections.abc import Mapping

from headrace_companion.pod.calling import Scheduler
from headrace_companion.store import ArtifactStore, StoreError


def store_of(prefix: str, scheduler: Scheduler, environ: Mapping[str, str]) -> ArtifactStore:
    """The store that the prefix lies in. A folder is one where both ends see the same disk, as in tests."""
    if prefix.startswith("file://"):
        from headrace_companion.folder_store import FolderStore

        return FolderStore.from_uri(environ.get("HEADRACE_ARTIFACT_ROOT") or prefix.rpartition("/")[0])
    raise StoreError(f"{prefix} lies in no store that a Pod reaches")
