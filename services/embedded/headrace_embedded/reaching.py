"""Reaching Postgres when `headrace serve persistence` or `serve cache` starts: that of HOME, or one that starts beside them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final
from urllib.parse import quote

from headrace_embedded.postgres_config import DATABASE, USER
from headrace_embedded.postgres_place import find_place
from headrace_servicekit.errors import Reason, ServiceError
from headrace_servicekit.postgres import connect

WITHIN_S: Final = 60.0
LOOK_EVERY_S: Final = 0.1


async def bundled_database(home: Path, progress: Callable[[str], None]) -> str:
    """The URL of HOME's database once it answers; `headrace serve postgres` may be started later than its clients."""
    place = await asyncio.to_thread(find_place, home)
    url = f"postgresql:///{quote(DATABASE)}?host={quote(str(place.sockets), safe='')}&user={USER}"
    waits = "waiting for `headrace serve postgres`, since HEADRACE_DATABASE_URL is not set"
    if (away := await answering(url, lambda _: progress(waits))) is None:
        return url
    raise ServiceError(
        Reason.UNAVAILABLE,
        f"no Postgres answers for {home} ({away}); start `headrace serve postgres` with the same HEADRACE_HOME, "
        "or set HEADRACE_DATABASE_URL",
    ) from away


async def answering(url: str, waits: Callable[[ServiceError], None]) -> ServiceError | None:
    """None once the database at URL takes connections; why it does not, after WITHIN_S. WAITS is told once that it does not."""
    started, said = time.monotonic(), False
    while True:
        try:
            async with await connect(url, "reach"):
                return None
        except ServiceError as away:
            if time.monotonic() - started > WITHIN_S:
                return away
            if not said:
                waits(away)
                said = True
            await asyncio.sleep(LOOK_EVERY_S)
