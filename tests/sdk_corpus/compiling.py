"""Compiles the pipelines of tests/gaps, tests/differential and tests/sdk_corpus by Headrace: a program of its own, so that one
compilation knows nothing of another. `as-kfp`: the files as they are, with Headrace answering for `kfp`; `native`: with the
import changed, as users would. Called by tests; writes OUT/FOLDER/NAME.yaml, and NAME.error for what does not compile.
"""

from __future__ import annotations

import importlib
import re
import shutil
import sys
import traceback
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

TESTS = Path(__file__).resolve().parents[1]
FOLDERS = ("gaps", "differential", "sdk_corpus")
IMPORT = re.compile(r"^(from|import) kfp\b", re.MULTILINE)


def rewritten(folder: Path, to: Path) -> Path:
    """A copy of a folder of pipelines whose imports are of headrace."""
    shutil.copytree(folder, to)
    for source in to.glob("*.py"):
        source.write_text(IMPORT.sub(r"\1 headrace", source.read_text(encoding="utf-8")), encoding="utf-8")
    return to


def flows(module: Any) -> Iterator[tuple[str, Any]]:
    """What a module holds, under the names that tools/compile_pipelines.py gives it."""
    if hasattr(module, "pipeline"):
        yield module.__name__, module.pipeline
    for one in [*getattr(module, "PIPELINES", ()), *getattr(module, "beyond", list)()]:
        yield f"{module.__name__}_{one.pipeline_func.__name__}", one


def compile_folder(folder: Path, out: Path, compile_: Callable[[Any, str], Any]) -> None:
    out.mkdir(parents=True)
    sys.path.insert(0, str(folder))
    for source in sorted(folder.glob("*.py")):
        try:
            made = list(flows(importlib.import_module(source.stem)))
        except Exception:  # noqa: BLE001  # it is what the test shows
            (out / f"{source.stem}.error").write_text(traceback.format_exc(), encoding="utf-8")
            continue
        for name, flow in made:
            try:
                compile_(flow, str(out / f"{name}.yaml"))
            except Exception:  # noqa: BLE001  # likewise
                (out / f"{name}.error").write_text(traceback.format_exc(), encoding="utf-8")
    sys.path.pop(0)


def main() -> None:
    how, out = sys.argv[1], Path(sys.argv[2])
    warnings.simplefilter("ignore", DeprecationWarning)
    if how == "as-kfp":
        from headrace import kfp_alias

        kfp_alias.install()
    from headrace.compiler import Compiler

    for name in FOLDERS:
        folder = TESTS / name / "pipelines"
        source = folder if how == "as-kfp" else rewritten(folder, out / f"{name}-sources")
        compile_folder(source, out / name, Compiler().compile)


if __name__ == "__main__":
    main()
