"""The life of a process: logging set-up, and running until SIGTERM or SIGINT asks for a clean stop."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import signal
import sys
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime
from typing import Any

logger = logging.getLogger(__name__)


class _OneLine(logging.Formatter):
    """One record, one line: a traceback's lines are joined, so that a log can be read by lines."""

    def format(self, record: logging.LogRecord) -> str:
        return super().format(record).replace("\n", "\\n ")


class _OneObject(logging.Formatter):
    """One record, one JSON object."""

    def format(self, record: logging.LogRecord) -> str:
        when = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        said = {"time": when, "level": record.levelname.lower(), "logger": record.name, "message": record.getMessage()}
        if record.exc_info:
            said["exception"] = self.formatException(record.exc_info)
        return json.dumps(said, ensure_ascii=False)


def set_up_logging(level: str = "info", form: str = "text") -> None:
    """Log to standard error, one line a record."""
    handler = logging.StreamHandler(sys.stderr)
    text = _OneLine("%(asctime)s %(levelname)s %(name)s %(message)s")
    handler.setFormatter(_OneObject() if form == "json" else text)
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    logging.getLogger("psycopg").setLevel(logging.ERROR)  # our own error mapping says it once, not every second


def run_until_signal(service: Callable[[], AbstractAsyncContextManager[Any]], *, stop_within: float = 10.0) -> int:
    """Run SERVICE until SIGTERM or SIGINT, then leave it; returns the exit code. A second signal ends at once."""
    return asyncio.run(_run(service, stop_within))


async def _run(service: Callable[[], AbstractAsyncContextManager[Any]], stop_within: float) -> int:
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    deadline: list[asyncio.TimerHandle] = []

    def asked() -> None:
        if stop.is_set():
            os._exit(130)
        stop.set()
        deadline.append(loop.call_later(stop_within, _too_late, stop_within))

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, asked)
    try:
        async with service():
            await stop.wait()
    finally:
        for timer in deadline:
            timer.cancel()
    return 0


def _too_late(stop_within: float) -> None:
    logger.error("still stopping after %.0f s: ending at once; the next start recovers what is left", stop_within)
    os._exit(1)
