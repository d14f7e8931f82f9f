"""`python -m headrace_apiserver`: the service as a process of its own, until SIGTERM or Ctrl-C."""

from __future__ import annotations

import asyncio
import logging
import signal
import sys

from headrace_apiserver.server import running
from headrace_apiserver.settings import ApiserverSettings
from headrace_servicekit.errors import ServiceError
from headrace_servicekit.settings import SettingsError, load


async def run() -> None:
    """Serve until a signal asks to stop."""
    settings = load(ApiserverSettings)
    logging.basicConfig(level=settings.log_level.upper(), format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    async with running(settings) as up:
        logging.getLogger(__name__).info("REST on %s, gRPC on %s", up.http_address, up.grpc_address)
        await stopped.wait()


def main() -> int:
    """Exit code 1 with one sentence where the service cannot start."""
    try:
        asyncio.run(run())
    except (ServiceError, SettingsError) as wrong:
        sys.stderr.write(f"{wrong}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
