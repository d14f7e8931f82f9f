"""The folder store of a platform whose tasks run on its own machine: it also reaches every other folder there.

So a run may publish to a root of its own (`file:///data/runs`), and its artifacts are read where they are. Keys of such
places begin with `:`, which no key of the store's own folder does. Embedded and process executor only: what tasks may
write there is what their user may write. On a cluster no such folder is shared.
"""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import Final
from urllib.parse import quote

from headrace_companion.folder_store import INCOMING, UNQUOTED, FolderStore, folder_of_uri
from headrace_companion.store import KeyRefused, checked_key

OUTSIDE: Final = ":"


class MachineStore(FolderStore):
    """`root` is the store's own folder; what lies elsewhere has keys like `:/data/runs/x`."""

    def uri(self, key: str) -> str:
        if not is_outside(key):
            return super().uri(key)
        return "file://" + quote(checked_key(key)[len(OUTSIDE) :], safe=UNQUOTED)

    def key(self, uri: str) -> str | None:
        folder = folder_of_uri(uri)
        if folder is None or ".." in folder.parts:
            return None
        if folder == self.folder or self.folder in folder.parents:
            return super().key(uri)
        try:
            return checked_key(OUTSIDE + str(folder))
        except KeyRefused:
            return None

    def path(self, key: str) -> Path:
        if not is_outside(key):
            return super().path(key)
        return Path(checked_key(key)[len(OUTSIDE) :])

    def _key_of(self, path: Path) -> str:
        return super()._key_of(path) if self.folder in path.parents else f"{OUTSIDE}{path}"

    def _fresh(self, target: Path) -> Path:
        if self.folder in target.parents:
            return super()._fresh(target)
        target.parent.mkdir(parents=True, exist_ok=True)
        return target.parent / f"{INCOMING}-{uuid.uuid4().hex}"


def is_outside(key: str) -> bool:
    """Whether a key names a place that is not in the platform's own folder."""
    return key.startswith(OUTSIDE + "/")
