"""A file of an artifact as an ordinary binary file, for threads: what `Artifact.open` gives."""

from __future__ import annotations

import io
import os
from typing import TYPE_CHECKING, BinaryIO, Final, cast

if TYPE_CHECKING:
    from headrace.api.artifacts import AsyncArtifactFile
    from headrace.api.runner import Runner

BUFFER: Final = 1 << 20  # bytes that are asked for at once


class ArtifactReader(io.RawIOBase):
    """Each read is a call for just these bytes, so that readers of formats may jump about."""

    def __init__(self, file: AsyncArtifactFile, runner: Runner) -> None:
        super().__init__()
        self._file = file
        self._runner = runner

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]  # typeshed's Buffer is Python 3.12's
        data = self._runner.run(self._file.read(len(buffer)))
        buffer[: len(data)] = data
        return len(data)

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        return self._runner.run(self._file.seek(offset, whence))

    def tell(self) -> int:
        return self._file.tell()


def buffered(file: AsyncArtifactFile, runner: Runner) -> BinaryIO:
    """The same with a buffer."""
    return cast("BinaryIO", io.BufferedReader(ArtifactReader(file, runner), BUFFER))
