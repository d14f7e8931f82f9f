"""The agenda: paths to look at, first come, first served. Part of a run's header; kept by state.py, emptied by stepping.py.

Every step copies it and may be dropped, so a copy must not cost its length: what was pushed is kept in chunks that are shared
and never changed again.
"""

from __future__ import annotations


class Agenda:
    """A queue whose copies share their chunks."""

    __slots__ = ("_at", "_chunks", "_new")

    def __init__(self) -> None:
        self._chunks: list[list[str]] = []
        self._at = 0  # where the first chunk goes on
        self._new: list[str] = []

    def __bool__(self) -> bool:
        return bool(self._chunks or self._new)

    def push(self, path: str) -> None:
        """Look at PATH after everything that is on it now."""
        self._new.append(path)

    def pop(self) -> str:
        """The next path; asked only where there is one."""
        self._seal()
        first = self._chunks[0]
        path = first[self._at]
        self._at += 1
        if self._at == len(first):
            del self._chunks[0]
            self._at = 0
        return path

    def clear(self) -> None:
        """Look at nothing any more."""
        self._chunks, self._at, self._new = [], 0, []

    def copy(self) -> Agenda:
        """Another one with the same content."""
        self._seal(always=True)
        made = Agenda()
        made._chunks, made._at = list(self._chunks), self._at
        return made

    def _seal(self, *, always: bool = False) -> None:
        if self._new and (always or not self._chunks):
            self._chunks.append(self._new)
            self._new = []
