"""`python3 -m headrace.runtime`."""

from __future__ import annotations

import sys

from headrace.runtime.command_line import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
