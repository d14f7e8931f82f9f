"""Packs folders as image layers and writes images into the registry's folder; everything is kept by its content.

An image is a list of layers with a configuration. A layer that is there already costs nothing, so that an image whose
last layer alone changed is made and pulled in seconds. Without a container engine, as plain files.
"""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
import uuid
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from cluster.bringup.registry import blob, set_tag, store

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
LAYER = "application/vnd.oci.image.layer.v1.tar"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"


def layer(contents: Mapping[str, Path], owner: int = 0, mode: Mapping[str, int] | None = None) -> str:
    """A layer with these files and folders at these absolute paths; the digest of its uncompressed tar.

    The same contents give the same digest: times and names of owners are left out.
    """
    target = blob(uuid.uuid4().hex)
    target.parent.mkdir(parents=True, exist_ok=True)
    digest = hashlib.sha256()

    class Hashed(io.RawIOBase):
        def writable(self) -> bool:
            return True

        def write(self, data: bytes) -> int:  # type: ignore[override]
            digest.update(data)
            return out.write(data)

    with (
        target.open("wb") as out,
        tarfile.open(fileobj=Hashed(), mode="w|", format=tarfile.GNU_FORMAT, bufsize=1 << 20) as tar,
    ):
        for place, source in sorted(contents.items()):
            for path in (
                [source, *sorted(source.rglob("*"))] if source.is_dir() and not source.is_symlink() else [source]
            ):
                _add(tar, path, _inside(place, path, source), owner, mode or {})
    made = f"sha256:{digest.hexdigest()}"
    target.replace(blob(made))
    return made


def _inside(place: str, path: Path, source: Path) -> str:
    below = path.relative_to(source).as_posix()
    return place.strip("/") if below == "." else f"{place.strip('/')}/{below}".lstrip("/")


def _add(tar: tarfile.TarFile, path: Path, name: str, owner: int, mode: Mapping[str, int]) -> None:
    if path.is_socket() or not name or ("__pycache__" in path.parts and not _is_lasting(path)):
        return
    entry = tar.gettarinfo(path, name)
    if entry is None:
        return
    entry.mtime = 0
    entry.uname = entry.gname = ""
    if owner:
        entry.uid = entry.gid = owner
    entry.mode = mode.get(f"/{name}", entry.mode)
    if entry.isreg():
        with path.open("rb") as data:
            tar.addfile(entry, data)
    else:
        tar.addfile(entry)


def _is_lasting(path: Path) -> bool:
    """Bytecode that Python takes without a look at its source's time, which layers leave out (by the source's hash, which it
    may look at); and the folder of such.
    """
    if path.is_dir():
        return any(_is_lasting(one) for one in path.glob("*.pyc"))
    with path.open("rb") as file:
        return path.suffix == ".pyc" and file.read(8)[4:] in (b"\1\0\0\0", b"\3\0\0\0")


def image(
    names: Iterable[str],
    layers: Sequence[str],
    command: Sequence[str] = (),
    entrypoint: Sequence[str] = (),
    environ: Mapping[str, str] | None = None,
    user: str = "",
    folder: str = "",
) -> str:
    """Writes the image and gives it these names; its digest."""
    settings = {
        "Env": [f"{key}={value}" for key, value in {"PATH": PATH, **(environ or {})}.items()],
        "Cmd": list(command) or None,
        "Entrypoint": list(entrypoint) or None,
        "User": user,
        "WorkingDir": folder,
    }
    config = store(
        json.dumps(
            {
                "architecture": "amd64",
                "os": "linux",
                "config": {key: value for key, value in settings.items() if value},
                "rootfs": {"type": "layers", "diff_ids": list(layers)},
            }
        ).encode()
    )
    manifest = {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": _descriptor(CONFIG, config),
        "layers": [_descriptor(LAYER, one) for one in layers],
    }
    digest = store(json.dumps(manifest).encode())
    for name in names:
        set_tag(*repository(name), digest)
    return digest


def repository(name: str) -> tuple[str, str]:
    """An image's name as the registry is asked for it: without a host, with `library/` where Docker's hub has it."""
    first, _, rest = name.partition("/")
    has_host = bool(rest) and ("." in first or ":" in first or first == "localhost")
    path, _, tag = (rest if has_host else name).partition(":")
    hub = not has_host or first in ("docker.io", "index.docker.io")
    return (f"library/{path}" if hub and "/" not in path else path), tag or "latest"


def import_archive(archive: Path, names: Sequence[str]) -> str:
    """Takes an OCI archive (`buildah push … oci-archive:FILE`, or a tar of that layout) into the registry."""
    with tarfile.open(archive) as tar:
        index = json.load(tar.extractfile("index.json"))  # type: ignore[arg-type]
        for entry in tar:
            if entry.isreg() and entry.name.removeprefix("./").startswith("blobs/sha256/"):
                target = blob(Path(entry.name).name)
                if not target.exists():
                    target.parent.mkdir(parents=True, exist_ok=True)
                    written = target.with_name(f".{uuid.uuid4().hex}")
                    written.write_bytes(tar.extractfile(entry).read())  # type: ignore[union-attr]
                    written.replace(target)
    found: str = index["manifests"][0]["digest"]
    for name in names:
        set_tag(*repository(name), found)
    return found


def _descriptor(kind: str, digest: str) -> dict[str, object]:
    return {"mediaType": kind, "digest": digest, "size": blob(digest).stat().st_size}
