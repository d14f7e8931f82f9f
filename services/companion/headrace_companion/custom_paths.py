"""Where user code says that an output artifact lies (`set_path`, the metadata file's `custom_path`), and whether it may be
published from there.

Inside the attempt's folder anything goes that may be published at all. Elsewhere only where publisher and user code are one
user on one machine (the process executor), so that nothing is read which the code itself could not read; then it is copied,
because the place is not the attempt's own. Links are never followed, but for those of the system (macOS's /tmp is one).
Called by publishing; what is opened, and how, is `beneath`.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from headrace_companion.assignment import Folders
from headrace_companion.folder_store import folder_of_uri
from headrace_companion.store import SourceRefused

Bind = tuple[str, str]
"""A folder, and the path at which user code alone saw it."""

TOP: Final = Path("/")
NO_DISKS: Final = tuple(map(Path, ("/proc", "/sys")))  # what is read there is the reader's, not the task's


@dataclass(frozen=True, slots=True)
class Source:
    """Local content to publish: links beneath `within` are refused; `move`: the store may take the files themselves."""

    path: Path
    within: Path
    move: bool = True


def custom_source(said: str, folders: Folders, store_root: str, binds: Sequence[Bind], *, anywhere: bool) -> Source:
    """The place that user code named, relative to its working folder. Raises SourceRefused with what to do instead."""
    path = Path(os.path.normpath(folders.work / said))
    for folder, target in sorted(binds, key=lambda bind: len(bind[1]), reverse=True):
        if path.is_relative_to(target):
            return Source(folder / path.relative_to(target), Path(folder).parent, move=False)
    if folders.top in path.parents:
        return Source(path, folders.top)
    if not anywhere:
        raise SourceRefused(f"its path {said} lies outside the attempt's folder, where nothing can be read")
    path = _settled(path)
    if any(place == path or place in path.parents for place in NO_DISKS):
        raise SourceRefused(f"its path {said} is not on a disk")
    kept = [folders.top, folder_of_uri(store_root)]
    if any(place is not None and (place == path or path in place.parents) for place in kept):
        raise SourceRefused(f"its path {said} is a folder that the platform works in; write it to one of its own")
    return Source(path, TOP, move=False)


def _settled(path: Path) -> Path:
    """The path behind links that only the system can have made; others stay, and are refused when they are opened."""
    at = TOP
    for name in path.parts[1:-1]:
        at = at / name
        try:
            found = os.lstat(at)
        except OSError:
            continue  # opening it says why
        if stat.S_ISLNK(found.st_mode) and found.st_uid == 0 and os.geteuid() != 0:
            at = Path(os.path.realpath(at))
    return at / path.name
