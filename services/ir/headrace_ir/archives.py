"""The pipeline file inside an uploaded package: plain text, a zip or a gzip tarball; bounded, and nothing is extracted.

Pure: bytes in, bytes out. Called by `reading` only.
"""

from __future__ import annotations

import io
import stat
import tarfile
import zipfile
import zlib
from pathlib import PurePosixPath

from headrace_ir.problems import SpecError

MAX_BYTES = 32 << 20
PREFERRED = "pipeline.yaml"


def extract(data: bytes, filename: str) -> tuple[bytes, str]:
    """The bytes of the pipeline file and its name; refuses what is too big, unknown or unsafe."""
    name = filename.lower()
    if len(data) > MAX_BYTES:
        raise _too_big(filename)
    if name.endswith((".yaml", ".yml", ".json")):
        return data, filename
    if name.endswith(".py"):
        raise SpecError.of(
            f"{filename} is Python source: compile it first (`kfp dsl compile --py {filename} --output pipeline.yaml`)"
            " and give the YAML file"
        )
    if data.startswith(b"PK"):
        return _from_zip(data, filename)
    if data.startswith(b"\x1f\x8b"):
        return _from_tarball(data, filename)
    raise SpecError.of(
        f"{filename} is not a pipeline package: expected a .yaml, .yml or .json file, a zip, or a gzip tarball (.tar.gz)"
    )


def _from_zip(data: bytes, filename: str) -> tuple[bytes, str]:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            entries = [entry for entry in archive.infolist() if not entry.is_dir()]
            for entry in entries:
                mode = entry.external_attr >> 16
                is_special = bool(mode) and stat.S_IFMT(mode) not in (0, stat.S_IFREG)
                _check_entry(entry.filename, filename, is_special=is_special)
            chosen = _choose([entry.filename for entry in entries], filename)
            with archive.open(entries[chosen]) as file:
                content = file.read(MAX_BYTES + 1)
            entry_name = entries[chosen].filename
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, EOFError, OSError, ValueError) as error:
        # RuntimeError: an encrypted entry; NotImplementedError: an unknown compression.
        if isinstance(error, SpecError):
            raise
        raise SpecError.of(f"{filename} cannot be read as a zip file: {error}") from None
    if len(content) > MAX_BYTES:
        raise _too_big(f"{entry_name} in {filename}")
    return content, entry_name


def _from_tarball(data: bytes, filename: str) -> tuple[bytes, str]:
    plain = _gunzip(data, filename)
    try:
        with tarfile.open(fileobj=io.BytesIO(plain), mode="r:") as archive:
            members = [member for member in archive.getmembers() if not member.isdir()]
            for member in members:
                _check_entry(member.name, filename, is_special=not member.isreg())
            member = members[_choose([member.name for member in members], filename)]
            if member.size > MAX_BYTES:
                raise _too_big(f"{member.name} in {filename}")
            file = archive.extractfile(member)
            content = file.read(MAX_BYTES + 1) if file else b""
    except (tarfile.TarError, EOFError, OSError, ValueError) as error:
        if isinstance(error, SpecError):
            raise
        raise SpecError.of(f"{filename} cannot be read as a gzip tarball: {error}") from None
    return content, member.name


def _gunzip(data: bytes, filename: str) -> bytes:
    """All members of a gzip stream, never more than the limit in memory."""
    parts: list[bytes] = []
    size = 0
    while data.startswith(b"\x1f\x8b"):
        inflater = zlib.decompressobj(wbits=31)
        try:
            part = inflater.decompress(data, MAX_BYTES + 1 - size)
        except zlib.error as error:
            raise SpecError.of(f"{filename} cannot be read as a gzip tarball: {error}") from None
        size += len(part)
        if size > MAX_BYTES:
            raise _too_big(f"the content of {filename}")
        if not inflater.eof:
            raise SpecError.of(f"{filename} cannot be read as a gzip tarball: it ends too early")
        parts.append(part)
        data = inflater.unused_data
    return b"".join(parts)


def _check_entry(name: str, filename: str, *, is_special: bool) -> None:
    path = PurePosixPath(name.replace("\\", "/"))
    if path.is_absolute() or ".." in path.parts or (path.parts and path.parts[0].endswith(":")):
        raise SpecError.of(f"{filename} is refused: its entry '{name}' points outside the archive")
    if is_special:
        raise SpecError.of(f"{filename} is refused: its entry '{name}' is a link or a device, not a plain file")


def _choose(names: list[str], filename: str) -> int:
    if not names:
        raise SpecError.of(f"{filename} is empty: expected a {PREFERRED} in it")
    plain = [name.removeprefix("./") for name in names]
    index = plain.index(PREFERRED) if PREFERRED in plain else 0
    if not names[index].lower().endswith((".yaml", ".yml")):
        raise SpecError.of(f"{filename} holds no {PREFERRED}, and its first entry '{names[index]}' is not a YAML file")
    return index


def _too_big(what: str) -> SpecError:
    return SpecError.of(f"{what} is larger than {MAX_BYTES >> 20} MiB, the limit for a pipeline package")
