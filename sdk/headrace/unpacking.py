"""A package file as its documents, packed or not. Called by the CLI and the answers to kfp.Client; the platform reads its own."""

from __future__ import annotations

import io
import tarfile
import zipfile
from pathlib import Path

from headrace.comparing import as_package
from headrace.compiler.package import Package
from headrace.errors import BadInput

MEMBER = "pipeline.yaml"  # what a packed pipeline is called in its package


def package_in(data: bytes, name: str) -> Package:
    """The package whose file's bytes DATA are: IR YAML or JSON, or a zip or tar.gz of it."""
    try:
        return as_package(_unpacked(data, name).decode())
    except UnicodeDecodeError:
        raise BadInput(f"{name} is no package: give IR YAML or JSON, a zip or a tar.gz of it") from None
    except BadInput as wrong:
        raise BadInput(f"{name}: {wrong}") from None


def _unpacked(data: bytes, name: str) -> bytes:
    try:
        if data[:2] == b"PK":
            with zipfile.ZipFile(io.BytesIO(data)) as packed:
                return packed.read(_member(packed.namelist(), name))
        if data[:2] == b"\x1f\x8b":
            with tarfile.open(fileobj=io.BytesIO(data), mode="r:gz") as packed_tar:
                found = packed_tar.extractfile(_member(packed_tar.getnames(), name))
                return found.read() if found is not None else b""
    except (zipfile.BadZipFile, tarfile.TarError, EOFError, OSError) as broken:
        raise BadInput(f"{name} cannot be unpacked: {broken}") from None
    return data


def _member(names: list[str], name: str) -> str:
    if MEMBER in names:
        return MEMBER
    if not names:
        raise BadInput(f"{name} is empty")
    if Path(names[0]).suffix.lower() not in (".yaml", ".yml"):
        raise BadInput(f"{name} holds no {MEMBER}, and its first file, {names[0]}, is no YAML")
    return names[0]
