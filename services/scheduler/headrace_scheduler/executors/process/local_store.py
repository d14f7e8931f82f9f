"""What a cluster would hold for tasks and this machine holds in HOME instead: secrets, config maps, and volume claims.

    HOME/secrets/NAME/KEY      one file for each key, for nobody but its owner (0600)
    HOME/configmaps/NAME/KEY
    HOME/volumes/NAME/         a claim's files; HOME/volumes/NAME.json says which task made it

Contents of secrets go into a process's environment or a private folder and nowhere else: not into argv, logs, events, traces
or messages. Blocking; called in a thread by task_hosting and volumes.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from headrace_scheduler.executors.task_settings import MountKind

FOLDERS: Final = {
    MountKind.SECRET: "secrets",
    MountKind.CONFIG_MAP: "configmaps",
    MountKind.CLAIM: "volumes",
}
OTHERS_MAY_READ: Final = 0o077
LONGEST_NAME: Final = 253  # as on Kubernetes


class NotHere(Exception):  # noqa: N818 - read as a statement
    """Something that a task needs is not on this machine; the message says where to put it."""


@dataclass(frozen=True, slots=True)
class LocalStore:
    """The parts of HOME that stand for objects of a cluster."""

    home: Path

    def folder(self, kind: MountKind, name: str) -> Path:
        """Where an object of that name is, or would be."""
        if not name or name in (".", "..") or "/" in name or "\0" in name or not name.isprintable():
            raise NotHere(f"{name!r} cannot be the name of a {kind}")
        if len(name) > LONGEST_NAME:
            raise NotHere(f"a {kind}'s name has at most {LONGEST_NAME} characters, {name[:40]!r}… has {len(name)}")
        return self.home / FOLDERS[kind] / name

    def value(self, kind: MountKind, name: str, key: str) -> str | None:
        """The text of one key; None: it is not there."""
        folder = self.folder(kind, name)
        if not key or key in (".", "..") or "/" in key or "\0" in key:
            raise NotHere(f"{key!r} cannot be a key of the {kind} '{name}'")
        try:
            text = (folder / key).read_bytes().decode()
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
            return None
        except PermissionError:
            raise NotHere(f"the {kind} '{name}' is in {folder}, but its file '{key}' may not be read") from None
        except UnicodeDecodeError:
            raise NotHere(
                f"the key '{key}' of the {kind} '{name}' is no UTF-8 text: mount it as a file instead of a variable"
            ) from None
        if "\0" in text:
            raise NotHere(f"the key '{key}' of the {kind} '{name}' holds a NUL, which no variable can hold")
        return text

    def open_to_others(self, name: str) -> bool:
        """Whether other users of this machine may read a secret."""
        folder = self.folder(MountKind.SECRET, name)
        files = [one for one in folder.iterdir() if one.is_file()] if folder.is_dir() else []
        return any(one.stat().st_mode & OTHERS_MAY_READ for one in files)

    def copy(self, kind: MountKind, name: str, into: Path) -> bool:
        """A private copy of a secret or config map, one file for each key; False: there is none of that name."""
        folder = self.folder(kind, name)
        into.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not folder.is_dir():
            return False
        for entry in folder.iterdir():
            if entry.is_file():
                shutil.copyfile(entry, into / entry.name)
                (into / entry.name).chmod(0o600)
        return True

    def claim(self, name: str, sub_path: str = "") -> Path:
        """The folder of a claim, or one inside it, which is made if it is not there."""
        folder = self.folder(MountKind.CLAIM, name)
        if not folder.is_dir():
            raise NotHere(f"the claim '{name}' is not on this machine: make the folder {folder} with its files")
        inside = folder / sub_path.strip("/") if sub_path else folder
        if sub_path and not inside.resolve().is_relative_to(folder.resolve()):
            raise NotHere(f"the path '{sub_path}' leads out of the claim '{name}'")
        inside.mkdir(parents=True, exist_ok=True)
        return inside

    def make_claim(self, name: str, owner: str) -> None:
        """Make a claim; the same task may make it again. NotHere where another has made it."""
        folder = self.folder(MountKind.CLAIM, name)
        marker = folder.with_name(f"{name}.json")
        if folder.is_dir() and not (marker.is_file() and json.loads(marker.read_text())["owner"] == owner):
            raise NotHere(f"the claim '{name}' exists already, in {folder}: delete it first, or give another name")
        folder.mkdir(parents=True, exist_ok=True)
        marker.write_text(json.dumps({"owner": owner}))

    def delete_claim(self, name: str) -> bool:
        """Delete a claim with its files; False: there is none."""
        folder = self.folder(MountKind.CLAIM, name)
        if not folder.is_dir():
            return False
        shutil.rmtree(folder)
        folder.with_name(f"{name}.json").unlink(missing_ok=True)
        return True
