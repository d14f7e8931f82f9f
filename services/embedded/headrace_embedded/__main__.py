"""`python -m headrace_embedded serve NAME`: the server verbs where the SDK and its command are not installed."""

from __future__ import annotations

import sys

from headrace_embedded import commands


def main() -> int:
    """Run the verb that the first argument names."""
    verb, *rest = sys.argv[1:] or ["--help"]
    verbs = {"up": commands.up, "serve": commands.serve}
    if verb not in verbs:
        print("usage: headrace-service serve NAME", file=sys.stderr)  # noqa: T201
        return commands.BAD_INPUT
    return verbs[verb](rest)


if __name__ == "__main__":
    sys.exit(main())
