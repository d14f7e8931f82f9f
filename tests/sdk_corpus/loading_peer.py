"""Loads compiled pipelines with the official SDK and compiles them again: `loading_peer.py FOLDER OUT`. Runs in .venv-kfp.

What cannot be loaded gives OUT/NAME.error. Nothing here imports Headrace.
"""

import sys
import traceback
from pathlib import Path

from kfp import compiler, components  # type: ignore[import-not-found,unused-ignore]  # there only in the peer environment

for source in sorted(Path(sys.argv[1]).rglob("*.yaml")):
    target = Path(sys.argv[2]) / source.name
    try:
        compiler.Compiler().compile(components.load_component_from_file(str(source)), str(target))
    except Exception:  # noqa: BLE001  # it is what the test shows
        target.with_suffix(".error").write_text(traceback.format_exc())
