"""`python -m headrace_companion.pod`: the companion's container, from its first moment; the rest is in `living`.

The first process of a container does not hear signals for which it has no handler. So there is one before anything that takes
time to import: a Pod that is to go while its companion starts would else stay for its whole grace.
"""

from __future__ import annotations

import os
import signal
from types import FrameType


def main() -> None:
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _end)
    from headrace_companion.pod.living import live

    live()


def _end(number: int, frame: FrameType | None) -> None:
    """Nothing has begun."""
    os._exit(0)


if __name__ == "__main__":
    main()
