"""Compiles a folder of pipeline files as they are, by running each as a program and keeping what it hands to the compiler.

`--as-kfp`: Headrace answers for `kfp`; without it, whatever `kfp` is installed (.venv-kfp). Called by tools/compare_sources.py.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import runpy
import shutil
import sys
import traceback
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any


def main() -> int:
    parser = argparse.ArgumentParser(description="compile pipeline files by running them")
    parser.add_argument("folder", type=lambda text: Path(text).resolve())
    parser.add_argument("out", type=lambda text: Path(text).resolve())
    parser.add_argument("--as-kfp", action="store_true")
    given = parser.parse_args()
    if given.as_kfp:
        from headrace import kfp_alias

        kfp_alias.install()
    import kfp.compiler  # here, so that all children have it

    for source in sorted(given.folder.rglob("*.py")):
        target = (given.out / source.relative_to(given.folder)).with_suffix("")
        target.parent.mkdir(parents=True, exist_ok=True)
        child = os.fork()  # names and counters of one file mean nothing to the next
        if not child:
            _compile(source, target, kfp.compiler.Compiler)
            os._exit(0)
        os.waitpid(child, 0)
    return 0


def _compile(source: Path, target: Path, compiler: Any) -> None:
    """Writes TARGET.yaml, TARGET+NAME.yaml for each further package, and TARGET.error where nothing came of it."""
    os.chdir(source.parent)
    sys.path[0:1] = [str(source.parent)]
    warnings.simplefilter("ignore")
    plain = compiler.compile
    compiler.compile = _keeping(plain, source, target)
    with open(os.devnull, "w") as nowhere, contextlib.redirect_stdout(nowhere), contextlib.redirect_stderr(nowhere):
        # It may want a server or compile to a format of old: then its last pipeline, as `kfp dsl compile --py` takes it.
        ran = _tried(lambda: runpy.run_path(str(source), run_name="__main__"))
        if list(target.parent.glob(f"{target.name}*.yaml")):
            return
        compiler.compile = plain
        error = _tried(lambda: _compile_last(runpy.run_path(str(source)), compiler, target)) or ran
    if error and not target.with_name(f"{target.name}.yaml").exists():
        target.with_name(f"{target.name}.error").write_text(error, encoding="utf-8")


def _tried(action: Callable[[], Any]) -> str:
    """Whatever the file raises is its result."""
    try:
        action()
    except BaseException:  # noqa: BLE001
        return traceback.format_exc()
    return ""


def _keeping(compile_: Callable[..., Any], source: Path, target: Path) -> Callable[..., Any]:
    """The compiler's method; a copy of what the file of SOURCE compiles goes to TARGET."""

    def wrapped(self: Any, pipeline_func: Any, package_path: str, *args: Any, **kwargs: Any) -> Any:
        kept = Path(package_path).resolve()
        before = kept.read_bytes() if kept.exists() else None
        made = compile_(self, pipeline_func, package_path, *args, **kwargs)
        name = "" if kept.stem.startswith(source.stem) else f"+{kept.stem}"
        shutil.copy(kept, target.with_name(f"{target.name}{name}.yaml"))
        if before is not None and kept.is_relative_to(source.parent):
            kept.write_bytes(before)  # another file may load what lies there
        return made

    return wrapped


def _compile_last(names: dict[str, Any], compiler: Any, target: Path) -> None:
    """A file that compiles nothing itself: its last pipeline, as `kfp dsl compile --py` takes it."""
    found = [one for one in names.values() if hasattr(one, "pipeline_func")]
    if found:
        compiler().compile(found[-1], str(target.with_name(f"{target.name}.yaml")))


if __name__ == "__main__":
    sys.exit(main())
