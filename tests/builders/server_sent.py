"""Server-sent events as a client reads them, by the HTML standard's rules (9.2.6): blocks of fields, the last id is kept."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterable, Iterator
from dataclasses import dataclass
from typing import Any


@dataclass
class Parser:
    """Lines in, dispatched events out; what a browser keeps besides."""

    last_id: str = ""
    retry: int = 0
    comments: int = 0

    def __post_init__(self) -> None:
        self._type, self._data = "", list[str]()

    def line(self, line: str) -> tuple[str, Any] | None:
        """An event's type and its data as JSON, where LINE, without its end, dispatches one."""
        if not line:
            kind, data = self._type or "message", "\n".join(self._data)
            self._type, self._data = "", []
            return (kind, json.loads(data)) if data else None
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if not name:
            self.comments += 1
        elif name == "id":
            self.last_id = value
        elif name == "retry":
            self.retry = int(value)
        elif name == "event":
            self._type = value
        else:
            assert name == "data", line
            self._data.append(value)
        return None

    def lines(self, lines: Iterable[bytes]) -> Iterator[tuple[str, Any]]:
        """Every event of a stream."""
        for raw in lines:
            if (found := self.line(raw.decode().rstrip("\n"))) is not None:
                yield found

    async def stream(self, lines: AsyncIterator[bytes]) -> AsyncIterator[tuple[str, Any]]:
        """The same."""
        async for raw in lines:
            if (found := self.line(raw.decode().rstrip("\n"))) is not None:
                yield found
