"""Logs as lines of text. Used by tasks and runs."""

from __future__ import annotations

import codecs
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass
from typing import Final, cast

LONGEST: Final = 64 << 10  # characters; a longer line comes in pieces, so that a log without line ends fits into memory


@dataclass(frozen=True, slots=True)
class LogLine:
    """A line of a task's log."""

    task: str
    text: str

    def __str__(self) -> str:
        return f"{self.task}  {self.text}"


async def lines_of(chunks: AsyncIterator[bytes]) -> AsyncIterator[str]:
    """Lines without their ends; bytes that are no UTF-8 become replacement characters."""
    decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
    torn = ""
    async with aclosing(cast("AsyncGenerator[bytes, None]", chunks)) as reading:
        async for chunk in reading:
            *lines, torn = (torn + decoder.decode(chunk)).split("\n")
            for line in lines:
                yield line.removesuffix("\r")
            while len(torn) > LONGEST:
                yield torn[:LONGEST]
                torn = torn[LONGEST:]
    if torn := torn + decoder.decode(b"", final=True):
        yield torn
