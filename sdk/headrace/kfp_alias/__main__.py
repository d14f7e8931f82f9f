"""`python -m headrace.kfp_alias SCRIPT [ARGUMENT…]`: an unchanged script that imports kfp, run as `python SCRIPT` would run it.

For scripts that call `kfp.Client` or compile by themselves; a pipeline file is what `headrace run --as-kfp` takes.
"""

from __future__ import annotations

import os
import runpy
import sys

from headrace import kfp_alias


def main() -> int:
    """The exit code, where the script does not give its own."""
    if len(sys.argv) < 2 or sys.argv[1] in ("-h", "--help"):
        print("usage: python -m headrace.kfp_alias SCRIPT [ARGUMENT ...]", file=sys.stderr)  # noqa: T201  # for people
        return 2
    del sys.argv[0]
    script = sys.argv[0]
    if not os.path.isfile(script):
        print(f"headrace: there is no file {script}", file=sys.stderr)  # noqa: T201  # for people
        return 2
    sys.path.insert(0, os.path.dirname(os.path.abspath(script)))
    kfp_alias.install()
    runpy.run_path(script, run_name="__main__")
    return 0


if __name__ == "__main__":
    sys.exit(main())
