"""Start-up of the embedded platform: from starting the program to the file that announces its addresses."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

from bench.measuring import Row, row
from fixtures.platforms import running

NEW, EXISTING = 3, 5


def measure(folder: Path) -> Iterator[Row]:
    new = [_seconds(folder / f"new-{number}") for number in range(NEW)]
    yield row("start-up, new data folder", "s", new, aim=5.0)
    existing = [_seconds(folder / "new-0") for _ in range(EXISTING)]
    yield row("start-up, existing data folder", "s", existing, aim=2.0)


def _seconds(home: Path) -> float:
    started = time.monotonic()
    with running("embedded", home):
        return time.monotonic() - started
